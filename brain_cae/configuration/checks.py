"""The checks that need no data: value ranges, allowed words, and choices that must be compatible."""

import inspect
import math
from collections.abc import Sequence
from typing import Any

from hydra.utils import instantiate

from brain_cae.configuration.conversion import refuse_unknown, unknown_key
from brain_cae.configuration.kinds import SOURCES, find_class, not_a_choice, out_of_range, prefixes
from brain_cae.configuration.options import option_names, read_option
from brain_cae.configuration.schema import (
    Classifier,
    Config,
    EvaluateConfig,
    LeaveProtocolOut,
    Split,
)
from brain_cae.errors import ConfigurationError
from brain_cae.vocabulary import MODALITIES

# Inclusive bounds, and a description of valid values: (low, high, description).
RANGES: dict[str, tuple[float, float, str]] = {
    "split.train": (0.01, 0.99, "a share between 0 and 1"),
    "split.validation": (0.01, 0.99, "a share between 0 and 1"),
    "split.validation_minimum": (0, math.inf, "a number of brains, 0 or more"),
    "split.classifier": (0.01, 0.99, "a share between 0 and 1"),
    "calibration.folds": (2, math.inf, "at least 2 folds"),
    "model.learning_rate": (1e-12, math.inf, "a learning rate above 0"),
    "model.weight_decay": (0, math.inf, "a weight decay, 0 or more"),
    "model.corruption": (0, math.inf, "a standard deviation, 0 or more"),
    "trainer.devices": (1, math.inf, "a number of devices, 1 or more"),
    "trainer.nodes": (1, math.inf, "a number of nodes, 1 or more"),
    "trainer.max_epochs": (1, math.inf, "a number of epochs, 1 or more"),
    "trainer.batch_size": (1, math.inf, "a number of volumes, 1 or more"),
    "trainer.workers": (0, math.inf, "a number of processes, 0 or more"),
    "trainer.panel_every": (1, math.inf, "a number of epochs, 1 or more"),
    "scoring.alpha": (1e-6, 0.999999, "a rate between 0 and 1"),
    "scoring.confidence": (0.5, 0.999999, "a probability between 0.5 and 1"),
    "scoring.smoothing_mm": (0, math.inf, "a length in mm, 0 or more"),
    "scoring.samples_per_deviation": (0, math.inf, "a number of samples, 0 or more"),
    "scoring.percentile": (1e-6, 99.999999, "a percentile between 0 and 100"),
    "scoring.voxel_false_positive_rate": (1e-9, 0.999999, "a rate between 0 and 1"),
    "scoring.cluster_share": (0, 1, "a share from 0 to 1"),
    "scoring.shrinkage": (0, math.inf, "a number of brains, 0 or more"),
    "classifier.tuning.trials": (0, math.inf, "a number of trials, 0 or more"),
    "classifier.tuning.folds": (2, math.inf, "at least 2 folds"),
    "evaluation.folds": (2, math.inf, "at least 2 folds"),
    "evaluation.resamples": (10, math.inf, "at least 10 resamples"),
    "evaluation.permutations": (1, math.inf, "at least 1 permutation"),
    "evaluation.views": (0, math.inf, "a number of subjects, 0 or more"),
    "audit.margin": (0.51, 0.99, "an AUROC above 0.5 and below 1"),
    "executor.chunk": (1, math.inf, "a number of subjects, 1 or more"),
    "executor.jobs": (1, math.inf, "a number of jobs, 1 or more"),
    "executor.timeout_min": (2, math.inf, "a time in minutes, 2 or more"),
    "executor.mem_gb": (0.1, math.inf, "a size in GB, 0.1 or more"),
    "executor.cpus_per_task": (1, math.inf, "a number of cores, 1 or more"),
    "workers": (1, math.inf, "a number of processes, 1 or more"),
    "seed": (0, 2**32 - 1, f"a whole number from 0 to {2**32 - 1}"),
    "limit": (1, math.inf, "a number of subjects, 1 or more"),
    "overfit_subjects": (1, math.inf, "a number of subjects, 1 or more"),
}

