"""The checks that need no data: ranges, words, and choices that must fit each other."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

from hydra.utils import instantiate

from brain_cae.configuration.conversion import refuse_unknown, unknown_key
from brain_cae.configuration.kinds import SOURCES, find_class, not_a_choice, out_of_range, prefixes
from brain_cae.configuration.schema import (
    Classifier,
    Config,
    LeaveProtocolOut,
    Split,
)
from brain_cae.errors import ConfigurationError
from brain_cae.vocabulary import MODALITIES

# Inclusive and exclusive bounds: (low, high, what the value is).
RANGES: dict[str, tuple[float, float, str]] = {
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
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"),
    "preprocess.scaling": ("median", "white_matter"),
    "preprocess.skull_strip": ("none", "hd_bet", "synthstrip"),
    "model.loss": ("l1", "l2"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "features.levels": ("bottleneck", "all"),
    "stop_after": ("import",),
}


def check_values(config: Config) -> None:
    """Ranges and words, each on its own."""
    for key, (low, high, meaning) in RANGES.items():
        value = _select(config, key)
        if value is not None and not (low <= value <= high):
            raise out_of_range(key, value, meaning)
    for key, words in WORDS.items():
        value = _select(config, key)
        if value is not None and value not in words:
            raise not_a_choice(key, value, words)


def check_dataset(dataset: Any, key: str = "dataset") -> None:
    """What holds for the parts of a data set together."""
    if strangers := set(getattr(dataset, "test_only", [])) - set(getattr(dataset, "parts", {})):
        raise ConfigurationError(
            f"`{key}.test_only` names no part.",
            expected=", ".join(dataset.parts),
            found=", ".join(sorted(strangers)),
            where=f"{key}.test_only",
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
    _check_frame(scoring.frame)
    if config.split.train + config.split.validation >= 1:
        raise ConfigurationError(
            "Nothing is left for classifier and test.",
            expected="split.train + split.validation below 1",
            found=f"{config.split.train} + {config.split.validation}",
            where="split",
        )
    _check_nested(config)
    if isinstance(config.split, LeaveProtocolOut) and getattr(config.dataset, "test_only", []):
        raise ConfigurationError(
            "A held-out protocol is tested alone, without the parts that are for testing only.",
            expected="dataset.test_only=[]",
            found=f"dataset.test_only={config.dataset.test_only}",
            where="split=leave_protocol_out",
            advice="Leave dataset.test_only out, or use split=stratified.",
        )
    healthy = _healthy_subjects(config)
    if healthy is not None and getattr(config.split, "file", None) is None:
        if config.evaluation.name == "nested":
            healthy -= math.ceil(healthy / config.evaluation.folds)
        check_alpha(scoring.alpha, validation_size(healthy, config.split))


def _check_frame(frame: list[int]) -> None:
    """The shared frame must hold a brain."""
    if len(frame) != 3 or min(frame) < 8:
        raise ConfigurationError(
            "`scoring.frame` is no size of a volume.",
            expected="three whole numbers (R, A, S), each at least 8",
            found=str(list(frame)),
            where="scoring.frame",
        )


def _healthy_subjects(config: Config) -> int | None:
    """How many healthy brains there will be, where the source knows before anything is read."""
    source = find_class(config.dataset._target_, "dataset", (*SOURCES.packages, *prefixes(config.extensions)))
    return source.healthy_subjects(config.dataset, config.limit) if hasattr(source, "healthy_subjects") else None


def _check_nested(config: Config) -> None:
    """Outer folds draw the roles themselves."""
    if config.evaluation.name != "nested":
        return
    own = {
        "split=leave_protocol_out": isinstance(config.split, LeaveProtocolOut),
        "split=protocol": config.split.name == "protocol",
        "split.file": getattr(config.split, "file", None) is not None,
        "dataset.test_only": bool(getattr(config.dataset, "test_only", [])),
        "several processes for one run": config.trainer.devices * config.trainer.nodes > 1,
    }
    if clash := [name for name, given in own.items() if given]:
        raise ConfigurationError(
            "evaluation=nested draws the roles of its outer folds itself, in one process.",
            expected="split=stratified, without a file, and trainer.devices=1",
            found=", ".join(clash),
            where="evaluation=nested",
            advice="Leave that out, or use evaluation=crossfit.",
        )


def check_classes(config: Config, compared: Sequence[Classifier] = ()) -> None:
    """Every class that is named must be there, allowed, and take its arguments; loads torch, MONAI and scikit-learn."""
    ours = prefixes(config.extensions)
    check_target(config.model.network, "model.network", allowed=("brain_cae.", "monai.networks.", *ours))
    for name, score in config.scoring.scores.items():
        check_target(score, f"scoring.scores.{name}", allowed=("brain_cae.scoring.", *ours))
    for name, test in config.audit.extra.items():
        check_target(test, f"audit.extra.{name}", allowed=("brain_cae.audit.", *ours))
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


def check_target(node: dict[str, Any], key: str, *, allowed: tuple[str, ...]) -> None:
    """A ``_target_`` must come from a known package and take the arguments that it is given.

    Args:
        node: The table that names the class and its arguments; tables inside are checked as well.
        key: Where it stands in the configuration.
        allowed: Prefixes of allowed names.

    Raises:
        ConfigurationError: The class is missing, comes from elsewhere, or does not know an argument.
    """
    member = find_class(str(node.get("_target_", "")), key, allowed)
    for nested in _nested_targets(list(node.values())):
        check_target(nested, key, allowed=allowed)
    parameters = inspect.signature(member).parameters
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
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
