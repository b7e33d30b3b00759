"""The sections of ``metrics.json`` as records with names; they become dictionaries when the file is written."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from brain_cae.audit import AuditResult
from brain_cae.estimates import Estimate

SCHEMA_VERSION = 1


def to_json(value: Any) -> Any:
    """Plain JSON types; records become dictionaries of their fields, or what their ``to_dict`` gives."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: to_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [to_json(entry) for entry in value]
    return value


@dataclass(frozen=True)
class Discrimination:
    """How well one score separates the classes.

    Attributes:
        auroc, average_precision: Without a threshold.
        sensitivity, specificity: At the threshold that the healthy calibration brains give.
    """

    auroc: Estimate
    average_precision: Estimate
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True)
class ProtocolDetection:
    """The residual score within one protocol."""

    protocol: str
    n: int
    n_positive: int
    auroc: Estimate
    false_alarms: Estimate


@dataclass(frozen=True)
class Detection:
    """The section ``detection``.

    Attributes:
        residual: Of the residual score.
        others: Of the other scores that look at the network, by name, such as ``absolute``.
        difference: AUROC of the residual score minus that of another, by name.
        false_alarms: Share of the healthy subjects that the residual score flags.
        by_protocol: One row per protocol.
    """

    residual: Discrimination
    others: dict[str, Discrimination]
    difference: dict[str, Estimate]
    false_alarms: Estimate
    by_protocol: list[ProtocolDetection]

    def to_dict(self) -> dict[str, Any]:
        """The figures of the residual score stand beside the others."""
        beside = ("difference", "false_alarms", "by_protocol")
        others = to_json(self.others)
        return to_json(self.residual) | others | {name: to_json(getattr(self, name)) for name in beside}


@dataclass(frozen=True)
class LesionOverlap:
    """How well voxels are found: means over subjects with a known lesion, and the best Dice of one threshold."""

    average_precision: Estimate
    dice: Estimate
    dice_oracle_pooled: Estimate
    dice_oracle_per_subject: Estimate


@dataclass(frozen=True)
class Baseline:
    """The figures of a baseline's score; ``localisation`` is None where no lesion is known."""

    discrimination: Discrimination
    localisation: LesionOverlap | None

    def to_dict(self) -> dict[str, Any]:
        """Dice stands beside the section ``localisation`` as well."""
        section = to_json(self.discrimination) | {"localisation": to_json(self.localisation)}
        if self.localisation is None:
            return section
        dice = ("dice", "dice_oracle_pooled", "dice_oracle_per_subject")
        return section | {name: section["localisation"][name] for name in dice}


@dataclass(frozen=True)
class Reconstruction:
    """Error on healthy brains that the network never saw, inside the mask, in the scan's own space."""

    l1: Estimate
    ssim: Estimate


@dataclass(frozen=True)
class Scoring:
    """What scores are compared with; ``threshold`` is None where too few brains calibrate."""

    alpha: float
    sign: dict[str, str]
    n_calibration: int
    threshold: float | None
    voxel_threshold: float


@dataclass(frozen=True)
class ReshapeCost:
    """How much the reshape strategy distorts, and what it costs.

    Attributes:
        strategy: Its name.
        groups: Of its training volumes: name, target, members.
        distortion: Means over subjects by measure; ``size_spread_mm`` is relative to the mean size, ``voxels`` is what
            the network sees of a brain, padding included.
        reconstruction: Mean absolute error on healthy brains in the scan's own space, which strategies with different
            grids can be compared by.
        cost: ``seconds_per_epoch`` and ``memory_mb``.
    """

    strategy: str
    groups: list[dict[str, Any]]
    distortion: dict[str, Estimate]
    reconstruction: Estimate
    cost: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Every measure stands beside the others."""
        section = {"strategy": self.strategy, "groups": self.groups, **to_json(self.distortion)}
        return section | {"reconstruction": self.reconstruction.to_dict()} | self.cost


@dataclass(frozen=True)
class Comparison:
    """An arm of features with a classifier, or a score alone, beside the chosen classifier.

    Attributes:
        features: Name of the arm, or of the score.
        classifier: None for a score.
        figures: By name; a score has no Brier score, since it is not a probability.
        difference: Its AUROC minus that of the chosen classifier.
    """

    features: str
    classifier: str | None
    figures: dict[str, Estimate]
    difference: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The figures stand beside the names."""
        names = {"features": self.features, "classifier": self.classifier}
        return names | to_json(self.figures) | {"difference": self.difference.to_dict()}


@dataclass(frozen=True)
class Search:
    """One search for parameters: its trials, those pruned, the best inner AUROC and its parameters."""

    study: str
    trials: int
    pruned: int
    auroc: float | None
    parameters: str | None


@dataclass(frozen=True)
class TransferMetrics:
    """The section ``transfer``.

    Attributes:
        features: Name of the chosen arm.
        classifier: Name of the chosen classifier.
        figures: By name, see :func:`brain_cae.transfer.metrics.transfer_metrics`.
        notes: What was changed or not possible.
        comparison: Beside other arms, classifiers and scores.
        tuning: Of each search; None where a stored classifier was applied.
        permutation_p: Of shuffled labels; None where a stored classifier was applied.
    """

    features: str
    classifier: str
    figures: dict[str, Estimate]
    notes: list[str]
    comparison: list[Comparison]
    tuning: list[Search] | None = None
    permutation_p: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """The figures stand beside the names; what a stored classifier does not have is left out."""
        section = {"features": self.features, "classifier": self.classifier} | to_json(self.figures)
        section |= {"notes": self.notes, "comparison": to_json(self.comparison)}
        known = {"tuning": self.tuning, "permutation_p": self.permutation_p}
        return section | {name: to_json(value) for name, value in known.items() if value is not None}


@dataclass(frozen=True)
class Harmonisation:
    """The choice against differences between scanners, and how many subjects' images passed unchanged."""

    name: str
    unchanged: int


@dataclass(frozen=True)
class Metrics:
    """The content of ``metrics.json``, but for the time and the memory that the run took."""

    subjects: dict[str, int]
    reconstruction: Reconstruction
    scoring: Scoring
    detection: Detection
    localisation: LesionOverlap | None
    baseline: dict[str, Baseline]
    transfer: TransferMetrics
    reshape: ReshapeCost
    environment: dict[str, Any]
    harmonise: Harmonisation
    audit: AuditResult

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, in the order of the file."""
        return {"schema_version": SCHEMA_VERSION} | {f.name: to_json(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class External:
    """The section ``external``: the figures of other subjects, scored with the run's model."""

    dataset: str
    subjects: int
    detection: Estimate
    transfer: Estimate
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """The AUROCs stand where ``metrics.json`` of an evaluation has them."""
        return {
            "dataset": self.dataset,
            "subjects": self.subjects,
            "detection": {"auroc": self.detection.to_dict()},
            "transfer": {"auroc": self.transfer.to_dict()},
            "verdict": self.verdict,
        }
