"""Task transfer: features of the encoder and of the residual, an ordinary classifier, out-of-fold predictions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from imblearn.pipeline import Pipeline

from brain_cae import estimates
from brain_cae.configuration import Config
from brain_cae.fitted_model import FittedModel
from brain_cae.harmonising import feature_step
from brain_cae.transfer.crossfit import (
    Crossfit,
    abnormal_probability,
    crossfit,
    fit,
    holdout,
    obstacle,
    permutation_p,
)
from brain_cae.transfer.features import ARMS, select_arm
from brain_cae.transfer.metrics import transfer_metrics
from brain_cae.transfer.pipeline import build_pipeline, count_unreached, harmonise_notes


@dataclass(frozen=True)
class Transfer:
    """What the transfer classifier says.

    Attributes:
        probabilities: Of ``abnormal``, by subject; NaN where there is none.
        folds: In which fold each subject was held out, by subject; missing where it was not.
        metrics: The section ``transfer`` of ``metrics.json``.
        arms: The same for every arm of features that was tried, one column each.
        fitted: The classifier fitted on every labelled subject, for new patients; None without both classes.
    """

    probabilities: pd.Series
    folds: pd.Series
    metrics: dict[str, Any]
    arms: pd.DataFrame
    fitted: Pipeline | None


def transfer(
    model: FittedModel, table: pd.DataFrame, features: pd.DataFrame, *, new_subjects: bool, learnt: set[str]
) -> Transfer:
    """Predict every subject from features of a network that never saw it.

    Args:
        model: Its configuration names features, classifier, balancing and evaluation.
        table: Columns label and role, indexed by subject.
        features: One row per subject, same index, with the columns that the harmonising step takes off.
        new_subjects: True applies the stored classifier and fits nothing.
        learnt: New subjects that the stored classifier has learnt from: they get no probability, and no figure
            counts them.
    """
    config = model.config
    arm = select_arm(features, config.features.name)
    known = table.index[table["label"] != "unknown"]
    base = {"features": config.features.name, "classifier": config.classifier.name}
    nothing = pd.Series(float("nan"), index=table.index)
    if new_subjects:
        probabilities, notes = nothing, []
        if model.classifier is not None:
            notes = harmonise_notes(model.classifier, count_unreached(model.classifier, arm), len(arm))
            probabilities = pd.Series(abnormal_probability(model.classifier, arm), index=table.index)
            probabilities[table.index.isin(learnt)] = float("nan")
        return Transfer(
            probabilities,
            pd.Series(pd.NA, index=table.index, dtype="Int64"),
            base
            | _scores(config, table.loc[known, "label"], probabilities.loc[known])
            | {"notes": notes, "comparison": []},
            probabilities.to_frame(config.features.name),
            None,
        )
    labels, roles = table.loc[known, "label"], table.loc[known, "role"]
    outcome = {name: _predict(config, select_arm(features.loc[known], name), labels, roles) for name in ARMS}
    chosen, scored = outcome[config.features.name]
    probabilities = nothing.copy()
    probabilities.loc[known] = chosen.probabilities
    folds = pd.Series(chosen.folds, index=known).replace(-1, pd.NA).astype("Int64").reindex(table.index)
    section = base | _scores(config, labels[scored], probabilities.loc[known][scored])
    if config.evaluation.name == "crossfit" and chosen.defined:
        permuted = permutation_p(
            _pipeline(config),
            arm.loc[known],
            labels,
            folds=config.evaluation.folds,
            seed=config.seed,
            permutations=config.evaluation.permutations,
        )
    else:
        permuted = estimates.undefined("only cross-fitting is permuted", n=len(known))
    section["permutation_p"] = permuted.to_dict()
    section["notes"] = list(chosen.notes)
    section["comparison"] = _comparison(config, outcome, labels)
    able = len(labels) and not obstacle(_pipeline(config), labels)
    fitted = fit(_pipeline(config), arm.loc[known], labels, seed=config.seed)[0] if able else None
    arms = pd.DataFrame({name: pd.Series(found.probabilities, index=known) for name, (found, _) in outcome.items()})
    return Transfer(probabilities, folds, section, arms.reindex(table.index), fitted)


def _pipeline(config: Config) -> Pipeline:
    sampler = config.balancing.sampler
    return build_pipeline(
        instantiate(config.classifier.estimator, _convert_="all"),
        instantiate(sampler, _convert_="all") if sampler else None,
        harmonise=feature_step(config),
    )


def _predict(config: Config, arm: pd.DataFrame, labels: pd.Series, roles: pd.Series) -> tuple[Crossfit, pd.Series]:
    """Out-of-fold or held-out probabilities, and which subjects they may be scored on."""
    if labels.empty:
        nothing = Crossfit(np.empty(0), np.empty(0, int), ["No subject outside train and validation has a label."])
        return nothing, pd.Series(dtype=bool)
    if config.evaluation.name == "holdout":
        test = (roles == "test").to_numpy()
        return holdout(_pipeline(config), arm, labels, test=test, seed=config.seed)[0], roles == "test"
    found = crossfit(_pipeline(config), arm, labels, folds=config.evaluation.folds, seed=config.seed)
    return found, pd.Series(True, index=labels.index)


def _scores(config: Config, labels: pd.Series, probabilities: pd.Series) -> dict[str, Any]:
    known = probabilities.notna()
    found = transfer_metrics(
        labels[known], probabilities[known], seed=config.seed, resamples=config.evaluation.resamples
    )
    return {name: estimate.to_dict() for name, estimate in found.items()}


def _comparison(
    config: Config, outcome: dict[str, tuple[Crossfit, pd.Series]], labels: pd.Series
) -> list[dict[str, Any]]:
    """Every arm of features with the same classifier and folds, and its difference to the chosen one."""
    chosen, scored = outcome[config.features.name]
    rows = []
    for name, (found, _) in outcome.items():
        values = pd.Series(found.probabilities, index=labels.index)
        row: dict[str, Any] = {"features": name, "classifier": config.classifier.name}
        row["auroc"] = _scores(config, labels[scored], values[scored])["auroc"]
        if name != config.features.name:
            row["difference"] = estimates.paired_difference(
                labels[scored],
                values[scored],
                pd.Series(chosen.probabilities, index=labels.index)[scored],
                seed=config.seed,
                resamples=config.evaluation.resamples,
            ).to_dict()
        rows.append(row)
    return rows
