"""Figures of the transfer classifier, compared with other features, classifiers and scores."""

from dataclasses import replace

import pandas as pd

from brain_cae import estimates
from brain_cae.estimates import Estimate
from brain_cae.stages.records import Comparison, Search, TransferMetrics
from brain_cae.stages.transfer_plan import TransferPlan
from brain_cae.transfer.metrics import transfer_metrics

COMPARED = ("auroc", "average_precision", "brier")


def applied_metrics(
    plan: TransferPlan, labels: pd.Series, probabilities: pd.Series, notes: list[str]
) -> TransferMetrics:
    """Return the section of a stored classifier from the labels and probabilities of the labelled subjects."""
    figures = _figures(replace(plan, min_per_class=1), labels, probabilities)
    return TransferMetrics(plan.features.name, plan.classifier.name, figures, notes, comparison=[])


def compared_metrics(
    plan: TransferPlan, table: pd.DataFrame, arms: pd.DataFrame, notes: list[str], trials: pd.DataFrame
) -> TransferMetrics:
    """Return the section of cross-fitted or held-out predictions, without the permutation test.

    Args:
        plan: Transfer plan of the run.
        table: The labelled subjects used for figures: columns label and ``score.<scorer>``, indexed by subject.
        arms: Their probabilities, columns as in :class:`brain_cae.stages.transfer.Transfer`.
        notes: Changes to the requested procedure, and their reasons.
        trials: Trials of all searches.
    """
    labels, chosen = table["label"], arms[plan.features.name]

    def compare(features: str, classifier: str | None, values: pd.Series, figures: dict[str, Estimate]) -> Comparison:
        difference = estimates.paired_difference(labels, values, chosen, **plan.resampling)
        return Comparison(features, classifier, figures, difference)

    comparison = []
    for column in arms:
        features, _, classifier = str(column).partition(".")
        figures = _figures(plan, labels, arms[column])
        compared = {name: figures[name] for name in COMPARED}
        comparison.append(compare(features, classifier or plan.classifier.name, arms[column], compared))
    for name in plan.scores:
        values = table[f"score.{name}"]
        # A score is not a probability and has no Brier score.
        compared = {
            "auroc": estimates.auroc(labels, values, **plan.resampling),
            "average_precision": estimates.average_precision(labels, values, **plan.resampling),
        }
        comparison.append(compare(f"{name} score", None, values, compared))
    return TransferMetrics(
        plan.features.name,
        plan.classifier.name,
        _figures(plan, labels, chosen),
        notes,
        comparison,
        tuning=searches(trials),
    )


def searches(trials: pd.DataFrame) -> list[Search]:
    """Return one record per search of these trials, in their order."""
    if trials.empty:
        return []
    records = []
    for name, rows in trials.groupby("study", sort=False):
        complete = rows[rows["state"] == "complete"].sort_values("auroc", kind="stable")
        best = complete.iloc[-1] if len(complete) else None
        records.append(
            Search(
                study=str(name),
                trials=len(rows),
                pruned=int((rows["state"] == "pruned").sum()),
                auroc=None if best is None else float(best["auroc"]),
                parameters=None if best is None else str(best["parameters"]),
            )
        )
    return records


def _figures(plan: TransferPlan, labels: pd.Series, probabilities: pd.Series) -> dict[str, Estimate]:
    known = probabilities.notna()
    return transfer_metrics(labels[known], probabilities[known], **plan.resampling)
