"""Make folds and fit one pipeline on a training part; used by cross-fitting and tuning."""

from typing import Any

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from brain_cae.errors import ConfigurationError
from brain_cae.estimates import binary


def make_folds(
    labels: ArrayLike, *, folds: int, seed: int, groups: ArrayLike | None = None
) -> tuple[NDArray, list[str]]:
    """Assign every subject to one fold, stratified by label; rows of one group stay together.

    Args:
        labels: Shape (subjects,), binary.
        folds: Number of folds; fewer are made if a class has fewer members (or groups).
        seed: Seed of the shuffling.
        groups: Shape (subjects,), for example the sessions of one person.

    Returns:
        Fold numbers, shape (subjects,), all -1 if no split into two folds is possible; and notes.
    """
    truth = binary(labels)
    if folds < 2:
        raise ConfigurationError(
            "Cross-fitting needs at least two folds.", expected="2 or more", found=str(folds), where="folds"
        )
    nothing = np.full(len(truth), -1)
    if truth.all() or not truth.any():
        return nothing, ["All subjects have the same label, so no classifier can be scored."]
    members = [_units(groups, kind) if groups is not None else int(kind.sum()) for kind in (truth, ~truth)]
    possible = min(folds, *members)
    if possible < 2:
        return nothing, ["One class has a single member, so no classifier can be scored out of fold."]
    notes = []
    if possible < folds:
        notes.append(f"{possible} folds instead of {folds}: the smaller class has {possible} members.")
    splitter: Any = StratifiedKFold if groups is None else StratifiedGroupKFold
    split = splitter(n_splits=possible, shuffle=True, random_state=seed).split(np.zeros(len(truth)), truth, groups)
    numbers = nothing.copy()
    for number, (_, held_out) in enumerate(split):
        numbers[held_out] = number
    return numbers, notes


def obstacle(pipeline: Pipeline, labels: ArrayLike) -> str:
    """Return why the pipeline cannot be fitted on subjects with these labels; empty if it can."""
    smallest = _smallest(binary(labels))
    if smallest == 0:
        return "one class for training"
    if smallest == 1 and "classifier__cv" in pipeline.get_params():
        return "a class with a single member, but the classifier's probabilities need two"
    return ""


def fit(pipeline: Pipeline, features: pd.DataFrame, labels: ArrayLike, *, seed: int = 0) -> tuple[Pipeline, list[str]]:
    """Fit a seeded clone; neighbour and inner-fold counts are reduced if a class is too small (see notes)."""
    truth = binary(labels)
    fresh = clone(pipeline)
    seeds = {name: seed for name in fresh.get_params() if name.endswith("random_state")}
    fresh.set_params(**seeds)
    notes = _shrink(fresh, _smallest(truth))
    fresh.fit(features.to_numpy(dtype=float), truth.astype(int))
    return fresh, notes


def abnormal_probability(fitted: Pipeline, features: pd.DataFrame) -> NDArray:
    """Return the probability of abnormal, shape (subjects,)."""
    column = list(fitted.classes_).index(1)
    return fitted.predict_proba(features.to_numpy(dtype=float))[:, column]


def _smallest(truth: NDArray) -> int:
    return int(min(truth.sum(), (~truth).sum()))


def _shrink(pipeline: Pipeline, smallest: int) -> list[str]:
    notes = []
    parameters = pipeline.get_params()
    # Of SMOTE itself, or of the SMOTE inside another sampler.
    name = next((key for key in ("balancing__k_neighbors", "balancing__smote__k_neighbors") if key in parameters), "")
    neighbours = parameters.get(name)
    if isinstance(neighbours, int) and neighbours >= smallest:
        if smallest < 2:
            pipeline.set_params(balancing="passthrough")
            notes.append("No balancing in a fold whose smaller class has one member.")
        else:
            pipeline.set_params(**{name: smallest - 1})
            notes.append(
                f"Balancing used {smallest - 1} neighbours: the smaller class of a fold has {smallest} members."
            )
    voters = parameters.get("classifier__n_neighbors")
    if isinstance(voters, int) and voters > 2 * smallest:
        # The number of subjects left if balancing reduces the larger class.
        pipeline.set_params(classifier__n_neighbors=2 * smallest)
        notes.append(
            f"The classifier used {2 * smallest} neighbours: the smaller class of a fold has {smallest} members."
        )
    inner = parameters.get("classifier__cv", 0)
    inner = 5 if inner is None else inner  # scikit-learn's default
    if isinstance(inner, int) and inner > smallest >= 2:
        pipeline.set_params(classifier__cv=smallest)
        notes.append(f"Calibration used {smallest} inner folds: the smaller class of a fold has {smallest} members.")
    return notes


def _units(groups: ArrayLike, kind: NDArray) -> int:
    return len(np.unique(np.asarray(groups)[kind]))
