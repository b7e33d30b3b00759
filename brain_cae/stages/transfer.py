"""Transfer: standard classifiers on features of the encoder and the residual, with out-of-fold predictions."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from imblearn.pipeline import Pipeline

from brain_cae import estimates
from brain_cae.configuration import Classifier
from brain_cae.stages.records import TransferMetrics
from brain_cae.stages.roles import FOLDS
from brain_cae.stages.transfer_metrics import applied_metrics, compared_metrics, searches
from brain_cae.stages.transfer_plan import TransferPlan
from brain_cae.transfer.crossfit import Crossfit, crossfit, holdout, tune_and_fit, without_sizes
from brain_cae.transfer.features import ARMS, select_arm, usable
from brain_cae.transfer.fitting import abnormal_probability, obstacle
from brain_cae.transfer.permutation import permutation_p, permutation_p_of_predictions
from brain_cae.transfer.pipeline import build_pipeline, count_unreached, harmonise_notes
from brain_cae.transfer.tuning import Tuning
from brain_cae.vocabulary import CLASSES


@dataclass(frozen=True)
class Transfer:
    """Result of the transfer classifier.

    Attributes:
        probabilities: Probability of ``abnormal`` by subject; NaN if there is no prediction.
        folds: Fold in which each subject was held out, by subject; missing if it was not held out.
        metrics: The section ``transfer`` of ``metrics.json``.
        arms: Probabilities of all compared classifiers, by subject: a column ``<features>`` for each feature arm of
            the chosen classifier, ``<features>.<classifier>`` for the others.
        trials: Trials of all searches, see :class:`brain_cae.transfer.tuning.Tuned`; empty without tuning.
    """

    probabilities: pd.Series
    folds: pd.Series
    metrics: TransferMetrics
    arms: pd.DataFrame
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)

    def with_trials(self, trials: pd.DataFrame) -> "Transfer":
        """Return the result with the trials of one more search."""
        together = pd.concat([self.trials, trials], ignore_index=True)
        return replace(self, trials=together, metrics=replace(self.metrics, tuning=searches(together)))


@dataclass(frozen=True)
class PatientClassifier:
    """The classifier for new patients.

    Attributes:
        pipeline: Fitted pipeline.
        training_subjects: All labelled subjects except those of a held-out protocol.
        trials: Trials of its hyperparameter search; empty without tuning.
    """

    pipeline: Pipeline
    training_subjects: list[str]
    trials: pd.DataFrame


def apply_classifier(
    plan: TransferPlan,
    classifier: Pipeline | None,
    table: pd.DataFrame,
    features: pd.DataFrame,
    *,
    training_subjects: set[str],
) -> Transfer:
    """Apply a stored classifier to new subjects; nothing is fitted.

    Args:
        plan: Transfer plan of the run of the classifier.
        classifier: Fitted pipeline; None gives no probabilities.
        table: Column label, indexed by subject.
        features: One row per subject, same index, with the acquisition columns for the harmonisation step.
        training_subjects: Training subjects of the classifier: they have no probability and are not used for figures.
    """
    levels = plan.features.levels
    features, faults = usable(select_arm(features, "both", levels))
    labels = table.loc[table["label"] != "unknown", "label"]
    probabilities, notes = pd.Series(float("nan"), index=table.index), []
    if classifier is not None:
        arm = select_arm(features, plan.features.name, levels)
        notes = harmonise_notes(classifier, count_unreached(classifier, arm), len(arm))
        probabilities = pd.Series(abnormal_probability(classifier, arm), index=table.index)
        probabilities[table.index.isin(training_subjects)] = float("nan")
    return Transfer(
        probabilities,
        pd.Series(pd.NA, index=table.index, dtype="Int64"),
        applied_metrics(plan, labels, probabilities[labels.index], [*faults, *notes]),
        probabilities.to_frame(plan.features.name),
    )


def predict_unseen(plan: TransferPlan, table: pd.DataFrame, features: pd.DataFrame) -> Transfer:
    """Predict all subjects out of fold, or those held out, from features of a network that has not seen them.

    Args:
        plan: Features, classifiers, balancing and evaluation.
        table: Columns label, role, and ``score.<scorer>`` for each of ``plan.scores``, indexed by subject.
        features: One row per subject, same index, with the acquisition columns for the harmonisation step.
    """
    features, faults = usable(select_arm(features, "both", plan.features.levels))
    known = table.index[table["label"] != "unknown"]
    labels, roles = table.loc[known, "label"], table.loc[known, "role"]
    candidates = [
        Candidate(plan, classifier, arm, select_arm(features.loc[known], arm, plan.features.levels))
        for classifier in plan.classifiers
        for arm in ARMS
    ]
    outcomes = [candidate.predict(labels, roles) for candidate in candidates]
    chosen, outcome = next(
        pair
        for pair in zip(candidates, outcomes, strict=True)
        if pair[0].classifier is plan.classifier and pair[0].features == plan.features.name
    )
    scored = roles == "test" if plan.holds_out else pd.Series(True, index=known)
    probabilities = pd.Series(float("nan"), index=table.index)
    probabilities.loc[known] = outcome.probabilities
    folds = pd.Series(outcome.folds, index=known).replace(-1, pd.NA).astype("Int64").reindex(table.index)
    arms = pd.DataFrame(
        {candidate.column: other.probabilities for candidate, other in zip(candidates, outcomes, strict=True)},
        index=known,
    )
    trials = pd.concat([other.trials for other in outcomes], ignore_index=True)
    metrics = compared_metrics(plan, table.loc[known][scored], arms[scored], [*faults, *outcome.notes], trials)
    metrics = replace(
        metrics, permutation_p=_permutation_p(chosen, outcome, labels, observed=metrics.figures["auroc"].value)
    )
    return Transfer(probabilities, folds, metrics, arms.reindex(table.index), trials)


def fit_for_patients(plan: TransferPlan, table: pd.DataFrame, features: pd.DataFrame) -> PatientClassifier | None:
    """Tune and fit the classifier for new patients on the labelled subjects.

    None without both classes, and with one member of a class, where no prediction out of fold could test it.
    The arguments are those of :func:`predict_unseen`. Subjects of a held-out protocol are not used.
    """
    features, _ = usable(select_arm(features, "both", plan.features.levels))
    known = table[table["label"] != "unknown"]
    labels = known.loc[known["role"] == "classifier", "label"] if plan.holds_out_protocol else known["label"]
    arm = select_arm(features.loc[known.index], plan.features.name, plan.features.levels)
    candidate = Candidate(plan, plan.classifier, plan.features.name, arm)
    untested = not plan.holds_out and labels.value_counts().reindex(CLASSES, fill_value=0).min() < FOLDS
    if labels.empty or untested or obstacle(candidate.pipeline, labels):
        return None
    pipeline, _, trials = candidate.fit(labels)
    return PatientClassifier(pipeline, labels.index.tolist(), trials)


def pooled(plan: TransferPlan, table: pd.DataFrame, parts: list[Transfer]) -> Transfer:
    """Return the pooled results of the outer folds, in which each subject is classified by the fold that held it out.

    Args:
        plan: Transfer plan of the run.
        table: Subjects of all folds, as for :func:`predict_unseen`, with ``fold``.
        parts: Result of each fold; it can have more subjects than ``table``.
    """
    arms = pd.concat([part.arms.loc[table.index[table["fold"] == number]] for number, part in enumerate(parts)])
    known = table["label"] != "unknown"
    labels, folds = table.loc[known, "label"], table.loc[known, "fold"]
    arms = arms.loc[labels.index].apply(lambda column: without_sizes(column, folds, labels)).reindex(table.index)
    probabilities = arms[plan.features.name]
    notes = list(dict.fromkeys(note for part in parts for note in part.metrics.notes))
    trials_by_fold = [
        part.trials.assign(study=part.trials["study"] + f" of outer fold {number}")
        for number, part in enumerate(parts)
        if not part.trials.empty
    ]
    trials = pd.concat(trials_by_fold or [pd.DataFrame()], ignore_index=True)
    metrics = compared_metrics(plan, table[known], arms[known], notes, trials)
    metrics = replace(metrics, permutation_p=_permutation_p_of_predictions(plan, labels, probabilities[known], folds))
    return Transfer(probabilities, table["fold"], metrics, arms, trials)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A classifier with a feature arm: the chosen one, or one that is compared with it.

    Attributes:
        plan: Transfer plan of the run; the length of its hyperparameter search is the same for all candidates.
        classifier: Classifier with its estimator and its hyperparameter space.
        features: Name of the feature arm.
        values: One row per labelled subject.
    """

    plan: TransferPlan
    classifier: Classifier
    features: str
    values: pd.DataFrame

    @property
    def column(self) -> str:
        """Name in the table of probabilities."""
        return self.features if self.classifier is self.plan.classifier else f"{self.features}.{self.classifier.name}"

    @property
    def pipeline(self) -> Pipeline:
        """Unfitted pipeline: imputer, scaler, balancing and classifier."""
        sampler = self.plan.sampler
        return build_pipeline(
            instantiate(self.classifier.estimator, _convert_="all"),
            instantiate(sampler, _convert_="all") if sampler else None,
            harmonise=self.plan.make_harmoniser(),
        )

    def predict(self, labels: pd.Series, roles: pd.Series) -> Crossfit:
        """Return out-of-fold or held-out probabilities."""
        if labels.empty:
            return Crossfit(np.empty(0), np.empty(0, int), ["No subject outside train and validation has a label."])
        if self.plan.holds_out:
            test = (roles == "test").to_numpy()
            return holdout(self.pipeline, self.values, labels, test=test, **self._search)[0]
        return crossfit(self.pipeline, self.values, labels, folds=self.plan.folds, **self._search)

    def fit(self, labels: pd.Series) -> tuple[Pipeline, list[str], pd.DataFrame]:
        """Return the classifier for new patients, tuned and fitted on these labels, with its notes and trials."""
        return tune_and_fit(
            self.pipeline, self.values.loc[labels.index], labels, **self._search | {"name": f"{self._name}, everybody"}
        )

    @property
    def _name(self) -> str:
        return f"{self.classifier.name}, {self.features}"

    @property
    def _search(self) -> dict[str, Any]:
        settings, space = self.plan.classifier.tuning, self.classifier.tuning.space
        tuning = None
        if settings.trials and space:
            tuning = Tuning(space, settings.trials, settings.folds, settings.storage)
        return {"tuning": tuning, "name": self._name, "seed": self.plan.seed}


def _permutation_p(
    chosen: Candidate, outcome: Crossfit, labels: pd.Series, *, observed: float | None
) -> estimates.Estimate:
    plan = chosen.plan
    if not outcome.defined:
        return estimates.undefined("no prediction to permute", n=len(labels))
    if plan.holds_out:
        values = pd.Series(outcome.probabilities, index=labels.index)
        return _permutation_p_of_predictions(plan, labels, values, pd.Series(0, index=labels.index))
    return permutation_p(
        chosen.pipeline,
        chosen.values,
        labels,
        folds=plan.folds,
        seed=plan.seed,
        permutations=plan.permutations,
        observed=observed if plan.classifier.tuning.trials else None,
    )


def _permutation_p_of_predictions(
    plan: TransferPlan, labels: pd.Series, probabilities: pd.Series, folds: pd.Series
) -> estimates.Estimate:
    known = probabilities.notna()
    return permutation_p_of_predictions(
        labels[known],
        probabilities[known],
        folds[known],
        seed=plan.seed,
        permutations=plan.permutations,
    )
