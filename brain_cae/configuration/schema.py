"""The types: one dataclass per group. The YAML files in ``conf/`` hold the values."""

from dataclasses import dataclass, field
from typing import Any

MODALITIES = ("t1", "t2", "flair", "t1ce")


@dataclass
class PhantomDataset:
    """The embedded simulated cohort."""

    name: str
    root: str
    subjects: int
    seed: int
    confounding: float
    abnormal_fraction: float
    lesions: bool
    head_shell: bool
    dimensions: str


@dataclass
class RsnaMiccaiDataset:
    """RSNA-MICCAI DICOM folders."""

    name: str
    root: str
    healthy_value: int | None


@dataclass
class FolderDataset:
    """One folder per subject, or a table of paths."""

    name: str
    root: str | None
    table: str | None
    label: str | None
    skull: str


@dataclass
class BratsDataset:
    """BraTS as it is published."""

    name: str
    root: str


@dataclass
class IxiDataset:
    """IXI as it is published."""

    name: str
    root: str
    table: str | None


@dataclass
class BidsDataset:
    """The Brain Imaging Data Structure."""

    name: str
    root: str
    label_column: str | None
    healthy: list[str]
    abnormal: list[str]
    label: str | None
    skull: str
    derivatives: list[str]


@dataclass
class CombinedDataset:
    """Several data sets by name: each part is one of the above."""

    name: str
    parts: dict[str, Any]
    test_only: list[str]


@dataclass
class Modality:
    """The contrasts that enter together, and the one whose grid the others are brought onto."""

    name: str
    names: list[str]
    reference: str


@dataclass
class Preprocess:
    """Grid, mask and intensity scale."""

    name: str
    scaling: str
    skull_strip: str


@dataclass
class FixedReshape:
    """One size for all."""

    name: str
    _target_: str
    dimensions: list[int]
    tolerance: float


@dataclass
class ModalReshape:
    """The most common size for all."""

    name: str
    _target_: str
    tolerance: float


@dataclass
class IsotropicReshape:
    """One spacing in mm and one box around the foreground for all."""

    name: str
    _target_: str
    spacing_mm: float
    box_mm: list[float] | None
    margin_mm: float
    tolerance: float


@dataclass
class ClusteredReshape:
    """One size per group of volumes."""

    name: str
    _target_: str
    groups: int | None
    tolerance: float


@dataclass
class NoHarmonise:
    """Differences between scanners are audited, not removed."""

    name: str


@dataclass
class SpacingHarmonise:
    """Images brought to one resolution."""

    name: str


@dataclass
class HistogramHarmonise:
    """Intensities brought to one histogram."""

    name: str
    percentiles: list[float]


@dataclass
class CombatHarmonise:
    """Features given one location and scale for all protocols."""

    name: str
    minimum: int


@dataclass
class ResidualiseHarmonise:
    """Features without what acquisition parameters predict of them."""

    name: str
    penalty: float


@dataclass
class Split:
    """Shares of the roles, or a file that holds them."""

    name: str
    train: float
    validation: float
    validation_minimum: int
    classifier: float
    file: str | None

    @property
    def holds_out_protocol(self) -> bool:
        """Whether one protocol alone is tested; these shares never do so."""
        return False

    @property
    def needs_protocols(self) -> bool:
        """Whether the roles depend on the subjects' protocols."""
        return self.name == "protocol"

    @property
    def reads_file(self) -> bool:
        """Whether the roles are read from a file instead of being drawn."""
        return self.file is not None


@dataclass
class LeaveProtocolOut:
    """The protocol that alone is tested, and shares of the healthy brains of the others."""

    name: str
    protocol: str | None
    train: float
    validation: float
    validation_minimum: int

    @property
    def holds_out_protocol(self) -> bool:
        """Whether one protocol alone is tested."""
        return True

    @property
    def needs_protocols(self) -> bool:
        """Whether the roles depend on the subjects' protocols."""
        return True

    @property
    def reads_file(self) -> bool:
        """Whether the roles are read from a file; a held-out protocol draws them."""
        return False


@dataclass
class Model:
    """The network (a ``_target_`` with its arguments) and how it learns."""

    name: str
    network: dict[str, Any]
    loss: str
    learning_rate: float
    weight_decay: float
    corruption: float


@dataclass
class Trainer:
    """Hardware, epochs, batches."""

    name: str
    accelerator: str
    devices: int
    nodes: int
    strategy: str
    precision: str
    max_epochs: int
    patience: int
    batch_size: int
    workers: int
    compile: bool
    channels_last: bool
    panel_every: int
    progress: bool


@dataclass
class Logger:
    """Where curves are written."""

    name: str


@dataclass
class Scoring:
    """From residuals to scores, p-values and thresholds."""

    name: str
    alpha: float
    sign: dict[str, str]
    smoothing_mm: float
    percentile: float
    voxel_false_positive_rate: float
    frame: list[int]
    shrinkage: float


@dataclass
class Features:
    """What the transfer classifier sees."""

    name: str
    levels: str


@dataclass
class Tuning:
    """How long Optuna searches which space, within each fold's training part."""

    trials: int
    folds: int
    storage: str | None
    space: dict[str, Any]


@dataclass
class Classifier:
    """A scikit-learn estimator (a ``_target_`` with its arguments), and how it is tuned."""

    name: str
    estimator: dict[str, Any]
    tuning: Tuning


@dataclass
class Transfer:
    """What is compared with the transfer classifier on the same autoencoder."""

    compare: list[str]


@dataclass
class Balancing:
    """An imbalanced-learn sampler, or none."""

    name: str
    sampler: dict[str, Any] | None


@dataclass
class Evaluation:
    """How unseen subjects are predicted, and how uncertain the figures are."""

    name: str
    folds: int
    resamples: int
    permutations: int
    views: int
    maps: bool

    @property
    def holds_out(self) -> bool:
        """Whether the classifier learns from one role and is scored once, on another."""
        return self.name == "holdout"

    @property
    def refits_everything(self) -> bool:
        """Whether each outer fold fits reshape, network, thresholds and classifier anew."""
        return self.name == "nested"


@dataclass
class Audit:
    """How hard acquisition is suspected."""

    name: str
    margin: float
    strata: str
    healthy_means: str | None


@dataclass
class Config:
    """One run of ``train.py``."""

    dataset: Any
    modality: Modality
    preprocess: Preprocess
    reshape: Any
    harmonise: Any
    split: Any
    model: Model
    trainer: Trainer
    logger: Logger
    scoring: Scoring
    features: Features
    classifier: Classifier
    transfer: Transfer
    balancing: Balancing
    evaluation: Evaluation
    audit: Audit
    seed: int
    cache: str
    workers: int
    resume: str | None = None
    stop_after: str | None = None
    inspect: bool = False
    limit: int | None = None
    overfit_subjects: int | None = None
    external: Any = None


@dataclass
class EvaluateTransfer:
    """The same of a stored run; None: what the run itself has compared."""

    compare: list[str] | None


@dataclass
class EvaluateConfig:
    """One run of ``evaluate.py``; everything else is fixed by the run.

    ``classifier``, ``balancing`` and ``transfer.compare`` are the run's own where they are None.
    """

    run: str | None
    cache: str
    workers: int
    calibrate: str | None = None
    audit_only: bool = False
    audit: Any = field(default=None)
    dataset: Any = field(default=None)
    inspect: bool = False
    classifier: Classifier | None = None
    balancing: Balancing | None = None
    transfer: EvaluateTransfer = field(default_factory=lambda: EvaluateTransfer(None))
