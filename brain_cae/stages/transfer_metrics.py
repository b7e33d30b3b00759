"""Figures of the transfer classifier, compared with other features, classifiers and scores."""

from typing import Any

import pandas as pd

from brain_cae import estimates
from brain_cae.configuration import Config
from brain_cae.configuration.schema import LeaveProtocolOut, Split
from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT, Estimate
from brain_cae.stages.records import Comparison, Search, TransferMetrics
from brain_cae.transfer.metrics import transfer_metrics

COMPARED = ("auroc", "average_precision", "brier")


def min_per_class(split: Split | LeaveProtocolOut) -> int:
    """Return the minimum number of subjects in each class for figures between the classes of a run."""
    return MIN_PER_CLASS_HELD_OUT if split.holds_out_protocol else 1


def applied_metrics(config: Config, labels: pd.Series, probabilities: pd.Series, notes: list[str]) -> TransferMetrics:
    """Return the section of a stored classifier from the labels and probabilities of the labelled subjects."""
    figures = _figures(config, labels, probabilities, 1)
    return TransferMetrics(config.features.name, config.classifier.name, figures, notes, comparison=[])


def compared_metrics(
    config: Config, table: pd.DataFrame, arms: pd.DataFrame, notes: list[str], trials: pd.DataFrame
) -> TransferMetrics:
    """Return the section of cross-fitted or held-out predictions, without the permutation test.

    Args:
        config: Configuration of the run.
        table: The labelled subjects used for figures: columns label and ``score.<scorer>``, indexed by subject.
        arms: Their probabilities, columns as in :class:`brain_cae.stages.transfer.Transfer`.
        notes: Changes to the requested procedure, and their reasons.
        trials: Trials of all searches.
    """
    labels, smallest = table["label"], min_per_class(config.split)
    chosen = arms[config.features.name]
    resampling: dict[str, Any] = {
        "seed": config.seed,
        "resamples": config.evaluation.resamples,
        "min_per_class": smallest,
    }

    def compare(features: str, classifier: str | None, values: pd.Series, figures: dict[str, Estimate]) -> Comparison:
        difference = estimates.paired_difference(labels, values, chosen, **resampling)
        return Comparison(features, classifier, figures, difference)

    comparison = []
    for column in arms:
        features, _, classifier = str(column).partition(".")
        figures = _figures(config, labels, arms[column], smallest)
        compared = {name: figures[name] for name in COMPARED}
        comparison.append(compare(features, classifier or config.classifier.name, arms[column], compared))
    for name in config.scoring.scores:
        values = table[f"score.{name}"]
        # A score is not a probability and has no Brier score.
        compared = {
            "auroc": estimates.auroc(labels, values, **resampling),
            "average_precision": estimates.average_precision(labels, values, **resampling),
        }
        comparison.append(compare(f"{name} score", None, values, compared))
    return TransferMetrics(
        config.features.name,
        config.classifier.name,
        _figures(config, labels, chosen, smallest),
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


def _figures(config: Config, labels: pd.Series, probabilities: pd.Series, smallest: int) -> dict[str, Estimate]:
    known = probabilities.notna()
    return transfer_metrics(
        labels[known],
        probabilities[known],
        seed=config.seed,
        resamples=config.evaluation.resamples,
        min_per_class=smallest,
    )
