"""Task transfer: features of the encoder and of the residual, ordinary classifiers, out-of-fold predictions."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from imblearn.pipeline import Pipeline

from brain_cae import estimates
from brain_cae.configuration import Classifier, Config, classifier_option
from brain_cae.detector.build import make_feature_harmoniser
from brain_cae.stages.records import TransferMetrics
from brain_cae.stages.transfer_metrics import applied_metrics, compared_metrics, searches
from brain_cae.transfer.crossfit import Crossfit, crossfit, holdout, tune_and_fit, without_sizes
from brain_cae.transfer.features import ARMS, select_arm, usable
from brain_cae.transfer.fitting import abnormal_probability, obstacle
from brain_cae.transfer.permutation import permutation_p, permutation_p_of_predictions
from brain_cae.transfer.pipeline import build_pipeline, count_unreached, harmonise_notes
from brain_cae.transfer.tuning import Tuning


@dataclass(frozen=True)
class Transfer:
    """What the transfer classifier says.

    Attributes:
        probabilities: Of ``abnormal``, by subject; NaN where there is none.
        folds: In which fold each subject was held out, by subject; missing where it was not.
        metrics: The section ``transfer`` of ``metrics.json``.
        arms: Probabilities of everything that was compared, by subject: a column ``<features>`` for each arm of
            features of the chosen classifier, ``<features>.<classifier>`` of the others.
        trials: Of every search for parameters, see :class:`brain_cae.transfer.tuning.Tuned`; empty without tuning.
    """

    probabilities: pd.Series
    folds: pd.Series
    metrics: TransferMetrics
    arms: pd.DataFrame
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)

    def with_trials(self, trials: pd.DataFrame) -> "Transfer":
        """The same, with the trials of one more search."""
        together = pd.concat([self.trials, trials], ignore_index=True)
        return replace(self, trials=together, metrics=replace(self.metrics, tuning=searches(together)))


@dataclass(frozen=True)
class PatientClassifier:
    """The classifier for new patients.

    Attributes:
        pipeline: Fitted.
        taught: The labelled subjects that it has learnt from: all of them, but those of a held-out protocol.
        trials: Of its search for parameters; empty without tuning.
    """

    pipeline: Pipeline
    taught: list[str]
    trials: pd.DataFrame


def apply_classifier(
    config: Config, classifier: Pipeline | None, table: pd.DataFrame, features: pd.DataFrame, *, learnt: set[str]
) -> Transfer:
    """Apply a stored classifier to new subjects; nothing is fitted.

    Args:
        config: Of the run that the classifier comes from.
        classifier: Fitted; None gives no probability.
        table: Column label, indexed by subject.
        features: One row per subject, same index, with the columns that the harmonising step takes off.
        learnt: Subjects that the classifier has learnt from: they get no probability, and no figure counts them.
    """
    levels = config.features.levels
    features, faults = usable(select_arm(features, "both", levels))
    labels = table.loc[table["label"] != "unknown", "label"]
    probabilities, notes = pd.Series(float("nan"), index=table.index), []
    if classifier is not None:
        arm = select_arm(features, config.features.name, levels)
        notes = harmonise_notes(classifier, count_unreached(classifier, arm), len(arm))
        probabilities = pd.Series(abnormal_probability(classifier, arm), index=table.index)
        probabilities[table.index.isin(learnt)] = float("nan")
    return Transfer(
        probabilities,
        pd.Series(pd.NA, index=table.index, dtype="Int64"),
        applied_metrics(config, labels, probabilities[labels.index], [*faults, *notes]),
        probabilities.to_frame(config.features.name),
    )


def predict_unseen(config: Config, table: pd.DataFrame, features: pd.DataFrame) -> Transfer:
    """Predict every subject out of fold, or those held out, from features of a network that never saw it.

    Args:
        config: Names features, classifier, balancing and evaluation, and what is compared.
        table: Columns label, role, and ``score.<scorer>`` for each of ``scoring.scores``, indexed by subject.
        features: One row per subject, same index, with the columns that the harmonising step takes off.
    """
    features, faults = usable(select_arm(features, "both", config.features.levels))
    known = table.index[table["label"] != "unknown"]
    labels, roles = table.loc[known, "label"], table.loc[known, "role"]
    candidates = [
        Candidate(config, classifier, arm, select_arm(features.loc[known], arm, config.features.levels))
        for classifier in (config.classifier, *_compared(config))
        for arm in ARMS
    ]
    outcomes = [candidate.predict(labels, roles) for candidate in candidates]
    chosen, outcome = next(
        pair
        for pair in zip(candidates, outcomes, strict=True)
        if pair[0].classifier is config.classifier and pair[0].features == config.features.name
    )
    scored = roles == "test" if _is_holdout(config) else pd.Series(True, index=known)
    probabilities = pd.Series(float("nan"), index=table.index)
    probabilities.loc[known] = outcome.probabilities
    folds = pd.Series(outcome.folds, index=known).replace(-1, pd.NA).astype("Int64").reindex(table.index)
    arms = pd.DataFrame(
        {candidate.column: other.probabilities for candidate, other in zip(candidates, outcomes, strict=True)},
        index=known,
    )
    trials = pd.concat([other.trials for other in outcomes], ignore_index=True)
    metrics = compared_metrics(config, table.loc[known][scored], arms[scored], [*faults, *outcome.notes], trials)
    metrics = replace(
        metrics, permutation_p=_permuted(chosen, outcome, labels, observed=metrics.figures["auroc"].value)
    )
    return Transfer(probabilities, folds, metrics, arms.reindex(table.index), trials)


def fit_for_patients(config: Config, table: pd.DataFrame, features: pd.DataFrame) -> PatientClassifier | None:
    """Tune and fit the classifier for new patients on the labelled subjects; None without both classes.

    Arguments are those of :func:`predict_unseen`. Nobody of a held-out protocol teaches it.
    """
    features, _ = usable(select_arm(features, "both", config.features.levels))
    known = table[table["label"] != "unknown"]
    labels = known.loc[known["role"] == "classifier", "label"] if config.split.holds_out_protocol else known["label"]
    arm = select_arm(features.loc[known.index], config.features.name, config.features.levels)
    candidate = Candidate(config, config.classifier, config.features.name, arm)
    if labels.empty or obstacle(candidate.pipeline, labels):
        return None
    pipeline, _, trials = candidate.fit(labels)
    return PatientClassifier(pipeline, labels.index.tolist(), trials)


def pooled(config: Config, table: pd.DataFrame, parts: list[Transfer]) -> Transfer:
    """What several outer folds' classifiers say, each of the subjects that it has not seen.

    Args:
        config: Of the run.
        table: As for :func:`predict_unseen`, with ``fold``: the subjects of all folds.
        parts: Of each fold; it may say more than ``table`` asks for.
    """
    arms = pd.concat([part.arms.loc[table.index[table["fold"] == number]] for number, part in enumerate(parts)])
    known = table["label"] != "unknown"
    labels, folds = table.loc[known, "label"], table.loc[known, "fold"]
    arms = arms.loc[labels.index].apply(lambda column: without_sizes(column, folds, labels)).reindex(table.index)
    probabilities = arms[config.features.name]
    notes = list(dict.fromkeys(note for part in parts for note in part.metrics.notes))
    named = [
        part.trials.assign(study=part.trials["study"] + f" of outer fold {number}")
        for number, part in enumerate(parts)
        if not part.trials.empty
    ]
    trials = pd.concat(named or [pd.DataFrame()], ignore_index=True)
    metrics = compared_metrics(config, table[known], arms[known], notes, trials)
    metrics = replace(metrics, permutation_p=_fixed_p(config, labels, probabilities[known], folds))
    return Transfer(probabilities, table["fold"], metrics, arms, trials)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A classifier with an arm of features: the chosen one, or one that is compared with it.

    Attributes:
        config: Of the run: balancing, protocol of evaluation, seed, and how long the search for parameters is, which
            is the same for all that are compared.
        classifier: With its estimator and its space of parameters.
        features: Name of the arm.
        values: One row per labelled subject.
    """

    config: Config
    classifier: Classifier
    features: str
    values: pd.DataFrame

    @property
    def column(self) -> str:
        """Its name in the table of probabilities."""
        return self.features if self.classifier is self.config.classifier else f"{self.features}.{self.classifier.name}"

    @property
    def pipeline(self) -> Pipeline:
        """Imputer, scaler, balancing and classifier, unfitted."""
        sampler = self.config.balancing.sampler
        return build_pipeline(
            instantiate(self.classifier.estimator, _convert_="all"),
            instantiate(sampler, _convert_="all") if sampler else None,
            harmonise=make_feature_harmoniser(self.config),
        )

    def predict(self, labels: pd.Series, roles: pd.Series) -> Crossfit:
        """Out-of-fold or held-out probabilities."""
        config = self.config
        if labels.empty:
            return Crossfit(np.empty(0), np.empty(0, int), ["No subject outside train and validation has a label."])
        if _is_holdout(config):
            test = (roles == "test").to_numpy()
            return holdout(self.pipeline, self.values, labels, test=test, **self._search)[0]
        return crossfit(self.pipeline, self.values, labels, folds=config.evaluation.folds, **self._search)

    def fit(self, labels: pd.Series) -> tuple[Pipeline, list[str], pd.DataFrame]:
        """The classifier for new patients, tuned and fitted on all of these labelled subjects; notes; trials."""
        return tune_and_fit(
            self.pipeline, self.values.loc[labels.index], labels, **self._search | {"name": f"{self._name}, everybody"}
        )

    @property
    def _name(self) -> str:
        return f"{self.classifier.name}, {self.features}"

    @property
    def _search(self) -> dict[str, Any]:
        settings, space = self.config.classifier.tuning, self.classifier.tuning.space
        tuning = None
        if settings.trials and space:
            tuning = Tuning(space, settings.trials, settings.folds, settings.storage)
        return {"tuning": tuning, "name": self._name, "seed": self.config.seed}


