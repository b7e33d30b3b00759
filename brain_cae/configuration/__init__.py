"""The typed schema of the configuration, and the checks that need no data.

YAML files in ``conf/`` hold the values, the dataclasses of ``schema`` hold the types: a key that is not a field is
an error, and so is a value that does not fit. ``validate`` turns a composed Hydra configuration into these
dataclasses; everything behind it works with plain Python values.
"""

from dataclasses import fields

from omegaconf import DictConfig

from brain_cae.configuration.checks import (
    calibration_needed,
    check_alpha,
    check_choices,
    check_target,
    check_values,
    validation_size,
)
from brain_cae.configuration.conversion import keys_beside, to_dataclass, unknown_key
from brain_cae.configuration.schema import Config, EvaluateConfig, FolderDataset, PhantomDataset, RsnaMiccaiDataset
from brain_cae.errors import ConfigurationError


def validate(composed: DictConfig) -> Config:
    """Turn a composed configuration into typed values, or say which key is wrong.

    Raises:
        ConfigurationError: A key is unknown, a value has the wrong type or lies outside its range, or two
            choices exclude each other.
    """
    config: Config = to_dataclass(composed, Config)
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
                expected="only run, dataset, calibrate, cache, workers",
                where=key,
                advice="Train again with another value, or leave it out.",
            )
    return to_dataclass(composed, EvaluateConfig)


__all__ = [
    "Config",
    "EvaluateConfig",
    "FolderDataset",
    "PhantomDataset",
    "RsnaMiccaiDataset",
    "calibration_needed",
    "check_alpha",
    "check_target",
    "keys_beside",
    "unknown_key",
    "validate",
    "validate_evaluate",
    "validation_size",
]
