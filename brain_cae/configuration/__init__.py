"""The typed configuration schema, and the checks that need no data.

YAML files in ``conf/`` define the values, the dataclasses of ``schema`` define the types. An unknown key and a value
of the wrong type are errors. ``validate`` turns a composed Hydra configuration into these dataclasses; all later code
works with plain Python values.
"""

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

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
    keys_called,
    to_dataclass,
    unknown_key,
    unknown_option,
)
from brain_cae.configuration.options import conf_folder, export_format, export_formats, option_names, read_option
from brain_cae.configuration.schema import (
    Classifier,
    Config,
    EvaluateAudit,
    EvaluateConfig,
    EvaluateScoring,
    LeaveProtocolOut,
    Model,
    Scoring,
    Transfer,
)
from brain_cae.configuration.stored import UNREADABLE, as_typed, read_stored, write_choices
from brain_cae.errors import ConfigurationError, RunError


def validate(composed: DictConfig) -> Config:
    """Return the typed configuration of a training run.

    Raises:
        ConfigurationError: A key is unknown, a value has the wrong type or is out of range, or two choices exclude
            each other. Importing classes takes seconds: only those whose choice differs from ``conf/`` are imported;
            :func:`check_classes` checks all of them.
    """
    config: Config = to_dataclass(composed, Config)
    check_values(config)
    check_choices(config)
    check_classes(config, [classifier_option(name) for name in config.transfer.compare], changed_only=True)
    return config


def validate_stored(run: Path, extensions: Sequence[str], **asked: Any) -> Config:
    """Return the typed configuration of a finished run, with the keys in ``asked`` and the packages in ``extensions``.

    Raises:
        RunError: The folder contains no model, or one that this version of the program does not know.
    """
    stored = read_stored(run)
    try:
        return validate(OmegaConf.create(stored | {"extensions": list(extensions)} | asked))
    except ConfigurationError as error:
        trust = error.advice if "extensions=" in str(error.advice) else None
        newer = "if a newer version of the program wrote it, update this one (`--version` shows which it is)."
        raise RunError(
            UNREADABLE,
            expected="config.yaml as `train.py` writes it",
            found=error.problem,
            where=str(run / "model" / "config.yaml"),
            advice=trust or f"Copy the whole folder model/ again; {newer}",
        ) from error


def validate_evaluate(composed: DictConfig) -> EvaluateConfig:
    """Return the typed configuration of ``evaluate.py``; keys of a training run are refused as fixed by the run."""
    for key in map(str, composed):
        if is_fixed(key):
            raise fixed_by_run(key)
    config: EvaluateConfig = to_dataclass(composed, EvaluateConfig)
    if config.audit is not None and config.audit.table is not None:
        config = replace(config, audit_only=True)
    elif not config.audit_only and config.audit not in (None, EvaluateAudit(**read_option("audit", "standard"))):
        raise fixed_by_run("audit")
    check_values(config)
    check_dataset(config.dataset)
    _check_export(config.export)
    _check_audit(config)
    other = [key for key, value in _asked(config).items() if value is not None]
    if other and (config.dataset is not None or config.calibrate is not None or config.audit_only):
        raise ConfigurationError(
            f"`{other[0]}` can only be chosen for the subjects of the run.",
            expected="no dataset, calibrate or audit_only: new subjects are scored with the stored classifier of the "
            "run",
            where=other[0],
            advice="Remove it, or train with it.",
        )
    return config


def _check_audit(config: EvaluateConfig) -> None:
    """Check that an audit without a model is given no scans and no export that it would not use."""
    if not config.audit_only:
        return
    of_table = config.audit is not None and config.audit.table is not None
    audit, unused = ("audit.table", ("dataset",)) if of_table else ("audit_only", ())
    for key in (*unused, "calibrate", "export"):
        if getattr(config, key) is not None:
            raise ConfigurationError(
                f"`{audit}` does not use `{key}`.",
                expected="one of both",
                where=key,
                advice=f"Leave out {key} to audit the {'table' if of_table else 'headers'}, or {audit} to use a model.",
            )


