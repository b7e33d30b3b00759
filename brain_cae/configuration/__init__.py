"""The typed schema of the configuration, and the checks that need no data.

YAML files in ``conf/`` hold the values, the dataclasses of ``schema`` hold the types: a key that is not a field is
an error, and so is a value that does not fit. ``validate`` turns a composed Hydra configuration into these
dataclasses; everything behind it works with plain Python values.
"""

from dataclasses import fields, replace
from typing import Any

from omegaconf import DictConfig

from brain_cae.configuration.checks import (
    calibration_needed,
    check_alpha,
    check_choices,
    check_classes,
    check_dataset,
    check_target,
    check_values,
    validation_size,
)
from brain_cae.configuration.conversion import (
    fit_group,
    fit_option,
    keys_beside,
    to_dataclass,
    unknown_key,
    unknown_option,
)
from brain_cae.configuration.options import conf_folder, option_names, read_option
from brain_cae.configuration.schema import (
    Classifier,
    Config,
    EvaluateConfig,
    LeaveProtocolOut,
    Transfer,
)
from brain_cae.configuration.stored import read_stored
from brain_cae.errors import ConfigurationError


def validate(composed: DictConfig) -> Config:
    """Turn a composed configuration into typed values, or say which key is wrong.

    Raises:
        ConfigurationError: A key is unknown, a value has the wrong type or lies outside its range, or two
            choices exclude each other. Of a run that only inspects, the classes that are named are not looked up:
            loading them takes longer than reading a hundred headers.
    """
    config: Config = to_dataclass(composed, Config)
    check_values(config)
    check_choices(config)
    compared = [classifier_option(name) for name in config.transfer.compare]
    if not config.inspect:
        check_classes(config, compared)
    return config


def validate_evaluate(composed: DictConfig) -> EvaluateConfig:
    """The same for ``evaluate.py``; keys of a training run are refused as fixed by the run."""
    for key in map(str, composed):
        if is_fixed(key):
            raise fixed_by_run(key)
    if composed.get("audit") is not None and composed.get("audit_only") is not True:
        raise fixed_by_run("audit")
    config: EvaluateConfig = to_dataclass(composed, EvaluateConfig)
    check_dataset(config.dataset)
    other = [key for key, value in _asked(config).items() if value is not None]
    if other and (config.dataset is not None or config.calibrate is not None or config.audit_only):
        raise ConfigurationError(
            f"`{other[0]}` can be chosen for the run's own subjects only.",
            expected="no dataset, calibrate or audit_only: new subjects are judged by the classifier that the run "
            "has stored",
            where=other[0],
            advice="Leave it out, or train with it.",
        )
    return config


def with_asked(config: Config, asked: EvaluateConfig) -> Config:
    """The run's configuration with the classifier, the balancing and the comparison that ``evaluate.py`` was asked for.

    Raises:
        ConfigurationError: A classifier is unknown, or its search is wrong.
    """
    chosen = {key: value for key, value in _asked(asked).items() if value is not None}
    if not chosen:
        return config
    # The network is the same, and so are the maps that the run has written.
    config = replace(config, evaluation=replace(config.evaluation, maps=False), **chosen)
    check_classes(config, [classifier_option(name) for name in config.transfer.compare])
    return config


def _asked(config: EvaluateConfig) -> dict[str, Any]:
    compare = config.transfer.compare
    compared = None if compare is None else Transfer(compare)
    return {"classifier": config.classifier, "balancing": config.balancing, "transfer": compared}


def classifier_option(name: str) -> Classifier:
    """A classifier of ``conf/classifier`` by its name, as ``transfer.compare`` gives it.

    Raises:
        ConfigurationError: There is none of that name.
    """
    if name not in (known := option_names("classifier")):
        raise unknown_option("classifier", name, known)
    return fit_group(Classifier, read_option("classifier", name), "classifier")


def dataset_option(name: str, **keys: Any) -> Any:
    """A dataset of ``conf/dataset`` by its name, with some of its keys given.

    Example:
        >>> dataset_option("folder", root="/scans").skull
        'unknown'
    """
    return fit_option("dataset", read_option("dataset", name) | keys, "dataset", [])


def is_fixed(key: str) -> bool:
    """Whether a key belongs to a training run alone, so that ``evaluate.py`` takes its value from there."""
    own, trained = ({f.name for f in fields(kind)} for kind in (EvaluateConfig, Config))
    return key.split(".")[0] in trained - own


def fixed_by_run(key: str) -> ConfigurationError:
    """The error for a key of a training run that is given to ``evaluate.py``."""
    return ConfigurationError(
        f"The key `{key}` is fixed by the run.",
        expected=f"only {', '.join(f.name for f in fields(EvaluateConfig))}",
        where=key,
        advice="Train again with another value, or leave it out.",
    )


__all__ = [
    "Classifier",
    "Config",
    "EvaluateConfig",
    "LeaveProtocolOut",
    "calibration_needed",
    "check_alpha",
    "check_target",
    "classifier_option",
    "conf_folder",
    "dataset_option",
    "fixed_by_run",
    "is_fixed",
    "keys_beside",
    "option_names",
    "read_stored",
    "unknown_key",
    "unknown_option",
    "validate",
    "validate_evaluate",
    "validation_size",
    "with_asked",
]
