"""What the configuration asks of the transfer classifier, so that its stage does not need the whole configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from brain_cae.configuration import Classifier, Config, classifier_option
from brain_cae.configuration.schema import Features, LeaveProtocolOut, Split
from brain_cae.detector.build import make_feature_harmoniser
from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT
from brain_cae.harmonise.features import FeatureHarmoniser


@dataclass(frozen=True)
class TransferPlan:
    """Classifiers, features and evaluation of a run.

    Attributes:
        classifier: Chosen classifier; the length of its hyperparameter search is that of all searches.
        compared: Classifiers that are compared with it.
        features: Chosen feature arm, and the levels of the encoder that features are taken from.
        sampler: Resampling of the classes with its parameters; None leaves the classes as they are.
        make_harmoniser: Returns the first step of each pipeline, not yet fitted; None if features are not harmonised.
        scores: Names of the scores that the classifier is compared with.
        holds_out: Whether the role ``test`` is held out, instead of cross-fitting.
        holds_out_protocol: Whether the role ``test`` is a protocol of its own, which no classifier may learn from.
        folds: Number of folds of the cross-fit.
        permutations: Number of permutations of the test.
        resamples: Number of bootstrap resamples.
        min_per_class: Minimum number of subjects in each class for figures between the classes.
        seed: Seed of folds, searches, permutations and bootstrap.
    """

    classifier: Classifier
    compared: tuple[Classifier, ...]
    features: Features
    sampler: dict[str, Any] | None
    make_harmoniser: Callable[[], FeatureHarmoniser | None]
    scores: tuple[str, ...]
    holds_out: bool
    holds_out_protocol: bool
    folds: int
    permutations: int
    resamples: int
    min_per_class: int
    seed: int

    @property
    def classifiers(self) -> tuple[Classifier, ...]:
        """The chosen classifier and those compared with it."""
        return self.classifier, *self.compared

    @property
    def resampling(self) -> dict[str, Any]:
        """Keyword arguments of every estimate with a bootstrap interval."""
        return {"seed": self.seed, "resamples": self.resamples, "min_per_class": self.min_per_class}


def transfer_plan(config: Config) -> TransferPlan:
    """Return what this configuration asks of the transfer classifier."""
    evaluation, holds_out_protocol = config.evaluation, config.split.holds_out_protocol
    names = [name for name in dict.fromkeys(config.transfer.compare) if name != config.classifier.name]
    return TransferPlan(
        classifier=config.classifier,
        compared=tuple(classifier_option(name) for name in names),
        features=config.features,
        sampler=config.balancing.sampler,
        make_harmoniser=lambda: make_feature_harmoniser(config),
        scores=tuple(config.scoring.scores),
        # Cross-fitting would train on the held-out protocol.
        holds_out=evaluation.holds_out or holds_out_protocol,
        holds_out_protocol=holds_out_protocol,
        folds=evaluation.folds,
        permutations=evaluation.permutations,
        resamples=evaluation.resamples,
        min_per_class=min_per_class(config.split),
        seed=config.seed,
    )


def min_per_class(split: Split | LeaveProtocolOut) -> int:
    """Return the minimum number of subjects in each class for figures between the classes of a run."""
    return MIN_PER_CLASS_HELD_OUT if split.holds_out_protocol else 1
