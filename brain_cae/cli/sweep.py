"""Resuming an interrupted sweep in its folder: finished jobs are not repeated.

Use ``hydra.sweep.dir=<old sweep>`` with the same choices. Hydra overwrites ``.hydra/`` of each job before the job
starts, so its old content is backed up first, and restored if the job is refused.
"""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_cae.configuration import Config
from brain_cae.configuration.identity import SKULL_STRIP, WITHOUT_EFFECT, choices, configuration_hash, flattened
from brain_cae.configuration.stored import completed
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.atomic import write_text
from brain_cae.files.documents import read_json, read_yaml
from brain_cae.files.links import refuse_links
from brain_cae.files.run_folder import is_running

log = logging.getLogger(__name__)


BACKUP = ".hydra_before"
"""Backup of ``.hydra/`` while a sweep is resumed."""


def stored_result(config: Config, folder: Path) -> dict[str, Any] | None:
    """Return the result of a finished job of a sweep; otherwise prepare the job's folder for a new start.

    Files of a job that failed or was interrupted are moved to ``earlier_<number>/`` inside its folder.

    Args:
        config: Configuration with which the job would run now.
        folder: Folder of the job, ``<sweep>/<number>``.

    Returns:
        The content of ``metrics.json`` (empty for a run without metrics); None if the job has to run.

    Raises:
        ConfigurationError: The job has finished with other choices; the first differences are named.
        RunError: The job is still running.
    """
    status = _read_json(folder / "status.json")
    if status is None:
        return None
    if is_running(folder):
        raise RunError(
            "This job of the sweep is still running.",
            expected="a sweep without running jobs",
            where=str(folder),
            advice="Wait until it has finished, or stop it first.",
        )
    if status.get("status") != "finished":
        _set_aside(folder)
        return None
    differences = _differences(config, folder / "model" / "config.yaml")
    if status.get("configuration") != configuration_hash(config) and differences:
        if (folder / BACKUP).is_dir():
            shutil.rmtree(folder / ".hydra")
            (folder / BACKUP).rename(folder / ".hydra")
        raise ConfigurationError(
            f"Job {folder.name} of this sweep has finished with other choices.",
            expected="the choices with which the sweep was started",
            found=differences,
            where=str(folder),
            advice="Use the same choices, or remove hydra.sweep.dir to start a new sweep.",
        )
    shutil.rmtree(folder / BACKUP, ignore_errors=True)
    log.info("job %s has already finished; its stored result is used", folder.name)
    return _read_json(folder / "metrics.json") or {}


def prepare_folder(config: DictConfig) -> None:
    """Prepare the folder of a sweep that is about to start: check its constants, back up what Hydra would overwrite.

    Raises:
        ConfigurationError: Its jobs are for Slurm, which is not on this machine; or see :func:`check_constants`.
        RunError: The folder contains a link that leads out of it.
    """
    chosen = OmegaConf.select(config, "hydra.runtime.choices") or {}
    if chosen.get("hydra/launcher") == "submitit_slurm" and shutil.which("srun") is None:
        raise ConfigurationError(
            "hydra/launcher=submitit_slurm must be started on a machine of the cluster.",
            expected="the commands of Slurm",
            found="no command `srun` on the PATH",
            where="hydra/launcher",
            advice="Start it on the cluster's login node, or use hydra/launcher=joblib or submitit_local.",
        )
    refuse_links(Path(config.hydra.sweep.dir))
    check_constants(config)
    for path in Path(config.hydra.sweep.dir).glob("*/.hydra"):
        backup = path.with_name(BACKUP)
        if not backup.exists() and (_read_json(path.with_name("status.json")) or {}).get("status") == "finished":
            shutil.copytree(path, backup)


def check_constants(config: DictConfig) -> None:
    """Check that the choices that a sweep does not vary are unchanged, so that its jobs remain comparable.

    Args:
        config: Hydra's configuration of the sweep that is about to start.

    Raises:
        ConfigurationError: The folder contains a sweep with other constants; they are named.
    """
    path = Path(config.hydra.sweep.dir) / "multirun.yaml"
    if not path.is_file():
        return
    try:
        before = _constants(OmegaConf.create(dict(read_yaml(path))))
    except (ValueError, AttributeError, KeyError, TypeError, HydraException, OmegaConfBaseException) as error:
        raise RunError(
            "The choices of this sweep cannot be read.",
            expected="multirun.yaml as Hydra writes it",
            found="a file that is damaged, or of another program",
            where=str(path),
            advice="Remove hydra.sweep.dir to start a new sweep.",
        ) from error
    now = _constants(config)
    differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if differ:
        raise ConfigurationError(
            "This folder contains a sweep with other choices.",
            expected="; ".join(f"{key}={before.get(key, '(not given)')}" for key in differ[:5]),
            found="; ".join(f"{key}={now.get(key, '(not given)')}" for key in differ[:5]),
            where=str(path),
            advice="Use the same choices, or remove hydra.sweep.dir to start a new sweep.",
        )


def _constants(config: Any) -> dict[str, Any]:
    """Return values of the composed configuration, and overrides, that are the same for every job."""
    plain: Any = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    hydra = plain.pop("hydra")
    params = hydra.get("sweeper", {}).get("params") or {}
    given = [*hydra["overrides"]["task"], *(f"{key}={value}" for key, value in params.items())]
    parsed = OverridesParser.create().parse_overrides(given)
    varied = {one.key_or_group for one in parsed if one.is_sweep_override()}
    fixed = {one.key_or_group: one.get_value_string() for one in parsed if one.key_or_group not in WITHOUT_EFFECT}
    return {key: value for key, value in (dict(flattened(completed(plain))) | fixed).items() if key not in varied}


def _differences(config: Config, path: Path) -> str:
    try:
        before = choices(completed(read_yaml(path)))
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return "another configuration hash; the old configuration was not stored"
    now = choices(asdict(config))
    if now[SKULL_STRIP] == "auto" and before.get(SKULL_STRIP) in ("deepbet", "none"):
        now[SKULL_STRIP] = before[SKULL_STRIP]  # the run stores the tool in place of auto
    differ = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    return "; ".join(f"{key} was {before.get(key)}, now {now.get(key)}" for key in differ[:5])


def keep_failure(folder: Path, error: str) -> None:
    """Write the status of a job that was refused before it began, such as for an invalid value: it has none yet."""
    if not (folder / "status.json").exists():
        status = {"status": "failed", "error": error.splitlines()[0]}
        write_text(folder / "status.json", json.dumps(status) + "\n")


def _set_aside(folder: Path) -> None:
    number = 1 + len(list(folder.glob("earlier_*")))
    aside = folder / f"earlier_{number}"
    aside.mkdir()
    # The status is moved last, so that a job interrupted here is set aside again.
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "status.json"):
        # Hydra has just written a new .hydra and appends to the log.
        if path.name != ".hydra" and path.suffix != ".log" and not path.name.startswith("earlier_"):
            path.rename(aside / path.name)
    log.info("job %s had not finished; its files were moved to %s", folder.name, aside)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {} if path.is_file() else None
    return content if isinstance(content, dict) else {}