WORDS: dict[str, tuple[str, ...]] = {
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.strategy": ("auto", "ddp", "ddp_find_unused_parameters_true", "fsdp"),
    "preprocess.scaling": ("median", "white_matter"),
    "preprocess.space": ("box", "mni"),
    "preprocess.bias_correction": ("none", "n4"),
    "preprocess.align": ("rigid", "affine_only"),
    "preprocess.skull_strip": ("auto", "deepbet", "hd_bet", "synthstrip", "none"),
    "model.loss": ("l1", "l2"),
    "scoring.guarantee": ("probable", "average"),
    "scoring.joint": ("mean", "covariance"),
    "scoring.statistic": ("percentile", "combined"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed", "16-mixed"),
    "features.levels": ("bottleneck", "all"),
    "logger.mode": ("offline", "online"),
    "stop_after": ("import", "prepare"),
    "verbosity": ("quiet", "normal", "debug"),
}


PATHS = (
    "cache", "run", "resume", "calibrate", "export", "split.file", "audit.table",
)  # fmt: skip
"""Keys that name a file or folder; an empty text would stand for the current folder, or for no choice at all."""
SOURCE_PATHS = ("root", "table", "labels", "series", "write_series", "key_file")
"""Such keys of a data set."""


def check_values(config: Config | EvaluateConfig) -> None:
    """Check every value separately: its range, or its list of allowed words."""
    for key in (*PATHS, *_source_paths(config)):
        if _select(config, key) == "":
            raise ConfigurationError(
                f"The key `{key}` has no value.",
                expected="a path",
                found="nothing after `=`, as a variable of the shell that is not set leaves it",
                where=key,
                advice="Write the path, or leave the key out.",
            )
    for key, (low, high, meaning) in RANGES.items():
        value = _select(config, key)
        if value is not None and not (low <= value <= high):
            raise out_of_range(key, value, meaning)
    for key, words in WORDS.items():
        value = _select(config, key)
        if value is not None and value not in words:
            raise not_a_choice(key, value, words)


def check_dataset(dataset: Any, key: str = "dataset") -> None:
    """Check what holds for the parts of a data set together."""
    if unknown := set(getattr(dataset, "test_only", [])) - set(getattr(dataset, "parts", {})):
        raise ConfigurationError(
            f"`{key}.test_only` names an unknown part.",
            expected=", ".join(dataset.parts),
            found=", ".join(sorted(unknown)),
            where=f"{key}.test_only",
        )


def _select(config: Config | EvaluateConfig, key: str) -> Any:
    value: Any = config
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


def _source_paths(config: Config | EvaluateConfig) -> list[str]:
    """Return the keys that name files or folders of the data sets and of their parts."""
    sources = [(name, _select(config, name)) for name in ("dataset", "external")]
    keys = [name for name, _ in sources]
    keys += [f"{name}.parts.{part}" for name, source in sources for part in getattr(source, "parts", {})]
    return [f"{key}.{name}" for key in keys for name in SOURCE_PATHS]


def check_choices(config: Config) -> None:
    """Check that the choices are compatible with each other."""
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
                f"`scoring.sign` has no valid direction for `{name}`.",
                expected="darker | brighter | both",
                found=str(scoring.sign.get(name)),
                where=f"scoring.sign.{name}",
            )
    if modality.reference not in modality.names:
        raise ConfigurationError(
            "The reference is not one of the modalities.",
            expected=" | ".join(modality.names),
            found=modality.reference,
            where="modality.reference",
        )
    _check_members(config)
    _check_frame(scoring.frame)
    if config.split.train + config.split.validation >= 1:
        raise ConfigurationError(
            "The shares for training and validation leave no healthy brains for the roles classifier and test.",
            expected="split.train + split.validation below 1",
            found=f"{config.split.train} + {config.split.validation}",
            where="split",
        )
    _check_nested(config)
    _check_crossfit(config)
    if config.split.holds_out_protocol and getattr(config.dataset, "test_only", []):
        raise ConfigurationError(
            "split=leave_protocol_out cannot be combined with dataset.test_only: only the held-out protocol is tested.",
            expected="dataset.test_only=[]",
            found=f"dataset.test_only={config.dataset.test_only}",
            where="split=leave_protocol_out",
            advice="Remove dataset.test_only, or use split=stratified.",
        )
    healthy = _healthy_subjects(config)
    if healthy is not None and not config.split.reads_file:
        if config.evaluation.refits_everything:
            healthy -= math.ceil(healthy / config.evaluation.folds)
        trained = round(healthy * config.split.train) if config.calibration.folds else 0
        check_alpha(scoring.alpha, trained + validation_size(healthy, config.split))


