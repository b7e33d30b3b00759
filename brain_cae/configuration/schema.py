"""The configuration schema: one dataclass per group. The YAML files in ``conf/`` define the values.

The options of ``dataset``, ``reshape`` and ``harmonise`` are classes, which declare their keys: see ``kinds``.
"""

from dataclasses import dataclass, field
from typing import Any


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
    align: str
    skull_strip: str
    space: str
    bias_correction: str


@dataclass
class Split:
    """Shares of the roles, or a file with the role of each subject."""

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
    """The only protocol that is tested, and shares of the healthy brains of the other protocols."""

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
class SplitCalibration:
    """Healthy brains calibrate that train no network."""

    name: str = "split"

    @property
    def folds(self) -> None:
        """Number of folds that are cross-fitted: there are none."""
        return None


@dataclass
class CrossfitCalibration:
    """Every healthy brain calibrates once, scored by the network that did not learn from its fold."""

    name: str
    folds: int


@dataclass
class Model:
    """The network (a ``_target_`` with its arguments), its training objective, and further models beside it."""

    name: str
    network: dict[str, Any] | None
    loss: str
    learning_rate: float
    weight_decay: float
    corruption: float
    members: list[str] = field(default_factory=list)


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
    batch_size: int
    workers: int
    compile: bool
    channels_last: bool
    panel_every: int
    progress: bool


@dataclass
class Logger:
    """Where training curves and results are written."""

    name: str


@dataclass
class MlflowLogger(Logger):
    """MLflow beside TensorBoard: address of its store (a database in the run's folder if None), and experiment."""

    store: str | None
    experiment: str
    report: bool


@dataclass
class WandbLogger(Logger):
    """Weights & Biases beside TensorBoard: ``offline`` or ``online``, and project."""

    mode: str
    experiment: str
    report: bool


@dataclass
class Scoring:
    """From residuals to scores, p-values and thresholds."""

    name: str
    alpha: float
    guarantee: str
    confidence: float
    sign: dict[str, str]
    joint: str
    smoothing_mm: float
    samples_per_deviation: float
    statistic: str
    percentile: float
    voxel_false_positive_rate: float
    cluster_share: float
    frame: list[int]
    shrinkage: float
    scores: dict[str, dict[str, Any]]


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
    """Settings of the audit of acquisition confounding."""

    name: str
    margin: float
    strata: str
    healthy_means: str | None
    extra: dict[str, dict[str, Any]]


@dataclass
class EvaluateAudit(Audit):
    """The audit before training, or of a table with scores of any model: the table and its columns.

    Columns that are None have the name of the key, or are recognised by their names.
    """

    table: str | None = None
    subject: str | None = None
    label: str | None = None
    abnormal: str | None = None
    score: str | None = None
    acquisition: list[str] | None = None


@dataclass
class Processes:
    """Subjects are worked on by processes on this machine; their number is ``workers``."""

    name: str = "processes"


@dataclass
class LocalJobs:
    """Subjects are worked on by jobs on this machine."""

    name: str
    chunk: int
    jobs: int
    timeout_min: int


@dataclass
class SlurmJobs:
    """Subjects are worked on by jobs of a cluster with Slurm."""

    name: str
    chunk: int
    jobs: int
    timeout_min: int
    mem_gb: float
    cpus_per_task: int
    partition: str | None
    account: str | None
    qos: str | None
    setup: list[str]
    additional_parameters: dict[str, Any]


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
    logger: Any
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
    verbosity: str = "normal"
    resume: str | None = None
    stop_after: str | None = None
    inspect: bool = False
    limit: int | None = None
    overfit_subjects: int | None = None
    debug: str | None = None
    external: Any = None
    calibration: Any = field(default_factory=SplitCalibration)
    executor: Any = field(default_factory=Processes)
    extensions: list[str] = field(default_factory=list)


@dataclass
class EvaluateTransfer:
    """Classifiers to compare in ``evaluate.py``; None for those that the run compared."""

    compare: list[str] | None


@dataclass
class EvaluateScoring:
    """The decision rule of ``evaluate.py``; None for that of the run. The calibration scores are stored."""

    alpha: float | None
    guarantee: str | None
    confidence: float | None


@dataclass
class EvaluateConfig:
    """One run of ``evaluate.py``; everything else is fixed by the training run.

    If ``classifier``, ``balancing``, ``transfer.compare`` or a key of ``scoring`` is None, the value of the training
    run is used.
    """

    run: str | None
    cache: str
    workers: int
    verbosity: str = "normal"
    calibrate: str | None = None
    export: str | None = None
    audit_only: bool = False
    audit: EvaluateAudit | None = None
    dataset: Any = field(default=None)
    inspect: bool = False
    executor: Any = field(default_factory=Processes)
    extensions: list[str] = field(default_factory=list)
    classifier: Classifier | None = None
    balancing: Balancing | None = None
    transfer: EvaluateTransfer = field(default_factory=lambda: EvaluateTransfer(None))
    scoring: EvaluateScoring = field(default_factory=lambda: EvaluateScoring(None, None, None))