def _check_export(export: str | None) -> None:
    if export is not None and export_format(export) not in (formats := export_formats()):
        raise ConfigurationError(
            f"There is no export format `{export}`.",
            expected=f"a file such as model.zip, or {' | '.join(formats)}",
            found=export,
            where="export",
        )


def with_asked(config: Config, asked: EvaluateConfig) -> Config:
    """Return the run's configuration with the decision rule, classifier and comparison requested from ``evaluate.py``.

    Raises:
        ConfigurationError: A classifier is unknown, or its search space is invalid.
    """
    rule = {key: value for key, value in asdict(asked.scoring).items() if value is not None}
    if rule:
        config = replace(config, scoring=replace(config.scoring, **rule))
    chosen = {key: value for key, value in _asked(asked).items() if value is not None}
    if not chosen:
        return config
    # The network is unchanged, so the anomaly maps of the run stay valid.
    config = replace(config, evaluation=replace(config.evaluation, maps=False), **chosen)
    check_classes(config, [classifier_option(name) for name in config.transfer.compare])
    return config


def _asked(config: EvaluateConfig) -> dict[str, Any]:
    compare = config.transfer.compare
    compared = None if compare is None else Transfer(compare)
    return {"classifier": config.classifier, "balancing": config.balancing, "transfer": compared}


def classifier_option(name: str) -> Classifier:
    """Return a classifier of ``conf/classifier`` by name, as listed in ``transfer.compare``.

    Raises:
        ConfigurationError: There is no classifier with that name.
    """
    if name not in (known := option_names("classifier")):
        raise unknown_option("classifier", name, known)
    return fit_group(Classifier, read_option("classifier", name), "classifier")


def model_option(name: str) -> Model:
    """Return a model of ``conf/model`` by name, as listed in ``model.members``."""
    return fit_group(Model, read_option("model", name), "model")


def dataset_option(name: str, **keys: Any) -> Any:
    """A dataset of ``conf/dataset`` by its name, with some of its keys given.

    Example:
        >>> dataset_option("folder", root="/scans").skull
        'unknown'
    """
    return fit_option("dataset", read_option("dataset", name) | keys, "dataset", [])


def is_fixed(key: str) -> bool:
    """Return whether a key belongs only to a training run, so that ``evaluate.py`` uses the value of the run."""
    pairs = {"": (EvaluateConfig, Config), "scoring.": (EvaluateScoring, Scoring)}
    group = next(group for group in reversed(pairs) if key.startswith(group))
    evaluated, trained = ({f.name for f in fields(kind)} for kind in pairs[group])
    return key.removeprefix(group).split(".")[0] in trained - evaluated


def fixed_by_run(key: str) -> ConfigurationError:
    """Return the error for a key of a training run that is given to ``evaluate.py``."""
    return ConfigurationError(
        f"The key `{key}` is fixed by the run.",
        expected=f"only {', '.join(f.name for f in fields(EvaluateConfig))}",
        where=key,
        advice="Remove it, or train again with another value.",
    )


__all__ = [
    "UNREADABLE",
    "Classifier",
    "Config",
    "EvaluateConfig",
    "LeaveProtocolOut",
    "Model",
    "as_typed",
    "calibration_needed",
    "check_alpha",
    "check_classes",
    "check_target",
    "classifier_option",
    "conf_folder",
    "dataset_option",
    "export_format",
    "export_formats",
    "fixed_by_run",
    "is_fixed",
    "keys_beside",
    "keys_called",
    "model_option",
    "option_names",
    "read_option",
    "read_stored",
    "unknown_key",
    "unknown_option",
    "validate",
    "validate_evaluate",
    "validate_stored",
    "validation_size",
    "with_asked",
    "write_choices",
]
