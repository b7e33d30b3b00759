"""Out-of-fold probabilities: every subject is judged by a pipeline that never saw it."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from imblearn.pipeline import Pipeline
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from brain_cae.errors import ConfigurationError, DatasetError, LeakageError
from brain_cae.estimates import Estimate, binary, pair_wins, wilson_interval
from brain_cae.estimates import undefined as undefined_estimate
from brain_cae.transfer.pipeline import count_unreached, harmonise_notes, is_fitted

if TYPE_CHECKING:
    from brain_cae.transfer.tuning import Tuning


class Crossfit(NamedTuple):
    """Out-of-fold predictions.

    Args:
        probabilities: Shape (subjects,), probability of abnormal; NaN throughout when undefined.
        folds: Shape (subjects,), fold in which the subject was held out; -1 when undefined.
        notes: What was changed or not possible, in plain words.
        trials: Of the tuning in each fold, see :class:`brain_cae.transfer.tuning.Tuned`; empty without tuning.
    """

    probabilities: NDArray
    folds: NDArray
    notes: list[str]
    trials: pd.DataFrame = pd.DataFrame()

    @property
    def defined(self) -> bool:
        """Whether there are predictions."""
        return bool(np.isfinite(self.probabilities).any())


def make_folds(
    labels: ArrayLike, *, folds: int, seed: int, groups: ArrayLike | None = None
) -> tuple[NDArray, list[str]]:
    """Assign every subject to one fold, stratified by label; rows of one group stay together.

    Args:
        labels: Shape (subjects,), two kinds.
        folds: Number of folds asked for; fewer are made where a class (or its groups) has fewer members.
        seed: Seed of the shuffling.
        groups: Shape (subjects,), for example one person's several sessions.

    Returns:
        Fold numbers, shape (subjects,), all -1 where no split into two folds is possible; and notes.
    """
    truth = binary(labels)
    if folds < 2:
        raise ConfigurationError(
            "Cross-fitting needs at least two folds.", expected="2 or more", found=str(folds), where="folds"
        )
    nothing = np.full(len(truth), -1)
    if truth.all() or not truth.any():
        return nothing, ["All subjects carry one label, so no classifier can be scored."]
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


def crossfit(
    pipeline: Pipeline,
    features: pd.DataFrame,
    labels: ArrayLike,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: ArrayLike | None = None,
    tuning: "Tuning | None" = None,
    name: str = "",
) -> Crossfit:
    """Probability of abnormal for every subject, each from a fresh clone of the pipeline fitted on the other folds.

    Imputer, scaler and balancing are steps of the pipeline and therefore fitted inside each fold: by construction
    nothing of a held-out subject reaches them.

    Args:
        pipeline: Unfitted, from :func:`brain_cae.transfer.pipeline.build_pipeline`.
        features: One row per subject.
        labels: Shape (subjects,), 1/True/"abnormal" or 0/False/"healthy".
        folds: Number of folds asked for; see ``notes`` of the answer when fewer were possible.
        seed: Seeds folds, balancing and classifier alike.
        groups: Shape (subjects,), rows that must not be separated.
        tuning: Searches the classifier's parameters anew in each fold's training part.
        name: Of what is tuned.

    Raises:
        LeakageError: The pipeline was fitted before.
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
    """Of a predictor that says the same of everybody in a fold, the share of abnormal subjects; of others, no change.

    What it says differs between folds because these differ by a subject: a fold with one abnormal subject more leaves
    one less to learn from. So a constant would rank the abnormal lower, and its AUROC would be well below 0.5.

    Args:
        probabilities: Shape (subjects,), each from what was fitted on the other folds; NaN where there is none.
        folds: Shape (subjects,), numbers.
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
    tuning: "Tuning | None" = None,
    name: str = "",
) -> tuple[Crossfit, Pipeline | None]:
    """Tune and fit on the subjects outside ``test``, predict those inside it.

    Returns:
        Predictions (NaN and fold -1 outside ``test``; fold 0 inside) and the fitted pipeline, ``None`` when the
        training part holds one class only. Errors as for :func:`crossfit`.
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
        note = f"The training part holds {reason}: no classifier can be fitted."
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
    tuning: "Tuning | None" = None,
    name: str = "",
) -> tuple[Pipeline, list[str], pd.DataFrame]:
    """Like :func:`fit`, with the parameters that the search finds on the same subjects; and the search's trials."""
    truth = binary(labels)
    notes: list[str] = []
    trials = pd.DataFrame()
    if tuning is not None:
        pipeline, trials, notes = tuning(pipeline, features, truth, name=name, seed=seed)
    fitted, changes = fit(pipeline, features, truth, seed=seed)
    return fitted, [*notes, *changes], trials