def _check_frame(frame: list[int]) -> None:
    """Check that the shared frame is large enough for a brain."""
    if len(frame) != 3 or min(frame) < 8:
        raise ConfigurationError(
            "`scoring.frame` is not a valid volume size.",
            expected="three whole numbers (R, A, S), each at least 8",
            found=str(list(frame)),
            where="scoring.frame",
        )


def _healthy_subjects(config: Config) -> int | None:
    """Return the number of healthy brains, if the source knows it before anything is read."""
    source = find_class(config.dataset._target_, "dataset", (*SOURCES.packages, *prefixes(config.extensions)))
    return source.healthy_subjects(config.dataset, config.limit) if hasattr(source, "healthy_subjects") else None


def _check_crossfit(config: Config) -> None:
    """Check that one process fits all folds of ``calibration=crossfit``, one after the other."""
    if config.calibration.folds and config.trainer.devices * config.trainer.nodes > 1:
        raise ConfigurationError(
            "calibration=crossfit fits and calibrates its folds in one process.",
            expected="trainer.devices=1 and trainer.nodes=1",
            found=f"trainer.devices={config.trainer.devices}, trainer.nodes={config.trainer.nodes}",
            where="calibration=crossfit",
            advice="Use one device, or calibration=split.",
        )


def _check_nested(config: Config) -> None:
    """Check that nothing else assigns roles with ``evaluation=nested``, whose outer folds draw them."""
    if not config.evaluation.refits_everything:
        return
    conflicts = {
        f"split={config.split.name}": config.split.needs_protocols,
        "split.file": config.split.reads_file,
        "dataset.test_only": bool(getattr(config.dataset, "test_only", [])),
        "several processes for one run": config.trainer.devices * config.trainer.nodes > 1,
    }
    if given := [name for name, chosen in conflicts.items() if chosen]:
        raise ConfigurationError(
            "evaluation=nested draws the roles of its outer folds itself, in one process.",
            expected="split=stratified without a file, and trainer.devices=1",
            found=", ".join(given),
            where="evaluation=nested",
            advice="Remove it, or use evaluation=crossfit.",
        )


def check_classes(config: Config, compared: Sequence[Classifier] = (), *, changed_only: bool = False) -> None:
    """Check that every class exists, is allowed and accepts its arguments; imports torch, MONAI and scikit-learn.

    Args:
        config: Configuration of the run.
        compared: Classifiers that are compared with the configured one.
        changed_only: Skip what is as in its file in ``conf/``, which needs no check unless the file was edited. Without
            any other choice, nothing is imported.
    """
    ours = prefixes(config.extensions)

    def skipped(value: Any, in_conf: Any) -> bool:
        return changed_only and value == in_conf

    if config.model.network is not None and not skipped(
        config.model.network, _in_conf("model", config.model.name).get("network")
    ):
        check_target(config.model.network, "model.network", allowed=("brain_cae.", "monai.networks.", *ours))
        _build_network(config)
    for name, score in config.scoring.scores.items():
        if not skipped(score, _in_conf("scoring/score", name)):
            check_target(score, f"scoring.scores.{name}", allowed=("brain_cae.scoring.", *ours))
    for name, test in config.audit.extra.items():
        check_target(test, f"audit.extra.{name}", allowed=("brain_cae.audit.", *ours))
    for classifier in (config.classifier, *compared):
        option = _in_conf("classifier", classifier.name)
        chosen = {"estimator": classifier.estimator, "space": classifier.tuning.space}
        if not skipped(chosen, {"estimator": option.get("estimator"), "space": option.get("tuning", {}).get("space")}):
            check_target(classifier.estimator, "classifier.estimator", allowed=("sklearn.",))
            _check_space(classifier)
    sampler = config.balancing.sampler
    if sampler is not None and not skipped(sampler, _in_conf("balancing", config.balancing.name).get("sampler")):
        check_target(sampler, "balancing.sampler", allowed=("imblearn.",))


