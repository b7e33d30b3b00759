"""Task transfer: features of the encoder and of the residual, ordinary classifiers, out-of-fold predictions."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from imblearn.pipeline import Pipeline

from brain_cae import estimates
from brain_cae.configuration import Classifier, Config, LeaveProtocolOut, classifier_option
from brain_cae.detector.build import make_feature_harmoniser
from brain_cae.detector.detector import Detector
from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT
from brain_cae.transfer.crossfit import Crossfit, crossfit, holdout, tune_and_fit, without_sizes
from brain_cae.transfer.features import ARMS, select_arm, usable
from brain_cae.transfer.fitting import abnormal_probability, obstacle
from brain_cae.transfer.metrics import transfer_metrics
from brain_cae.transfer.permutation import permutation_p, permutation_p_of_predictions
from brain_cae.transfer.pipeline import build_pipeline, count_unreached, harmonise_notes
from brain_cae.transfer.tuning import Tuning

COMPARED = ("auroc", "average_precision", "brier")


@dataclass(frozen=True)
class Transfer:
    """What the transfer classifier says.

    Attributes:
        probabilities: Of ``abnormal``, by subject; NaN where there is none.
        folds: In which fold each subject was held out, by subject; missing where it was not.
        metrics: The section ``transfer`` of ``metrics.json``.
        arms: Probabilities of everything that was compared, by subject: a column ``<features>`` for each arm of
            features of the chosen classifier, ``<features>.<classifier>`` of the others.
        taught: The labelled subjects that the classifier for new patients learns from: all of them, but those of a
            held-out protocol.
        fitted: The classifier fitted on ``taught``; None without both classes.
        trials: Of every search for parameters, see :class:`brain_cae.transfer.tuning.Tuned`; empty without tuning.
    """

    probabilities: pd.Series
    folds: pd.Series
    metrics: dict[str, Any]
    arms: pd.DataFrame
    taught: list[str]
    fitted: Pipeline | None
    trials: pd.DataFrame = field(default_factory=pd.DataFrame)


def transfer(
    model: Detector,
    table: pd.DataFrame,
    features: pd.DataFrame,
    *,
    new_subjects: bool,
    learnt: set[str],
    for_patients: bool = True,
) -> Transfer:
    """Predict every subject from features of a network that never saw it.

    Args:
        model: Its configuration names features, classifier, balancing and evaluation, and what is compared.
        table: Columns label, role, and ``score.<scorer>`` for each of ``scoring.scores``, indexed by subject.
        features: One row per subject, same index, with the columns that the harmonising step takes off.
        new_subjects: True applies the stored classifier and fits nothing.
        learnt: New subjects that the stored classifier has learnt from: they get no probability, and no figure
            counts them.
        for_patients: Whether to fit the classifier for new patients as well.
    """
    config = model.config
    levels = config.features.levels
    features, faults = usable(select_arm(features, "both", levels))
    known = table.index[table["label"] != "unknown"]
    nothing = pd.Series(float("nan"), index=table.index)
    if new_subjects:
        probabilities, notes = nothing, []
        if model.classifier is not None:
            arm = select_arm(features, config.features.name, levels)
            notes = harmonise_notes(model.classifier, count_unreached(model.classifier, arm), len(arm))
            probabilities = pd.Series(abnormal_probability(model.classifier, arm), index=table.index)
            probabilities[table.index.isin(learnt)] = float("nan")
        return Transfer(
            probabilities,
            pd.Series(pd.NA, index=table.index, dtype="Int64"),
            _names(config)
            | _scores(config, table.loc[known, "label"], probabilities.loc[known])
            | {"notes": [*faults, *notes], "comparison": []},
            probabilities.to_frame(config.features.name),
            [],
            None,
        )
    labels, roles = table.loc[known, "label"], table.loc[known, "role"]
    candidates = [
        Candidate(config, classifier, name, select_arm(features.loc[known], name, levels))
        for classifier in (config.classifier, *_compared(config))
        for name in ARMS
    ]
    chosen = next(c for c in candidates if c.classifier is config.classifier and c.features == config.features.name)
    outcomes = [candidate.predict(labels, roles) for candidate in candidates]
    own = outcomes[candidates.index(chosen)]
    scored = roles == "test" if _is_holdout(config) else pd.Series(True, index=known)
    probabilities = nothing.copy()
    probabilities.loc[known] = own.probabilities
    folds = pd.Series(own.folds, index=known).replace(-1, pd.NA).astype("Int64").reindex(table.index)
    arms = pd.DataFrame(
        {candidate.column: outcome.probabilities for candidate, outcome in zip(candidates, outcomes, strict=True)},
        index=known,
    )
    taught = labels[roles == "classifier"] if isinstance(config.split, LeaveProtocolOut) else labels
    fitted, trials = None, [outcome.trials for outcome in outcomes]
    if for_patients and len(taught) and not obstacle(chosen.pipeline, taught):
        fitted, _, last = chosen.fit(taught)
        trials.append(last)
    searched = pd.concat(trials, ignore_index=True)
    section = _section(config, table.loc[known][scored], arms[scored], [*faults, *own.notes], searched)
    section["permutation_p"] = _permuted(chosen, own, labels, section["auroc"]["value"]).to_dict()
    return Transfer(probabilities, folds, section, arms.reindex(table.index), taught.index.tolist(), fitted, searched)


def pooled(config: Config, table: pd.DataFrame, parts: list[Transfer]) -> Transfer:
    """What several outer folds' classifiers say, each of the subjects that it has not seen.

    Args:
        config: Of the run.
        table: As for :func:`transfer`, with ``fold``: the subjects of all folds.
        parts: Of each fold; it may say more than ``table`` asks for.
    """
    arms = pd.concat([part.arms.loc[table.index[table["fold"] == number]] for number, part in enumerate(parts)])
    known = table["label"] != "unknown"
    labels, folds = table.loc[known, "label"], table.loc[known, "fold"]
    arms = arms.loc[labels.index].apply(lambda column: without_sizes(column, folds, labels)).reindex(table.index)
    probabilities = arms[config.features.name]
    notes = list(dict.fromkeys(note for part in parts for note in part.metrics["notes"]))
    named = [
        part.trials.assign(study=part.trials["study"] + f" of outer fold {number}")
        for number, part in enumerate(parts)
        if not part.trials.empty
    ]
    trials = pd.concat(named or [pd.DataFrame()], ignore_index=True)
    section = _section(config, table[known], arms[known], notes, trials)
    section["permutation_p"] = _fixed_p(config, labels, probabilities[known], folds).to_dict()
    return Transfer(probabilities, table["fold"], section, arms, [], None, trials)


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
        own, space = self.config.classifier.tuning, self.classifier.tuning.space
        tuning = Tuning(space, own.trials, own.folds, own.storage) if own.trials and space else None
        return {"tuning": tuning, "name": self._name, "seed": self.config.seed}


def _is_holdout(config: Config) -> bool:
    """A held-out protocol leaves no choice: cross-fitting would teach the classifier its subjects."""
    return config.evaluation.name == "holdout" or isinstance(config.split, LeaveProtocolOut)


def _min_per_class(config: Config) -> int:
    return MIN_PER_CLASS_HELD_OUT if isinstance(config.split, LeaveProtocolOut) else 1


def _compared(config: Config) -> list[Classifier]:
    names = dict.fromkeys(config.transfer.compare)
    return [classifier_option(name) for name in names if name != config.classifier.name]


def _permuted(chosen: Candidate, own: Crossfit, labels: pd.Series, auroc: float | None) -> estimates.Estimate:
    config = chosen.config
    if not own.defined:
        return estimates.undefined("no prediction to permute", n=len(labels))
    if _is_holdout(config):
        values = pd.Series(own.probabilities, index=labels.index)
        return _fixed_p(config, labels, values, pd.Series(0, index=labels.index))
    return permutation_p(
        chosen.pipeline,
        chosen.values,
        labels,
        folds=config.evaluation.folds,
        seed=config.seed,
        permutations=config.evaluation.permutations,
        observed=auroc if config.classifier.tuning.trials else None,
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


def _scores(config: Config, labels: pd.Series, probabilities: pd.Series, min_per_class: int = 1) -> dict[str, Any]:
    known = probabilities.notna()
    found = transfer_metrics(
        labels[known],
        probabilities[known],
        seed=config.seed,
        resamples=config.evaluation.resamples,
        min_per_class=min_per_class,
    )
    return {name: estimate.to_dict() for name, estimate in found.items()}


def _names(config: Config) -> dict[str, Any]:
    return {"features": config.features.name, "classifier": config.classifier.name}


def _section(
    config: Config, table: pd.DataFrame, arms: pd.DataFrame, notes: list[str], trials: pd.DataFrame
) -> dict[str, Any]:
    """The section ``transfer`` of ``metrics.json``, but for the permutation test.

    Args:
        config: Of the run.
        table: The labelled subjects that figures count, as for :func:`transfer`.
        arms: Their probabilities, columns as in :class:`Transfer`.
        notes: What was changed or not possible.
        trials: Of every search.
    """
    labels, min_per_class = table["label"], _min_per_class(config)
    chosen = arms[config.features.name]
    drawn: dict[str, Any] = {
        "seed": config.seed,
        "resamples": config.evaluation.resamples,
        "min_per_class": min_per_class,
    }
    rows = []
    for column in arms:
        features, _, classifier = str(column).partition(".")
        found = _scores(config, labels, arms[column], min_per_class)
        figures = {name: found[name] for name in COMPARED}
        rows.append(
            ({"features": features, "classifier": classifier or config.classifier.name} | figures, arms[column])
        )
    for name in config.scoring.scores:
        values = table[f"score.{name}"]
        # A score is no probability, and so has no Brier score.
        figures = {
            "auroc": estimates.auroc(labels, values, **drawn).to_dict(),
            "average_precision": estimates.average_precision(labels, values, **drawn).to_dict(),
        }
        rows.append(({"features": f"{name} score", "classifier": None} | figures, values))
    comparison = [
        row | {"difference": estimates.paired_difference(labels, values, chosen, **drawn).to_dict()}
        for row, values in rows
    ]
    scores = _scores(config, labels, chosen, min_per_class)
    return _names(config) | scores | {"notes": notes, "comparison": comparison, "tuning": _searches(trials)}


def _searches(trials: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each search: how many trials, how many of them pruned, the best inner AUROC and its parameters."""
    if trials.empty:
        return []
    rows = []
    for name, own in trials.groupby("study", sort=False):
        complete = own[own["state"] == "complete"].sort_values("auroc", kind="stable")
        best = complete.iloc[-1] if len(complete) else None
        rows.append(
            {
                "study": str(name),
                "trials": len(own),
                "pruned": int((own["state"] == "pruned").sum()),
                "auroc": None if best is None else float(best["auroc"]),
                "parameters": None if best is None else str(best["parameters"]),
            }
        )
    return rows
