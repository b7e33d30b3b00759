"""The typed schema of the configuration, and the checks that need no data.

YAML files in ``conf/`` hold the values, the dataclasses here hold the types: a key that is not a field is an
error, and so is a value that does not fit. ``validate`` turns a composed Hydra configuration into these
dataclasses; everything behind it works with plain Python values.
"""

import difflib
import inspect
import math
from dataclasses import dataclass, field, fields
from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from brain_cae.errors import ConfigurationError

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


@dataclass
class RsnaMiccaiDataset:
    """RSNA-MICCAI DICOM folders."""

    name: str
    root: str
    healthy_value: int | None


@dataclass
class FolderDataset:
    """One folder per subject."""

    name: str
    root: str


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


@dataclass
class FixedReshape:
    """One size for all."""

    name: str
    _target_: str
    dimensions: list[int]


@dataclass
class ClusteredReshape:
    """One size per group of volumes."""

    name: str
    _target_: str
    groups: int | None
    tolerance: float


@dataclass
class Harmonise:
    """What is done about differences between scanners."""

    name: str


@dataclass
class Split:
    """Shares of the roles, or a file that holds them."""

    name: str
    train: float
    validation: float
    validation_minimum: int
    classifier: float
    file: str | None


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


@dataclass
class Classifier:
    """A scikit-learn estimator (a ``_target_`` with its arguments)."""

    name: str
    estimator: dict[str, Any]


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


@dataclass
class Audit:
    """How hard acquisition is suspected."""

    name: str
    margin: float


@dataclass
class Config:
    """One run of ``train.py``."""

    dataset: Any
    modality: Modality
    preprocess: Preprocess
    reshape: Any
    harmonise: Harmonise
    split: Split
    model: Model
    trainer: Trainer
    logger: Logger
    scoring: Scoring
    features: Features
    classifier: Classifier
    balancing: Balancing
    evaluation: Evaluation
    audit: Audit
    seed: int
    cache: str
    workers: int
    resume: str | None = None
    stop_after: str | None = None
    limit: int | None = None
    overfit_subjects: int | None = None


@dataclass
class EvaluateConfig:
    """One run of ``evaluate.py``; everything else is fixed by the run."""

    run: str | None
    cache: str
    workers: int
    dataset: Any = field(default=None)


# Groups whose options have keys of their own: the option's name decides on the schema.
OPTIONS: dict[str, dict[str, type]] = {
    "dataset": {"phantom": PhantomDataset, "rsna_miccai": RsnaMiccaiDataset, "folder": FolderDataset},
    "reshape": {"fixed": FixedReshape, "clustered": ClusteredReshape},
}

# Inclusive and exclusive bounds: (low, high, what the value is).
RANGES: dict[str, tuple[float, float, str]] = {
    "dataset.subjects": (1, math.inf, "a number of subjects"),
    "dataset.confounding": (0, 1, "a share from 0 to 1"),
    "dataset.abnormal_fraction": (0, 1, "a share from 0 to 1"),
    "reshape.tolerance": (0.01, 10, "a relative difference of dimensions above 0"),
    "reshape.groups": (1, math.inf, "a number of groups"),
    "split.train": (0.01, 0.99, "a share between 0 and 1"),
    "split.validation": (0.01, 0.99, "a share between 0 and 1"),
    "split.validation_minimum": (0, math.inf, "a number of brains"),
    "split.classifier": (0.01, 0.99, "a share between 0 and 1"),
    "model.learning_rate": (1e-12, math.inf, "a rate above 0"),
    "model.weight_decay": (0, math.inf, "a weight, 0 or more"),
    "model.corruption": (0, math.inf, "a standard deviation, 0 or more"),
    "trainer.devices": (1, math.inf, "a number of devices"),
    "trainer.nodes": (1, math.inf, "a number of machines"),
    "trainer.max_epochs": (1, math.inf, "a number of epochs"),
    "trainer.patience": (1, math.inf, "a number of epochs"),
    "trainer.batch_size": (1, math.inf, "a number of volumes"),
    "trainer.workers": (0, math.inf, "a number of processes, 0 or more"),
    "trainer.panel_every": (1, math.inf, "a number of epochs"),
    "scoring.alpha": (1e-6, 0.999999, "a rate between 0 and 1"),
    "scoring.smoothing_mm": (0, math.inf, "a length in mm, 0 or more"),
    "scoring.percentile": (1e-6, 99.999999, "a percentile between 0 and 100"),
    "scoring.voxel_false_positive_rate": (1e-9, 0.999999, "a rate between 0 and 1"),
    "scoring.shrinkage": (0, math.inf, "a number of brains, 0 or more"),
    "evaluation.folds": (2, math.inf, "at least 2 folds"),
    "evaluation.resamples": (10, math.inf, "at least 10 resamples"),
    "evaluation.permutations": (1, math.inf, "at least 1 permutation"),
    "evaluation.views": (0, math.inf, "a number of subjects, 0 or more"),
    "audit.margin": (0.51, 0.99, "an AUROC above 0.5 and below 1"),
    "workers": (1, math.inf, "a number of processes"),
    "seed": (0, 2**32 - 1, "a whole number, 0 or more"),
    "limit": (1, math.inf, "a number of subjects"),
    "overfit_subjects": (1, math.inf, "a number of subjects"),
}