def fit(pipeline: Pipeline, features: pd.DataFrame, labels: ArrayLike, *, seed: int = 0) -> tuple[Pipeline, list[str]]:
    """Fit a seeded clone; neighbour and inner-fold counts shrink where a class is too small (notes say so)."""
    truth = binary(labels)
    fresh = clone(pipeline)
    seeds = {name: seed for name in fresh.get_params() if name.endswith("random_state")}
    fresh.set_params(**seeds)
    notes = _shrink(fresh, _smallest(truth))
    fresh.fit(features.to_numpy(dtype=float), truth.astype(int))
    return fresh, notes


def abnormal_probability(fitted: Pipeline, features: pd.DataFrame) -> NDArray:
    """Probability of abnormal, shape (subjects,)."""
    column = list(fitted.classes_).index(1)
    return fitted.predict_proba(features.to_numpy(dtype=float))[:, column]


def permutation_p(
    pipeline: Pipeline,
    features: pd.DataFrame,
    labels: ArrayLike,
    *,
    folds: int = 5,
    seed: int = 0,
    groups: ArrayLike | None = None,
    permutations: int = 200,
    observed: float | None = None,
) -> Estimate:
    """How often shuffled labels reach the out-of-fold AUROC: p = (1 + #(null >= observed)) / (permutations + 1).

    The labels are shuffled before the whole cross-fitting, so folds, scaler and balancing are repeated for each one
    (Ojala and Garriga 2010, JMLR 11:1833, test 1). With groups whose rows share one label, whole groups are shuffled.
    ``low`` and ``high`` give the Monte Carlo uncertainty of p.

    Args:
        pipeline, features, labels, folds, seed, groups: As for :func:`crossfit`.
        permutations: How often.
        observed: The AUROC of the tuned pipeline, where it was tuned. The shuffled labels are then learnt with the
            parameters as given, since two hundred searches would take hours; a search knows no held-out label, so
            the null stays around one half, but its spread is that of the pipeline without tuning.
    """
    truth = binary(labels)
    n, positives = len(truth), int(truth.sum())
    tuned = observed is not None
    if observed is None:
        observed = _auroc(
            truth, crossfit(pipeline, features, truth, folds=folds, seed=seed, groups=groups).probabilities
        )
    if observed is None:
        return undefined_estimate("no out-of-fold prediction", n=n, n_positive=positives)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(permutations):
        shuffled = _shuffle(truth, groups, rng)
        out = crossfit(pipeline, features, shuffled, folds=folds, seed=seed, groups=groups)
        null.append(_auroc(shuffled, out.probabilities))
    method = f"permutation of labels through the whole cross-fitting ({permutations}); interval: Monte Carlo error"
    method += "; shuffled labels learnt without tuning" if tuned else ""
    return _p_value(observed, null, n, positives, method)


