"""Tune a classifier with Optuna, only on the training part of a fold."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import optuna
import pandas as pd
from imblearn.pipeline import Pipeline
from numpy.typing import NDArray
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import MaxTrialsCallback
from optuna.trial import FrozenTrial, Trial, TrialState
from sklearn.base import clone

from brain_cae.errors import StorageError
from brain_cae.estimates import pair_wins
from brain_cae.transfer.fitting import abnormal_probability, fit, make_folds, obstacle

STARTUP_TRIALS: Final = 10
"""Trials drawn at random before the search uses earlier results."""

DONE: Final = (TrialState.COMPLETE, TrialState.PRUNED)


class Tuned(NamedTuple):
    """The result of a search.

    Args:
        pipeline: Unfitted, with the best parameters; unchanged if no trial could be scored.
        trials: One row for each trial: study, trial, state, auroc (mean over the inner folds), parameters (JSON).
        notes: What was not possible, for the reader.
    """

    pipeline: Pipeline
    trials: pd.DataFrame
    notes: list[str]


@dataclass(frozen=True)
class Tuning:
    """A search for a classifier's parameters.

    The search is a tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS) that starts with the classifier's
    current values. A trial whose AUROC after an inner fold is below the median of the earlier trials is pruned.

    Attributes:
        space: For each parameter of the classifier, ``{low, high[, log][, step]}`` or ``{choices}``.
        trials: Total number of trials, over all workers and restarts.
        folds: Inner folds, stratified by label.
        storage: Where the search is stored, so that it can be resumed and shared by several processes: a file (Optuna's
            journal) or the URL of a database. None keeps it in memory.
    """

    space: Mapping[str, Mapping[str, Any]]
    trials: int
    folds: int = 3
    storage: str | None = None
    _opened: dict[str, BaseStorage] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, pipeline: Pipeline, features: pd.DataFrame, truth: NDArray, *, name: str, seed: int) -> Tuned:
        """Search for the best parameters on these subjects only.

        Args:
            pipeline: Unfitted; cloned.
            features: One row per subject of the training part.
            truth: Shape (subjects,), True = abnormal.
            name: Name of the study, for example ``logistic, both, fold 0``. Together with a hash of everything that
                determines the result, it distinguishes the searches in one storage.
            seed: Seed of inner folds, search and classifier.

        Raises:
            StorageError: The storage cannot be opened.
        """
        folds, notes = make_folds(truth, folds=self.folds, seed=seed)
        if folds.max() < 1:
            return Tuned(clone(pipeline), pd.DataFrame(), [f"Not tuned: {notes[0]}"])
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = self._study(f"{name}, {self._digest(pipeline, features, truth, seed)}", seed)
        self._enqueue_current(study, pipeline)

        def objective(trial: Trial) -> float:
            candidate = clone(pipeline).set_params(**self._suggest(trial))
            values: list[float] = []
            for step, value in enumerate(_aurocs(candidate, features, truth, folds, seed)):
                values.append(value)
                trial.report(float(np.mean(values)), step)
                if trial.should_prune():
                    raise optuna.TrialPruned
            if not values:
                raise optuna.TrialPruned
            return float(np.mean(values))

        missing = self.trials - len(study.get_trials(deepcopy=False, states=DONE))
        if missing > 0:
            # Trials of other workers count too, so each worker stops when all of them together have enough.
            study.optimize(objective, n_trials=missing, callbacks=[MaxTrialsCallback(self.trials, states=DONE)])
        return self._result(study, pipeline, name)

    def _study(self, name: str, seed: int) -> optuna.Study:
        storage = self._storage()
        if storage is not None:
            known = {summary.study_name: summary for summary in optuna.get_all_study_summaries(storage)}
            # A worker that joins or resumes must not repeat earlier draws.
            seed += known[name].n_trials if name in known else 0
        return optuna.create_study(
            study_name=name,
            storage=storage,
            load_if_exists=True,
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=STARTUP_TRIALS),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
        )

    def _storage(self) -> BaseStorage | None:
        if self.storage is None:
            return None
        if "storage" not in self._opened:
            try:
                if "://" in self.storage:
                    self._opened["storage"] = optuna.storages.get_storage(self.storage)
                else:
                    self._opened["storage"] = JournalStorage(JournalFileBackend(self.storage))
            except Exception as error:  # every database raises other exception types
                raise StorageError(
                    "The storage of the tuning cannot be opened.",
                    expected="a file in an existing folder, or the URL of a database such as sqlite:///tuning.db",
                    found=f"{type(error).__name__}: {error}".splitlines()[0],
                    where="classifier.tuning.storage",
                ) from error
        return self._opened["storage"]

    def _digest(self, pipeline: Pipeline, features: pd.DataFrame, truth: NDArray, seed: int) -> str:
        """Return a hash of everything that determines the result; a different hash is a different search."""
        content = hashlib.sha256(np.ascontiguousarray(features.to_numpy(dtype=float)).tobytes())
        # The repr of a whole pipeline is truncated to a few lines; that of a single parameter is not.
        parameters = {name: repr(value) for name, value in sorted(pipeline.get_params().items())}
        names = list(map(str, features.columns))
        for item in (names, truth.tolist(), parameters, dict(self.space), self.folds, seed):
            content.update(json.dumps(item, default=str).encode())
        return content.hexdigest()[:12]

    def _enqueue_current(self, study: optuna.Study, pipeline: Pipeline) -> None:
        """Try the classifier's current values first, if all of them lie in the search space."""
        parameters = pipeline.get_params()
        current = {name: parameters[f"classifier__{name}"] for name in self.space}
        if all(_contains(self.space[name], value) for name, value in current.items()):
            study.enqueue_trial(current, skip_if_exists=True)

    def _suggest(self, trial: Trial) -> dict[str, Any]:
        return {f"classifier__{name}": _suggestion(trial, name, dict(values)) for name, values in self.space.items()}

    def _result(self, study: optuna.Study, pipeline: Pipeline, name: str) -> Tuned:
        trials = study.get_trials(deepcopy=False, states=DONE)[: self.trials]
        rows = [
            {
                "study": name,
                "trial": trial.number,
                "state": "complete" if trial.state == TrialState.COMPLETE else "pruned",
                "auroc": trial.value if trial.state == TrialState.COMPLETE else _last_value(trial),
                "parameters": json.dumps(trial.params),
            }
            for trial in trials
        ]
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not complete:
            return Tuned(clone(pipeline), pd.DataFrame(rows), ["Not tuned: no trial could be scored."])
        best = max(complete, key=lambda trial: float(trial.value or 0.0))
        chosen = {f"classifier__{key}": value for key, value in best.params.items()}
        return Tuned(clone(pipeline).set_params(**chosen), pd.DataFrame(rows), [])


