"""The configuration schema: one dataclass per group. The YAML files in ``conf/`` define the values."""

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
    """BraTS in its published layout."""

    name: str
    root: str


@dataclass
class IxiDataset:
    """IXI in its published layout."""

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
    """Several data sets by name; each part is one of the data sets above."""

    name: str
    parts: dict[str, Any]
    test_only: list[str]


@dataclass
class Modality:
    """The contrasts that are used together, and the one to whose grid the others are resampled."""

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
    """One size for all volumes."""

    name: str
    _target_: str
    dimensions: list[int]
    tolerance: float


@dataclass
class ModalReshape:
    """The most common size for all volumes."""

    name: str
    _target_: str
    tolerance: float


@dataclass
class IsotropicReshape:
    """One spacing in mm and one box around the foreground for all volumes."""

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
    """Images are blurred to one resolution."""

    name: str


@dataclass
class HistogramHarmonise:
    """Intensities are mapped to one histogram."""

    name: str
    percentiles: list[float]


@dataclass
class CombatHarmonise:
    """Features of all protocols get the same location and scale."""

    name: str
    minimum: int


@dataclass
class ResidualiseHarmonise:
    """The part of each feature that acquisition parameters predict is removed."""

    name: str
    penalty: float


@dataclass
class Split:
    """Shares of the roles, or a file with the role of each subject."""

    name: str
    train: float
    validation: float
    validation_minimum: int
    classifier: float
    file: str | None


@dataclass
class LeaveProtocolOut:
    """The only protocol that is tested, and shares of the healthy brains of the other protocols."""

    name: str
    protocol: str | None
    train: float
    validation: float
    validation_minimum: int


@dataclass
class Model:
    """The network (a ``_target_`` with its arguments) and its training objective."""

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
    """Where training curves are written."""

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
    """Input of the transfer classifier."""

    name: str
    levels: str


@dataclass
class Tuning:
    """Hyperparameter search with Optuna in the training part of each fold: number of trials, and search space."""

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
    """Classifiers that are compared with the transfer classifier on the same autoencoder."""

    compare: list[str]


@dataclass
class Balancing:
    """An imbalanced-learn sampler, or none."""

    name: str
    sampler: dict[str, Any] | None


@dataclass
class Evaluation:
    """How unseen subjects are predicted, and how uncertainty is estimated."""

    name: str
    folds: int
    resamples: int
    permutations: int
    views: int
    maps: bool


@dataclass
class Audit:
    """Settings of the audit of acquisition confounding."""

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
    """Classifiers to compare in ``evaluate.py``; None for those that the run compared."""

    compare: list[str] | None


@dataclass
class EvaluateConfig:
    """One run of ``evaluate.py``; everything else is fixed by the training run.

    If ``classifier``, ``balancing`` or ``transfer.compare`` is None, the value of the training run is used.
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