WORDS: dict[str, tuple[str, ...]] = {
    "preprocess.scaling": ("median", "white_matter"),
    "model.loss": ("l1", "l2"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "stop_after": ("import",),
}


def validate(composed: DictConfig) -> Config:
    """Turn a composed configuration into typed values, or say which key is wrong.

    Raises:
        ConfigurationError: A key is unknown, a value has the wrong type or lies outside its range, or two
            choices exclude each other.
    """
    config: Config = _typed(composed, Config)
    check_values(config)
    check_choices(config)
    return config


def validate_evaluate(composed: DictConfig) -> EvaluateConfig:
    """The same for ``evaluate.py``; keys of a training run are refused as fixed by the run."""
    extra = [str(key) for key in composed if key not in {f.name for f in fields(EvaluateConfig)}]
    trained = {f.name for f in fields(Config)}
    for key in extra:
        if key in trained:
            raise ConfigurationError(
                f"The key `{key}` is fixed by the run.",
                expected="only run, dataset, cache, workers",
                where=key,
                advice="Train again with another value, or leave it out.",
            )
    return _typed(composed, EvaluateConfig)


def _typed(composed: DictConfig, schema: type) -> Any:
    plain = OmegaConf.to_container(composed, resolve=True)
    if not isinstance(plain, dict):
        raise ConfigurationError("The configuration is not a table of keys.", found=type(plain).__name__)
    plain.pop("debug", None)
    plain.pop("experiment", None)
    _refuse_unknown(plain, [f.name for f in fields(schema)], prefix="")
    values: dict[str, Any] = {}
    for f in fields(schema):
        if f.name not in plain:
            continue
        kind: Any = f.type
        value = plain[f.name]
        if f.name in OPTIONS and isinstance(value, dict):
            kind = _option(f.name, value.get("name"))
        values[f.name] = _fit(kind, value, f.name) if isinstance(value, dict) and isinstance(kind, type) else value
    scalars = {name: v for name, v in values.items() if not hasattr(v, "__dataclass_fields__")}
    checked = _merge(schema, scalars, prefix="")
    return schema(**{**values, **{name: checked[name] for name in scalars}})


def _option(group: str, name: Any) -> type:
    if name not in OPTIONS[group]:
        raise ConfigurationError(
            f"`{group}` has no option `{name}`.", expected=" | ".join(OPTIONS[group]), where=f"{group}.name"
        )
    return OPTIONS[group][name]


def _fit(kind: type, value: dict[str, Any], prefix: str) -> Any:
    names = [f.name for f in fields(kind)]
    _refuse_unknown(value, names, prefix=f"{prefix}.")
    missing = [name for name in names if name not in value or value[name] == "???"]
    if missing:
        raise ConfigurationError(
            f"The key `{prefix}.{missing[0]}` has no value.",
            where=f"{prefix}.{missing[0]}",
            advice=f"Give it on the command line: {prefix}.{missing[0]}=…",
        )
    return kind(**_merge(kind, value, prefix=f"{prefix}."))


def _merge(kind: type, value: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Let OmegaConf check the types against the dataclass; keys that are not given are left out."""
    result: dict[str, Any] = {}
    structure = OmegaConf.structured(kind)
    for name, item in value.items():
        try:
            merged = OmegaConf.merge(structure, {name: item})
            result[name] = OmegaConf.to_container(OmegaConf.masked_copy(merged, [name]))[name]  # type: ignore
        except OmegaConfBaseException as error:
            key = f"{prefix}{error.full_key if error.full_key else name}"
            expected = next(str(getattr(f.type, "__name__", f.type)) for f in fields(kind) if f.name == name)
            raise ConfigurationError(
                f"The value of `{key}` does not fit.",
                expected={"int": "a whole number", "float": "a number", "bool": "true or false"}.get(expected, expected),
                found=repr(item),
                where=key,
            ) from error
    return result


def _refuse_unknown(value: dict[str, Any], names: list[str], prefix: str) -> None:
    for key in value:
        if key not in names:
            raise unknown_key(f"{prefix}{key}", names)


def unknown_key(key: str, names: list[str]) -> ConfigurationError:
    """The error for a key that does not exist, with the nearest of ``names`` and all of them."""
    last = key.rsplit(".", 1)[-1]
    near = difflib.get_close_matches(last, names, n=1)
    prefix = key[: -len(last)]
    return ConfigurationError(
        f"There is no key `{key}`.",
        expected=f"one of {', '.join(sorted(names))}",
        where=key,
        advice=f"Did you mean `{prefix}{near[0]}`?" if near else "See `python train.py --help`.",
    )


def check_values(config: Config) -> None:
    """Ranges and words, each on its own."""
    for key, (low, high, meaning) in RANGES.items():
        value = _select(config, key)
        if value is not None and not (low <= value <= high):
            raise ConfigurationError(f"The value of `{key}` makes no sense.", expected=meaning, found=str(value), where=key)
    for key, words in WORDS.items():
        value = _select(config, key)
        if value is not None and value not in words:
            raise ConfigurationError(
                f"`{key}` has no such choice.", expected=" | ".join(words), found=str(value), where=key
            )


def _select(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


def check_choices(config: Config) -> None:
    """What only shows when two choices are seen together."""
    modality, scoring = config.modality, config.scoring
    for name in modality.names:
        if name not in MODALITIES:
            raise ConfigurationError(
                f"There is no modality `{name}`.", expected=", ".join(MODALITIES), where="modality.names"
            )
        if scoring.sign.get(name) not in ("darker", "brighter", "both"):
            raise ConfigurationError(
                f"`scoring.sign` says nothing usable about `{name}`.",
                expected="darker | brighter | both",
                found=str(scoring.sign.get(name)),
                where=f"scoring.sign.{name}",
            )
    if modality.reference not in modality.names:
        raise ConfigurationError(
            "The reference is not among the modalities.",
            expected=" | ".join(modality.names),
            found=modality.reference,
            where="modality.reference",
        )
    for key, size in (("reshape.dimensions", getattr(config.reshape, "dimensions", None)), ("scoring.frame", scoring.frame)):
        if size is not None and (len(size) != 3 or min(size) < 8):
            raise ConfigurationError(
                f"`{key}` is no size of a volume.",
                expected="three whole numbers (R, A, S), each at least 8",
                found=str(list(size)),
                where=key,
            )
    if config.split.train + config.split.validation >= 1:
        raise ConfigurationError(
            "Nothing is left for classifier and test.",
            expected="split.train + split.validation below 1",
            found=f"{config.split.train} + {config.split.validation}",
            where="split",
        )
    check_target(config.model.network, "model.network", allowed=("brain_cae.", "monai.networks."))
    check_target(config.classifier.estimator, "classifier.estimator", allowed=("sklearn.",))
    if config.balancing.sampler is not None:
        check_target(config.balancing.sampler, "balancing.sampler", allowed=("imblearn.",))
    if isinstance(config.dataset, PhantomDataset) and config.split.file is None:
        subjects = min(config.dataset.subjects, config.limit or config.dataset.subjects)
        healthy = subjects - round(subjects * config.dataset.abnormal_fraction)
        check_alpha(scoring.alpha, validation_size(healthy, config.split))


def validation_size(healthy: int, split: Split) -> int:
    """Number of healthy brains for validation: its share, raised to the minimum where there are enough.

    "Enough" means that no more than half of the healthy brains calibrate.
    """
    return max(round(healthy * split.validation), min(split.validation_minimum, healthy // 2))


def check_alpha(alpha: float, validation: int) -> None:
    """A conformal p-value is at least 1 / (n + 1): with fewer brains nothing could ever be flagged.

    Raises:
        ConfigurationError: ``validation`` brains cannot give ``alpha``; the number that can is named.
    """
    needed = math.ceil(1 / alpha - 1e-9) - 1
    if validation < needed:
        raise ConfigurationError(
            f"scoring.alpha={alpha:g} cannot be reached: the smallest p-value is 1/(n+1).",
            expected=f"at least {needed} healthy validation brains",
            found=f"{validation}",
            where="scoring.alpha",
            advice=f"Use more healthy subjects, or scoring.alpha={1 / (validation + 1):.2g} or more."
            if validation
            else "Use more healthy subjects.",
        )


def check_target(node: dict[str, Any], key: str, *, allowed: tuple[str, ...]) -> None:
    """A ``_target_`` must come from a known package and take the arguments that it is given.

    Raises:
        ConfigurationError: The class is missing, comes from elsewhere, or does not know an argument.
    """
    target = str(node.get("_target_", ""))
    if not target.startswith(allowed):
        raise ConfigurationError(
            f"`{key}` may not name `{target}`.",
            expected=f"a class of {' or '.join(a.rstrip('.') for a in allowed)}",
            where=f"{key}._target_",
        )
    try:
        parameters = inspect.signature(get_class(target)).parameters
    except Exception as error:
        raise ConfigurationError(f"There is no class `{target}`.", where=f"{key}._target_") from error
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    names = [name for name in parameters if name not in ("self", "in_channels", "spatial_dims", "out_channels")]
    _refuse_unknown({k: v for k, v in node.items() if not k.startswith("_")}, names, prefix=f"{key}.")


def keys_beside(config: DictConfig, key: str) -> list[str]:
    """The keys that exist where ``key`` was looked for, for the message about a key that does not."""
    node: Any = config
    for name in key.split(".")[:-1]:
        node = node[name] if isinstance(node, DictConfig) and name in node else node
    return [str(name) for name in node] if isinstance(node, DictConfig) else []


__all__ = ["Config", "ConfigKeyError", "EvaluateConfig", "check_alpha", "unknown_key", "validate", "validate_evaluate"]