def _check_members(config: Config) -> None:
    """Check that every further model exists, and that none of them predicts the only modality from nothing."""
    for name in config.model.members:
        if name not in (known := option_names("model")):
            raise not_a_choice("model.members", name, tuple(sorted(known)))
    if "translation" in (config.model.name, *config.model.members) and len(config.modality.names) == 1:
        raise ConfigurationError(
            "A translation needs two modalities or more.",
            expected="a modality to predict and another to predict it from",
            found=f"modality={config.modality.name}",
            where="model.members" if config.model.name != "translation" else "model",
            advice="Choose modality=t1_flair or another pair, or model=cae.",
        )


def _in_conf(group: str, name: str) -> dict[str, Any]:
    """Return the values of an option as in its file; empty for a name that is not in ``conf/``."""
    return read_option(group, name) if name in option_names(group) else {}


def _check_space(classifier: Classifier) -> None:
    """Check that the search space names parameters of the estimator, each with a range or a list of choices."""
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
                f"`{key}.{name}` is neither a range nor a list of choices.",
                expected="{low: 0.1, high: 10, log: true} with low below high and above 0, or {choices: [a, b]}",
                found=str(values),
                where=f"{key}.{name}",
            )


def _build_network(config: Config) -> None:
    """Build the network on the ``meta`` device, without using memory, to check the values of its arguments."""
    import torch

    try:
        with torch.device("meta"):
            network = instantiate(config.model.network, in_channels=len(config.modality.names), _convert_="all")
        # PyTorch builds layers without channels, which fail when they meet an image.
        if empty := [name for name, weights in network.named_parameters() if not weights.numel()]:
            raise ValueError(f"{empty[0]} has no weights: a number of channels is 0")
    except Exception as error:
        cause = error.__cause__ or error
        raise ConfigurationError(
            "The network cannot be built with these arguments.",
            found=str(cause).splitlines()[0] if str(cause) else type(cause).__name__,
            where="model.network",
            advice=f"Compare the arguments with conf/model/{config.model.name}.yaml.",
        ) from error


def validation_size(healthy: int, split: Split | LeaveProtocolOut) -> int:
    """Return the number of healthy brains for validation: its share, raised to ``validation_minimum`` if possible.

    The minimum is never raised above half of the healthy brains.
    """
    return max(round(healthy * split.validation), min(split.validation_minimum, healthy // 2))


def calibration_needed(alpha: float) -> int:
    """Return the number n of healthy brains that are needed for the p-value 1 / (n + 1) to reach ``alpha``."""
    return math.ceil(1 / alpha - 1e-9) - 1


def check_alpha(alpha: float, validation: int) -> None:
    """Check that conformal p-values, which are at least 1 / (n + 1), can reach ``alpha``.

    Raises:
        ConfigurationError: There are too few validation brains, so that no subject could ever be flagged.
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
    """Check that a ``_target_`` belongs to an allowed package and accepts its arguments.

    Args:
        node: Mapping with the class and its arguments; nested mappings are checked too.
        key: Key of the mapping in the configuration.
        allowed: Prefixes of allowed class names.

    Raises:
        ConfigurationError: The class does not exist, is not in an allowed package, or does not accept an argument.
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
    """Return all mappings with a ``_target_`` at any depth; not those inside another target."""
    targets: list[dict[str, Any]] = []
    for value in values:
        if isinstance(value, dict):
            targets += [value] if "_target_" in value else _nested_targets(list(value.values()))
        elif isinstance(value, (list, tuple)):
            targets += _nested_targets(list(value))
    return targets