def permutation_p_of_predictions(
    labels: ArrayLike, probabilities: ArrayLike, folds: ArrayLike, *, seed: int = 0, permutations: int = 200
) -> Estimate:
    """The same for predictions that stay as they are: labels are shuffled within each fold that was held out.

    For one held-out set this is the exact test of independence of prediction and label. Over several folds it is
    nearly so: a subject's label has also taught the other folds' models.

    Args:
        labels: Shape (subjects,), as for :func:`crossfit`.
        probabilities: Shape (subjects,), finite.
        folds: Shape (subjects,), in which fold each was held out.
        seed: Of the shuffling.
        permutations: How often.
    """
    truth, values, numbers = binary(labels), np.asarray(probabilities, dtype=float), np.asarray(folds, dtype=int)
    n, positives = len(truth), int(truth.sum())
    observed = _auroc(truth, values)
    if observed is None:
        return undefined_estimate("no held-out prediction of both classes", n=n, n_positive=positives)
    rng = np.random.default_rng(seed)
    null = []
    for _ in range(permutations):
        shuffled = truth.copy()
        for number in np.unique(numbers):
            shuffled[numbers == number] = rng.permutation(truth[numbers == number])
        null.append(_auroc(shuffled, values))
    method = f"permutation of labels against fixed predictions ({permutations}); interval: Monte Carlo error"
    return _p_value(observed, null, n, positives, method)


def _p_value(observed: float, null: list[float | None], n: int, positives: int, method: str) -> Estimate:
    reached = sum(entry is not None and entry >= observed - 1e-12 for entry in null)
    p = (1 + reached) / (len(null) + 1)
    low, high = wilson_interval(p * len(null), len(null))
    return Estimate(p, low, high, n, positives, method)


def _refuse_unsafe(pipeline: Any) -> None:
    if not isinstance(pipeline, Pipeline) or "scaler" not in dict(pipeline.steps):
        raise ConfigurationError(
            "Cross-fitting needs a whole pipeline, so that scaling and balancing are fitted inside each fold.",
            expected="the answer of build_pipeline(classifier, balancing)",
            found=type(pipeline).__name__,
        )
    if is_fitted(pipeline):
        raise LeakageError(
            "The pipeline was fitted before cross-fitting, so it may have seen the held-out subjects.",
            expected="an unfitted pipeline",
            advice="Hand over build_pipeline(...) itself; it is cloned and fitted in each fold.",
        )


def obstacle(pipeline: Pipeline, labels: ArrayLike) -> str:
    """Why the pipeline cannot be fitted on subjects with these labels; empty where it can."""
    smallest = _smallest(binary(labels))
    if smallest == 0:
        return "one class for training"
    if smallest == 1 and "classifier__cv" in pipeline.get_params():
        return "a class with a single member, and the classifier's probabilities need two"
    return ""


def _smallest(truth: NDArray) -> int:
    return int(min(truth.sum(), (~truth).sum()))


def _shrink(pipeline: Pipeline, smallest: int) -> list[str]:
    notes = []
    parameters = pipeline.get_params()
    # SMOTE's own, or that of the SMOTE inside another sampler.
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
        # As many as are left when balancing takes the larger class down.
        pipeline.set_params(classifier__n_neighbors=2 * smallest)
        notes.append(
            f"The classifier asked {2 * smallest} neighbours: the smaller class of a fold has {smallest} members."
        )
    inner = parameters.get("classifier__cv", 0)
    inner = 5 if inner is None else inner  # what scikit-learn takes where none is named
    if isinstance(inner, int) and inner > smallest >= 2:
        pipeline.set_params(classifier__cv=smallest)
        notes.append(f"Calibration used {smallest} inner folds: the smaller class of a fold has {smallest} members.")
    return notes


def _units(groups: ArrayLike, kind: NDArray) -> int:
    return len(np.unique(np.asarray(groups)[kind]))


def _shuffle(truth: NDArray, groups: ArrayLike | None, rng: np.random.Generator) -> NDArray:
    if groups is None:
        return rng.permutation(truth)
    _, first, member = np.unique(np.asarray(groups), return_index=True, return_inverse=True)
    if (truth[first][member] != truth).any():
        return rng.permutation(truth)
    return rng.permutation(truth[first])[member]


def _auroc(truth: NDArray, probabilities: NDArray) -> float | None:
    known = np.isfinite(probabilities)
    positive, negative = probabilities[known & truth], probabilities[known & ~truth]
    if not len(positive) or not len(negative):
        return None
    return float(pair_wins(positive, negative).mean())