def _is_holdout(config: Config) -> bool:
    """A held-out protocol leaves no choice: cross-fitting would teach the classifier its subjects."""
    return config.evaluation.holds_out or config.split.holds_out_protocol


def _compared(config: Config) -> list[Classifier]:
    names = dict.fromkeys(config.transfer.compare)
    return [classifier_option(name) for name in names if name != config.classifier.name]


def _permuted(chosen: Candidate, outcome: Crossfit, labels: pd.Series, *, observed: float | None) -> estimates.Estimate:
    config = chosen.config
    if not outcome.defined:
        return estimates.undefined("no prediction to permute", n=len(labels))
    if _is_holdout(config):
        values = pd.Series(outcome.probabilities, index=labels.index)
        return _fixed_p(config, labels, values, pd.Series(0, index=labels.index))
    return permutation_p(
        chosen.pipeline,
        chosen.values,
        labels,
        folds=config.evaluation.folds,
        seed=config.seed,
        permutations=config.evaluation.permutations,
        observed=observed if config.classifier.tuning.trials else None,
    )


def _fixed_p(config: Config, labels: pd.Series, probabilities: pd.Series, folds: pd.Series) -> estimates.Estimate:
    known = probabilities.notna()
    return permutation_p_of_predictions(
        labels[known],
        probabilities[known],
        folds[known],
        seed=config.seed,
        permutations=config.evaluation.permutations,
    )