def _aurocs(pipeline: Pipeline, features: pd.DataFrame, truth: NDArray, folds: NDArray, seed: int) -> Iterator[float]:
    """Yield the AUROC of each inner fold."""
    for number in range(folds.max() + 1):
        held_out = folds == number
        if not obstacle(pipeline, truth[~held_out]):
            fitted, _ = fit(pipeline, features.loc[~held_out], truth[~held_out], seed=seed)
            values = abnormal_probability(fitted, features.loc[held_out])
            yield float(pair_wins(values[truth[held_out]], values[~truth[held_out]]).mean())


def _suggestion(trial: Trial, name: str, values: dict[str, Any]) -> Any:
    if "choices" in values:
        return trial.suggest_categorical(name, values["choices"])
    whole = isinstance(values["low"], int) and isinstance(values["high"], int)
    return (trial.suggest_int if whole else trial.suggest_float)(name, **values)


def _contains(values: Mapping[str, Any], current: Any) -> bool:
    if "choices" in values:
        return current in values["choices"]
    return isinstance(current, (int, float)) and values["low"] <= current <= values["high"]


def _last_value(trial: FrozenTrial) -> float | None:
    """Return the last intermediate AUROC of a pruned trial."""
    return trial.intermediate_values[max(trial.intermediate_values)] if trial.intermediate_values else None
