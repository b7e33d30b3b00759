"""A sweep that was stopped half-way is taken up in its own folder: what is finished is not repeated.

``hydra.sweep.dir=<old sweep>`` with the choices of the old one. Hydra writes ``.hydra/`` of each job anew before the
job begins: what it held is kept beside it, and put back where the job is refused.
"""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from brain_cae.configuration import Config
from brain_cae.configuration.identity import WITHOUT_EFFECT, choices, configuration_hash, flattened
from brain_cae.configuration.stored import completed
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.run_folder import is_running

log = logging.getLogger(__name__)


KEPT = ".hydra_before"
"""Beside ``.hydra/`` while a sweep is taken up."""


def stored_result(config: Config, folder: Path) -> dict[str, Any] | None:
    """What a job of a sweep has left if it has finished before; otherwise its folder is made ready for a new start.

    Files of a job that failed or was stopped are moved to ``earlier_<number>/`` inside its folder.

    Args:
        config: Of the job as it would run now.
        folder: ``<sweep>/<number>``.

    Returns:
        The content of ``metrics.json`` (empty for a run that measures nothing); None when the job is to run.

    Raises:
        ConfigurationError: It has finished with other choices; the first differences are named.
        RunError: It is running now.
    """
    status = _read_json(folder / "status.json")
    if status is None:
        return None
    if is_running(folder):
        raise RunError(
            "This job of the sweep is running now.",
            expected="a sweep that has ended or was stopped",
            where=str(folder),
            advice="Wait for it, or stop it first.",
        )
    if status.get("status") != "finished":
        _set_aside(folder)
        return None
    differences = _differences(config, folder / "model" / "config.yaml")
    if status.get("configuration") != configuration_hash(config) and differences:
        if (folder / KEPT).is_dir():
            shutil.rmtree(folder / ".hydra")
            (folder / KEPT).rename(folder / ".hydra")
        raise ConfigurationError(
            f"Job {folder.name} of this sweep has finished with other choices.",
            expected="the choices that the sweep was started with",
            found=differences,
            where=str(folder),
            advice="Give the same choices, or leave hydra.sweep.dir out for a new sweep.",
        )
    shutil.rmtree(folder / KEPT, ignore_errors=True)
    log.info("job %s has finished before; its result is taken", folder.name)
    return _read_json(folder / "metrics.json") or {}


def take_up(config: DictConfig) -> None:
    """Get the folder of a sweep that is about to start ready: check its constants, keep what Hydra would overwrite.

    Raises:
        ConfigurationError: See :func:`check_constants`.
    """
    check_constants(config)
    for path in Path(config.hydra.sweep.dir).glob("*/.hydra"):
        kept = path.with_name(KEPT)
        if not kept.exists() and (_read_json(path.with_name("status.json")) or {}).get("status") == "finished":
            shutil.copytree(path, kept)


def check_constants(config: DictConfig) -> None:
    """What a sweep does not vary must be what it was, before any job starts: else it would hold two kinds of jobs.

    Args:
        config: Hydra's configuration of the sweep that is about to start.

    Raises:
        ConfigurationError: The folder holds a sweep with other constants; they are named.
    """
    path = Path(config.hydra.sweep.dir) / "multirun.yaml"
    if not path.is_file():
        return
    before, now = _constants(OmegaConf.create(path.read_text())), _constants(config)
    differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if differ:
        raise ConfigurationError(
            "This folder holds a sweep with other choices.",
            expected="; ".join(f"{key}={before.get(key, '(not given)')}" for key in differ[:5]),
            found="; ".join(f"{key}={now.get(key, '(not given)')}" for key in differ[:5]),
            where=str(path),
            advice="Give the same choices, or leave hydra.sweep.dir out for a new sweep.",
        )


def _constants(config: Any) -> dict[str, Any]:
    """Values of the composed configuration and overrides that are the same for every job."""
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    hydra = plain.pop("hydra")
    params = hydra.get("sweeper", {}).get("params") or {}
    given = [*hydra["overrides"]["task"], *(f"{key}={value}" for key, value in params.items())]
    parsed = OverridesParser.create().parse_overrides(given)
    varied = {one.key_or_group for one in parsed if one.is_sweep_override()}
    fixed = {one.key_or_group: one.get_value_string() for one in parsed if one.key_or_group not in WITHOUT_EFFECT}
    return {key: value for key, value in (dict(flattened(plain)) | fixed).items() if key not in varied}


def _differences(config: Config, path: Path) -> str:
    try:
        before = choices(completed(yaml.safe_load(path.read_text())))
    except (OSError, yaml.YAMLError, AttributeError, KeyError):
        return "another configuration hash; the old configuration was not kept"
    now = choices(asdict(config))
    differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return "; ".join(f"{key} was {before.get(key)}, now {now.get(key)}" for key in differ[:5])


def _set_aside(folder: Path) -> None:
    number = 1 + len(list(folder.glob("earlier_*")))
    aside = folder / f"earlier_{number}"
    aside.mkdir()
    # Last of all the status, so that a job stopped in here is set aside again.
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "status.json"):
        # Hydra has just begun a new .hydra and goes on with the log.
        if path.name != ".hydra" and path.suffix != ".log" and not path.name.startswith("earlier_"):
            path.rename(aside / path.name)
    log.info("job %s had not finished; what it left is in %s", folder.name, aside)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {} if path.is_file() else None
    return found if isinstance(found, dict) else {}
