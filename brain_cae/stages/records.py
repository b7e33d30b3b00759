"""Sections of ``metrics.json`` as records, converted to dictionaries when the file is written."""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from brain_cae.audit import AuditResult
from brain_cae.estimates import Estimate
from brain_cae.scoring.guarantee import Outlook

SCHEMA_VERSION = 1


def to_json(value: Any) -> Any:
    """Return plain JSON types; records become dictionaries of their fields, or the result of their ``to_dict``."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if is_dataclass(value):
        return {one.name: to_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {key: to_json(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [to_json(entry) for entry in value]
    return value


@dataclass(frozen=True)
class Discrimination:
    """Discrimination of one score between the classes.

    Attributes:
        auroc, average_precision: Without a threshold.
        sensitivity, specificity: At the threshold from the healthy calibration brains.
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
class Decision:
    """What one rule of :class:`brain_cae.scoring.guarantee.Guarantee` decides, and what it costs.

    Attributes:
        calibration_needed: Healthy calibration brains without which it flags nobody.
        threshold: Score that must be exceeded; None if nobody can be flagged.
        expected_rate: Mean false-alarm rate over draws of the calibration brains.
        largest_rate: Rate that is exceeded with probability 1 - confidence only.
        expected_alarms, largest_alarms: The same as numbers of the healthy brains that were scored; in a nested
            evaluation by the outer folds, each with its own calibration, whereas the attributes above are of the
            stored model.
        sensitivity, false_alarms: What was observed.
    """

    calibration_needed: int
    threshold: float | None
    expected_rate: float
    largest_rate: float
    expected_alarms: float
    largest_alarms: int
    sensitivity: Estimate
    false_alarms: Estimate


@dataclass(frozen=True)
class VolumeDetection:
    """Sensitivity for lesions of one range of volumes.

    Attributes:
        low_ml, high_ml: Smallest and largest of these lesions, in mL.
        n: Number of them.
        sensitivity: Share of these brains that is flagged, by score; ``residual`` is that of the model.
    """

    low_ml: float
    high_ml: float
    n: int
    sensitivity: dict[str, Estimate]


@dataclass(frozen=True)
class Detection:
    """The section ``detection``.

    Attributes:
        residual: Discrimination of the residual score.
        others: Discrimination of the other scores that use the network, by name, such as ``absolute``.
        difference: AUROC of the residual score minus that of another score, by name.
        false_alarms: Share of the healthy subjects that the residual score flags.
        expected_false_alarms: Healthy subjects that are to be expected among them; ``high``: at most, over draws.
        decisions: What each rule decides, ``probable`` and ``average``; ``scoring.guarantee`` is the one in force.
        by_protocol: One row per protocol.
        by_volume: One row per quarter of the known lesions, the smallest first; empty without known lesions.
    """

    residual: Discrimination
    others: dict[str, Discrimination]
    difference: dict[str, Estimate]
    false_alarms: Estimate
    expected_false_alarms: Estimate
    decisions: dict[str, Decision]
    by_protocol: list[ProtocolDetection]
    by_volume: list[VolumeDetection]

    def to_dict(self) -> dict[str, Any]:
        """Return the section with the figures of the residual score at the top level."""
        beside = ("difference", "false_alarms", "expected_false_alarms", "decisions", "by_protocol", "by_volume")
        others = to_json(self.others)
        return to_json(self.residual) | others | {name: to_json(getattr(self, name)) for name in beside}


@dataclass(frozen=True)
class LesionDetection:
    """Clusters of the flagged brains against known lesions; a brain that is not flagged has none.

    Attributes:
        sensitivity: Share of its lesions that a cluster touches, mean over subjects with a known lesion.
        f1: Harmonic mean of that and of the share of clusters that touch a lesion, mean over the same subjects.
        false_per_healthy_brain: Clusters of a healthy brain, mean over healthy subjects.
    """

    sensitivity: Estimate
    f1: Estimate
    false_per_healthy_brain: Estimate


