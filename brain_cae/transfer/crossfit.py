"""Out-of-fold probabilities: every subject is predicted by a pipeline that was fitted without it."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from numpy.typing import ArrayLike, NDArray

from brain_cae.errors import ConfigurationError, DatasetError, LeakageError
from brain_cae.estimates import binary
from brain_cae.transfer.fitting import abnormal_probability, fit, make_folds, obstacle
from brain_cae.transfer.pipeline import count_unreached, harmonise_notes, is_fitted
from brain_cae.transfer.tuning import Tuning


class Crossfit(NamedTuple):
    """Out-of-fold predictions.

    Args:
        probabilities: Shape (subjects,), probability of abnormal; NaN throughout when undefined.
        folds: Shape (subjects,), fold in which the subject was held out; -1 when undefined.
        notes: What was changed or not possible, for the reader.
        trials: Tuning trials of each fold, see :class:`brain_cae.transfer.tuning.Tuned`; empty without tuning.
    """

    probabilities: NDArray
    folds: NDArray
    notes: list[str]
    trials: pd.DataFrame = pd.DataFrame()

    @property
    def defined(self) -> bool:
        """Whether there are predictions."""
        return bool(np.isfinite(self.probabilities).any())


def crossfit(
    pipeline: Pipeline,
    features: pd.DataFrame,
    labels: ArrayLike,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: ArrayLike | None = None,
    tuning: Tuning | None = None,
    name: str = "",
) -> Crossfit:
    """Predict the probability of abnormal for every subject, by a clone of the pipeline fitted on the other folds.

    Imputer, scaler and balancing are steps of the pipeline and therefore fitted inside each fold: by construction
    they never see a held-out subject.

    Args:
        pipeline: Unfitted, from :func:`brain_cae.transfer.pipeline.build_pipeline`.
        features: One row per subject.
        labels: Shape (subjects,), 1/True/"abnormal" or 0/False/"healthy".
        folds: Number of folds; the result's ``notes`` say if fewer were possible.
        seed: Seed of folds, balancing and classifier.
        groups: Shape (subjects,), rows that must not be separated.
        tuning: Search for the classifier's parameters, repeated in each fold's training part.
        name: Name of the tuning study.

    Raises:
        LeakageError: The pipeline is already fitted.
        ConfigurationError: Not a pipeline with a scaler.
        DatasetError: Features and labels differ in length.
    """
    _refuse_unsafe(pipeline)
    truth = binary(labels)
    if len(features) != len(truth):
        raise DatasetError("Features and labels differ in length.", expected=str(len(truth)), found=str(len(features)))
    numbers, notes = make_folds(truth, folds=folds, seed=seed, groups=groups)
    probabilities, unreached = np.full(len(truth), np.nan), 0
    trials = []
    for number in range(numbers.max() + 1):
        held_out = numbers == number
        inside = ~held_out
        if reason := obstacle(pipeline, truth[inside]):
            notes.append(f"Fold {number} leaves {reason}; its subjects have no prediction.")
            continue
        fitted, changes, searched = tune_and_fit(
            pipeline, features.loc[inside], truth[inside], seed=seed, tuning=tuning, name=f"{name}, fold {number}"
        )
        trials.append(searched)
        notes += [change for change in changes if change not in notes]
        probabilities[held_out] = abnormal_probability(fitted, features.loc[held_out])
        unreached += count_unreached(fitted, features.loc[held_out])
    notes += harmonise_notes(pipeline, unreached, int(np.isfinite(probabilities).sum()))
    probabilities = without_sizes(probabilities, numbers, truth)
    return Crossfit(probabilities, numbers, notes, pd.concat(trials) if trials else pd.DataFrame())


def without_sizes(probabilities: ArrayLike, folds: ArrayLike, labels: ArrayLike) -> np.ndarray:
    """Replace predictions that are constant within each fold by the share of abnormal subjects; leave others unchanged.

    A constant predictor differs between folds because fold sizes differ: a fold with one more abnormal subject leaves
    one fewer for training. It would therefore rank abnormal subjects lower, with an AUROC well below 0.5.

    Args:
        probabilities: Shape (subjects,), out of fold; NaN if there is none.
        folds: Shape (subjects,), fold numbers.
        labels: Shape (subjects,), as for :func:`crossfit`.
    """
    values, numbers, truth = np.asarray(probabilities, dtype=float), np.asarray(folds), binary(labels)
    known = np.isfinite(values)
    parts = [values[known & (numbers == number)] for number in set(numbers[known])]
    if len(parts) < 2 or any(np.ptp(part) > 0 for part in parts) or np.ptp(values[known]) == 0:
        return values
    return np.where(known, truth[known].mean(), np.nan)


def holdout(
    pipeline: Pipeline,
    features: pd.DataFrame,
    labels: ArrayLike,
    *,
    test: ArrayLike,
    seed: int = 0,
    tuning: Tuning | None = None,
    name: str = "",
) -> tuple[Crossfit, Pipeline | None]:
    """Tune and fit on the subjects outside ``test``, predict those inside it.

    Returns:
        Predictions (NaN and fold -1 outside ``test``; fold 0 inside) and the fitted pipeline, ``None`` if the
        training part has only one class. Errors as for :func:`crossfit`.
    """
    _refuse_unsafe(pipeline)
    truth, held_out = binary(labels), np.asarray(test, dtype=bool)
    if not len(features) == len(truth) == len(held_out):
        raise DatasetError(
            "Features, labels and test differ in length.", expected=str(len(truth)), found=str(len(features))
        )
    inside = ~held_out
    probabilities = np.full(len(truth), np.nan)
    if reason := obstacle(pipeline, truth[inside]):
        note = f"The training part has {reason}: no classifier can be fitted."
        return Crossfit(probabilities, np.full(len(truth), -1), [note]), None
    fitted, notes, trials = tune_and_fit(
        pipeline, features.loc[inside], truth[inside], seed=seed, tuning=tuning, name=f"{name}, training part"
    )
    if held_out.any():
        probabilities[held_out] = abnormal_probability(fitted, features.loc[held_out])
        unreached = count_unreached(fitted, features.loc[held_out])
        notes += harmonise_notes(fitted, unreached, int(held_out.sum()))
    return Crossfit(probabilities, np.where(held_out, 0, -1), notes, trials), fitted


def tune_and_fit(
    pipeline: Pipeline,
    features: pd.DataFrame,
    labels: ArrayLike,
    *,
    seed: int = 0,
    tuning: Tuning | None = None,
    name: str = "",
) -> tuple[Pipeline, list[str], pd.DataFrame]:
    """Tune and fit the pipeline on the same subjects.

    Returns:
        As :func:`brain_cae.transfer.fitting.fit`, and the search's trials.
    """
    truth = binary(labels)
    notes: list[str] = []
    trials = pd.DataFrame()
    if tuning is not None:
        pipeline, trials, notes = tuning(pipeline, features, truth, name=name, seed=seed)
    fitted, changes = fit(pipeline, features, truth, seed=seed)
    return fitted, [*notes, *changes], trials


def _refuse_unsafe(pipeline: Any) -> None:
    if not isinstance(pipeline, Pipeline) or "scaler" not in dict(pipeline.steps):
        raise ConfigurationError(
            "Cross-fitting needs a whole pipeline, so that scaling and balancing are fitted inside each fold.",
            expected="the result of build_pipeline(classifier, balancing)",
            found=type(pipeline).__name__,
        )
    if is_fitted(pipeline):
        raise LeakageError(
            "The pipeline was fitted before cross-fitting, so it may have seen the held-out subjects.",
            expected="an unfitted pipeline",
            advice="Pass the result of build_pipeline(...); it is cloned and fitted in each fold.",
        )
