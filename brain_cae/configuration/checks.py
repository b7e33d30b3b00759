"""The checks that need no data: ranges, words, and choices that must fit each other."""

import importlib
import inspect
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hydra.utils import instantiate

from brain_cae.configuration.conversion import refuse_unknown, unknown_key
from brain_cae.configuration.schema import (
    MODALITIES,
    Classifier,
    Config,
    FolderDataset,
    LeaveProtocolOut,
    PhantomDataset,
    Split,
)
from brain_cae.errors import ConfigurationError
from brain_cae.errors.layouts import LAYOUTS

# Inclusive and exclusive bounds: (low, high, what the value is).
RANGES: dict[str, tuple[float, float, str]] = {
    "dataset.subjects": (1, math.inf, "a number of subjects"),
    "dataset.confounding": (0, 1, "a share from 0 to 1"),
    "dataset.abnormal_fraction": (0, 1, "a share from 0 to 1"),
    "reshape.tolerance": (0.01, 10, "a relative difference of dimensions above 0"),
    "reshape.groups": (1, math.inf, "a number of groups"),
    "reshape.spacing_mm": (0.1, 20, "a side of a voxel in mm"),
    "reshape.margin_mm": (0, 200, "a length in mm, 0 or more"),
    "harmonise.minimum": (2, math.inf, "at least 2 healthy subjects"),
    "harmonise.penalty": (0, math.inf, "a penalty, 0 or more"),
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
    "classifier.tuning.trials": (0, math.inf, "a number of trials, 0 or more"),
    "classifier.tuning.folds": (2, math.inf, "at least 2 folds"),
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
    "dataset.dimensions": ("protocols", "varied"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"),
    "preprocess.scaling": ("median", "white_matter"),
    "preprocess.skull_strip": ("none", "hd_bet", "synthstrip"),
    "model.loss": ("l1", "l2"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "features.levels": ("bottleneck", "all"),
    "stop_after": ("import",),
}
DATASET_WORDS: dict[str, tuple[str, ...]] = {
    "label": ("healthy", "abnormal"),
    "skull": ("on", "stripped", "unknown"),
}


def check_values(config: Config) -> None:
    """Ranges and words, each on its own."""
    ranges = RANGES | _for_external(RANGES)
    for key, (low, high, meaning) in ranges.items():
        value = _select(config, key)
        if value is not None and not (low <= value <= high):
            raise ConfigurationError(
                f"The value of `{key}` makes no sense.", expected=meaning, found=str(value), where=key
            )
    for key, words in (WORDS | _for_external(WORDS)).items():
        value = _select(config, key)
        if value is not None and value not in words:
            raise ConfigurationError(
                f"`{key}` has no such choice.", expected=" | ".join(words), found=str(value), where=key
            )


def _for_external(rules: dict[str, Any]) -> dict[str, Any]:
    """What holds for a data set holds for the external one."""
    return {key.replace("dataset.", "external."): rule for key, rule in rules.items() if key.startswith("dataset.")}


def check_dataset(dataset: Any, key: str = "dataset") -> None:
    """The words of a data set and of its parts, and a place on disk."""
    for name, part in getattr(dataset, "parts", {}).items():
        check_dataset(part, f"{key}.parts.{name}")
    if strangers := set(getattr(dataset, "test_only", [])) - set(getattr(dataset, "parts", {})):
        raise ConfigurationError(
            f"`{key}.test_only` names no part.",
            expected=", ".join(dataset.parts),
            found=", ".join(sorted(strangers)),
            where=f"{key}.test_only",
        )
    for name, words in DATASET_WORDS.items():
        value = getattr(dataset, name, None)
        if value is not None and value not in words:
            raise ConfigurationError(
                f"`{key}.{name}` has no such choice.",
                expected=" | ".join(words),
                found=str(value),
                where=f"{key}.{name}",
                advice='In YAML write skull: "on", with quotes.' if name == "skull" else None,
            )
    if isinstance(dataset, FolderDataset) and dataset.root is None and dataset.table is None:
        raise ConfigurationError(
            f"The key `{key}.root` has no value.",
            expected=LAYOUTS["folder"],
            found="nothing",
            where=f"{key}.root",
            advice=f"Give it on the command line: {key}.root=…, or {key}.table=… for a table of paths.",
        )


def _select(config: Config, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = getattr(value, name, None)
    return value


def check_choices(config: Config) -> None:
    """What only shows when two choices are seen together."""
    modality, scoring = config.modality, config.scoring
    check_dataset(config.dataset)
    check_dataset(config.external, "external")
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
    _check_sizes(config)
    _check_percentiles(getattr(config.harmonise, "percentiles", None))
    if config.split.train + config.split.validation >= 1:
        raise ConfigurationError(
            "Nothing is left for classifier and test.",
            expected="split.train + split.validation below 1",
            found=f"{config.split.train} + {config.split.validation}",
            where="split",
        )
    _check_nested(config)
    if config.split.holds_out_protocol and getattr(config.dataset, "test_only", []):
        raise ConfigurationError(
            "A held-out protocol is tested alone, without the parts that are for testing only.",
            expected="dataset.test_only=[]",
            found=f"dataset.test_only={config.dataset.test_only}",
            where="split=leave_protocol_out",
            advice="Leave dataset.test_only out, or use split=stratified.",
        )
    if isinstance(config.dataset, PhantomDataset) and not config.split.reads_file:
        subjects = min(config.dataset.subjects, config.limit or config.dataset.subjects)
        healthy = subjects - round(subjects * config.dataset.abnormal_fraction)
        if config.evaluation.refits_everything:
            healthy -= math.ceil(healthy / config.evaluation.folds)
        check_alpha(scoring.alpha, validation_size(healthy, config.split))


def _check_nested(config: Config) -> None:
    """Outer folds draw the roles themselves."""
    if not config.evaluation.refits_everything:
        return
    choices = {
        f"split={config.split.name}": config.split.needs_protocols,
        "split.file": config.split.reads_file,
        "dataset.test_only": bool(getattr(config.dataset, "test_only", [])),
        "several processes for one run": config.trainer.devices * config.trainer.nodes > 1,
    }
    if clash := [name for name, given in choices.items() if given]:
        raise ConfigurationError(
            "evaluation=nested draws the roles of its outer folds itself, in one process.",
            expected="split=stratified, without a file, and trainer.devices=1",
            found=", ".join(clash),
            where="evaluation=nested",
            advice="Leave that out, or use evaluation=crossfit.",
        )


def check_classes(config: Config, compared: Sequence[Classifier] = ()) -> None:
    """Every class that is named must be there, allowed, and take its arguments; loads torch, MONAI and scikit-learn."""
    check_target({"_target_": config.reshape._target_}, "reshape", allowed=("brain_cae.reshape.",), arguments=False)
    check_target(config.model.network, "model.network", allowed=("brain_cae.", "monai.networks."))
    _build_network(config)
    for classifier in (config.classifier, *compared):
        check_target(classifier.estimator, "classifier.estimator", allowed=("sklearn.",))
        _check_space(classifier)
    if config.balancing.sampler is not None:
        check_target(config.balancing.sampler, "balancing.sampler", allowed=("imblearn.",))


def _check_space(classifier: Classifier) -> None:
    """What Optuna may try must be parameters of the estimator, each with a range or with choices."""
    key = "classifier.tuning.space"
    parameters = instantiate(classifier.estimator, _convert_="all").get_params()
    for name, values in classifier.tuning.space.items():
        if name not in parameters:
            raise unknown_key(f"{key}.{name}", list(parameters))
        given = values if isinstance(values, dict) else {}
        if set(given) == {"choices"} and isinstance(given["choices"], list) and given["choices"]:
            continue
        ends = [end for side in ("low", "high") if isinstance(end := given.get(side), (int, float))]
        unknown, scale = set(given) - {"low", "high", "log", "step"}, given.get("log")
        if unknown or len(ends) < 2 or not ends[0] < ends[1] or (scale and (ends[0] <= 0 or "step" in given)):
            raise ConfigurationError(
                f"`{key}.{name}` is no range and no list.",
                expected="{low: 0.1, high: 10, log: true}, with low below high and above 0, or {choices: [a, b]}",
                found=str(values),
                where=f"{key}.{name}",
            )


def _check_sizes(config: Config) -> None:
    """Sizes that must hold a brain."""
    for key, size in (
        ("reshape.dimensions", getattr(config.reshape, "dimensions", None)),
        ("scoring.frame", config.scoring.frame),
    ):
        if size is not None and (len(size) != 3 or min(size) < 8):
            raise ConfigurationError(
                f"`{key}` is no size of a volume.",
                expected="three whole numbers (R, A, S), each at least 8",
                found=str(list(size)),
                where=key,
            )
    box = getattr(config.reshape, "box_mm", None)
    if box is not None and (len(box) != 3 or min(box) < 8 * config.reshape.spacing_mm):
        raise ConfigurationError(
            "`reshape.box_mm` is no box that holds a brain.",
            expected=f"three lengths in mm (R, A, S), each at least {8 * config.reshape.spacing_mm:g}: 8 voxels",
            found=str(list(box)),
            where="reshape.box_mm",
        )


def _check_percentiles(percentiles: list[float] | None) -> None:
    """Landmarks of a histogram."""
    if percentiles is None:
        return
    rising = all(low < high for low, high in pairwise(percentiles))
    if len(percentiles) < 2 or not rising or percentiles[0] < 0 or percentiles[-1] > 100:
        raise ConfigurationError(
            "`harmonise.percentiles` are no landmarks of a histogram.",
            expected="two or more numbers from 0 to 100, ascending",
            found=str(list(percentiles)),
            where="harmonise.percentiles",
        )


def _build_network(config: Config) -> None:
    """Its arguments may have the right names and still make no network; tried without taking memory."""
    import torch

    try:
        with torch.device("meta"):
            instantiate(config.model.network, in_channels=len(config.modality.names), _convert_="all")
    except Exception as error:
        cause = error.__cause__ or error
        raise ConfigurationError(
            "No network can be made of this.",
            found=str(cause).splitlines()[0] if str(cause) else type(cause).__name__,
            where="model.network",
            advice="Compare with conf/model/cae.yaml.",
        ) from error


def validation_size(healthy: int, split: Split | LeaveProtocolOut) -> int:
    """Number of healthy brains for validation: its share, raised to the minimum where there are enough.

    "Enough" means that no more than half of the healthy brains calibrate.
    """
    return max(round(healthy * split.validation), min(split.validation_minimum, healthy // 2))


def calibration_needed(alpha: float) -> int:
    """Number of healthy brains from which the smallest conformal p-value, 1 / (n + 1), reaches ``alpha``."""
    return math.ceil(1 / alpha - 1e-9) - 1


def check_alpha(alpha: float, validation: int) -> None:
    """A conformal p-value is at least 1 / (n + 1): with fewer brains nothing could ever be flagged.

    Raises:
        ConfigurationError: ``validation`` brains cannot give ``alpha``; the number that can is named.
    """
    needed = calibration_needed(alpha)
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


def check_target(node: dict[str, Any], key: str, *, allowed: tuple[str, ...], arguments: bool = True) -> None:
    """A ``_target_`` must come from a known package and take the arguments that it is given.

    Args:
        node: The table that names the class and its arguments; tables inside are checked as well.
        key: Where it stands in the configuration.
        allowed: Prefixes of allowed names.
        arguments: Whether the arguments are checked too.

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
    for nested in _nested_targets(list(node.values())):
        check_target(nested, key, allowed=allowed)
    module, _, name = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"There is no class `{target}`.", where=f"{key}._target_") from error
    # A function, or a class that the module has only imported, could run anything.
    if not isinstance(found, type) or not found.__module__.startswith(allowed):
        raise ConfigurationError(f"`{target}` is no class of that package.", where=f"{key}._target_")
    parameters = inspect.signature(found).parameters
    if not arguments or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return
    names = [name for name in parameters if name not in ("self", "in_channels", "spatial_dims", "out_channels")]
    refuse_unknown({k: v for k, v in node.items() if not k.startswith("_")}, names, prefix=f"{key}.")


def _nested_targets(values: list[Any]) -> list[dict[str, Any]]:
    """Tables with a ``_target_`` of their own anywhere inside."""
    found: list[dict[str, Any]] = []
    for value in values:
        if isinstance(value, dict):
            found += [value] if "_target_" in value else _nested_targets(list(value.values()))
        elif isinstance(value, (list, tuple)):
            found += _nested_targets(list(value))
    return found