@dataclass(frozen=True)
class LesionOverlap:
    """Localisation of lesions: means over subjects with a known lesion, and the best Dice over all thresholds.

    ``lesions`` says how well the clusters of flagged brains find them; None for a baseline.
    """

    average_precision: Estimate
    dice: Estimate
    dice_oracle_pooled: Estimate
    dice_oracle_per_subject: Estimate
    lesions: LesionDetection | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the section, without ``lesions`` for a baseline."""
        section = {one.name: to_json(getattr(self, one.name)) for one in fields(self)}
        return {name: value for name, value in section.items() if value is not None}


@dataclass(frozen=True)
class Baseline:
    """Figures of a baseline score; ``localisation`` is None without known lesions."""

    discrimination: Discrimination
    localisation: LesionOverlap | None

    def to_dict(self) -> dict[str, Any]:
        """Return the section; Dice is repeated beside ``localisation``."""
        section = to_json(self.discrimination) | {"localisation": to_json(self.localisation)}
        if self.localisation is None:
            return section
        dice = ("dice", "dice_oracle_pooled", "dice_oracle_per_subject")
        return section | {name: section["localisation"][name] for name in dice}


@dataclass(frozen=True)
class Reconstruction:
    """Reconstruction error on unseen healthy brains, inside the mask, in the native space of the scan."""

    l1: Estimate
    ssim: Estimate


@dataclass(frozen=True)
class Scoring:
    """Settings and thresholds of scoring; ``threshold`` is None if there are too few calibration brains.

    Attributes:
        calibration: ``split`` if other brains than those that calibrate are the reference; ``crossfit`` and
            ``leave_one_out`` are approximations.
        outlook: What this number of calibration brains allows, and what more would.
    """

    alpha: float
    guarantee: str
    confidence: float
    calibration: str
    sign: dict[str, str]
    n_calibration: int
    threshold: float | None
    voxel_threshold: float
    outlook: list[Outlook]


@dataclass(frozen=True)
class ReshapeCost:
    """Distortion and cost of the reshape strategy.

    Attributes:
        strategy: Name of the strategy.
        groups: Groups of training volumes: name, target, members.
        distortion: Means over subjects by measure; ``size_spread_mm`` is relative to the mean size, ``voxels`` is the
            number of voxels at the network input, including padding.
        reconstruction: Mean absolute error on healthy brains in the native space of the scan, comparable between
            strategies with different grids.
        cost: ``seconds_per_epoch``, ``data_wait`` and ``memory_mb``.
    """

    strategy: str
    groups: list[dict[str, Any]]
    distortion: dict[str, Estimate]
    reconstruction: Estimate
    cost: dict[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Return the section with all measures at the top level."""
        section = {"strategy": self.strategy, "groups": self.groups, **to_json(self.distortion)}
        return section | {"reconstruction": self.reconstruction.to_dict()} | self.cost


@dataclass(frozen=True)
class Comparison:
    """Comparison of a feature arm with a classifier, or of a score, with the chosen classifier.

    Attributes:
        features: Name of the feature arm or of the score.
        classifier: None for a score.
        figures: Figures by name; a score is not a probability and has no Brier score.
        difference: AUROC minus that of the chosen classifier.
    """

    features: str
    classifier: str | None
    figures: dict[str, Estimate]
    difference: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return the row with figures and names at the top level."""
        names = {"features": self.features, "classifier": self.classifier}
        return names | to_json(self.figures) | {"difference": self.difference.to_dict()}


@dataclass(frozen=True)
class Search:
    """One hyperparameter search: number of trials, of pruned trials, best inner AUROC and its parameters."""

    study: str
    trials: int
    pruned: int
    auroc: float | None
    parameters: str | None


@dataclass(frozen=True)
class TransferMetrics:
    """The section ``transfer``.

    Attributes:
        features: Name of the chosen feature arm.
        classifier: Name of the chosen classifier.
        figures: Figures by name, see :func:`brain_cae.transfer.metrics.transfer_metrics`.
        notes: Changes to the requested procedure, and their reasons.
        comparison: Comparison with other arms, classifiers and scores.
        tuning: One record per search; None if a stored classifier was applied.
        permutation_p: p-value of the permutation test; None if a stored classifier was applied.
    """

    features: str
    classifier: str
    figures: dict[str, Estimate]
    notes: list[str]
    comparison: list[Comparison]
    tuning: list[Search] | None = None
    permutation_p: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the section with figures and names at the top level, without keys that are None."""
        section = {"features": self.features, "classifier": self.classifier} | to_json(self.figures)
        section |= {"notes": self.notes, "comparison": to_json(self.comparison)}
        optional = {"tuning": self.tuning, "permutation_p": self.permutation_p}
        return section | {name: to_json(value) for name, value in optional.items() if value is not None}


@dataclass(frozen=True)
class Harmonisation:
    """Harmonisation option, and the number of subjects whose images stayed unchanged."""

    name: str
    unchanged: int


@dataclass(frozen=True)
class Metrics:
    """The content of ``metrics.json``, except time and memory of the run.

    ``cautions`` are the serious ones: those under which scores or figures mean little or nothing.
    """

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
    cautions: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, in the order of the file."""
        return {"schema_version": SCHEMA_VERSION} | {f.name: to_json(getattr(self, f.name)) for f in fields(self)}


@dataclass(frozen=True)
class External:
    """The section ``external``: figures of external subjects scored with the model of the run."""

    dataset: str
    subjects: int
    detection: Estimate
    transfer: Estimate
    verdict: str

    def to_dict(self) -> dict[str, Any]:
        """Return the section, with the AUROCs under the same keys as in ``metrics.json`` of an evaluation."""
        return {
            "dataset": self.dataset,
            "subjects": self.subjects,
            "detection": {"auroc": self.detection.to_dict()},
            "transfer": {"auroc": self.transfer.to_dict()},
            "verdict": self.verdict,
        }
