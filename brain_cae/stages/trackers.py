"""Loggers of training: TensorBoard or CSV, and beside TensorBoard a tracker, MLflow or Weights & Biases.

Nothing leaves this machine unless an address or ``mode=online`` is given: both trackers write to the folder of the run,
and what they would report about their own use is switched off. They receive curves, choices, final figures and, unless
``logger.report=false``, the report; not the log, whose lines name subjects, and no tables.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from brain_cae.configuration.schema import Logger, MlflowLogger, WandbLogger
from brain_cae.errors import ConfigurationError
from brain_cae.stages.processes import is_main_process

log = logging.getLogger(__name__)

TRACKERS = {"mlflow": "MLflow", "wandb": "Weights & Biases"}
"""Packages of the trackers, which are the names of options and extras, and their names."""

FOLDER = "folder"
"""Tag by which the run of a folder is found again."""


def require_tracker(name: str) -> None:
    """Check that the package of a tracker is installed.

    Raises:
        ConfigurationError: It is not.
    """
    if name in TRACKERS and find_spec(name) is None:
        raise ConfigurationError(
            f"{TRACKERS[name]} is not installed.",
            expected=f"the extra `{name}`",
            where=f"logger={name}",
            advice=f"Install it with `pip install 'brain-cae[{name}]'`, or use logger=tensorboard.",
        )


def make_loggers(settings: Logger, folder: Path, board: Path) -> list[Any]:
    """Return the loggers of a training, the one of the curves first.

    Args:
        settings: The configured logger.
        folder: Folder of the run; a training inside another run, as in an outer fold, has no tracker.
        board: Folder of the TensorBoard or CSV files.
    """
    from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger

    kind: Any = CSVLogger if settings.name == "csv" else TensorBoardLogger
    loggers: list[Any] = [kind(save_dir=folder, name="", version=board.relative_to(folder).as_posix())]
    if is_main_process() and (folder / "status.json").is_file():
        if isinstance(settings, MlflowLogger):
            loggers.append(_mlflow(settings, folder))
        elif isinstance(settings, WandbLogger):
            loggers.append(_wandb(settings, folder))
    return loggers


def record_result(
    settings: Logger,
    folder: Path,
    *,
    parameters: Mapping[str, str | float],
    metrics: Mapping[str, float],
    verdict: str,
) -> None:
    """Record choices, final figures, verdict and the report of a finished run in its tracker, if it has one."""
    figures = {f"result/{name}": value for name, value in metrics.items()}
    if isinstance(settings, MlflowLogger):
        _finish_mlflow(settings, folder, parameters, figures, verdict)
    elif isinstance(settings, WandbLogger):
        _finish_wandb(settings, folder, parameters, figures, verdict)


def _mlflow(settings: MlflowLogger, folder: Path) -> Any:
    """Return MLflow's logger; the experiment is created here, so that its files lie beside a local store."""
    from pytorch_lightning.loggers import MLFlowLogger

    store, client = _store(settings, folder), _client(settings, folder)
    if client.get_experiment_by_name(settings.experiment) is None:
        local = store.startswith("sqlite:///")
        files = (Path(store.removeprefix("sqlite:///")).absolute().parent / "mlflow").as_uri() if local else None
        with suppress(_taken()):  # by a job that started at the same time
            client.create_experiment(settings.experiment, artifact_location=files)
    return MLFlowLogger(
        experiment_name=settings.experiment,
        run_name=f"{folder.parent.name}/{folder.name}",
        tracking_uri=store,
        tags={FOLDER: str(folder)},
    )


def _finish_mlflow(
    settings: MlflowLogger,
    folder: Path,
    parameters: Mapping[str, str | float],
    figures: Mapping[str, float],
    verdict: str,
) -> None:
    from mlflow.entities import Metric, Param

    client = _client(settings, folder)
    experiment = client.get_experiment_by_name(settings.experiment)
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])
    run = next((one.info.run_id for one in found if one.data.tags.get(FOLDER) == str(folder)), None)
    if run is None:
        log.warning("The run of %s is not in the MLflow store any more: its result is not recorded.", folder)
        return
    client.log_batch(
        run,
        params=[Param(re.sub(r"[^\w. /-]", "_", key), str(value)[:500]) for key, value in parameters.items()],
        metrics=[Metric(key, value, int(1000 * time.time()), 0) for key, value in figures.items()],
    )
    client.set_tag(run, "verdict", verdict)
    if settings.report:
        client.log_artifact(run, str(folder / "report.html"))


def _store(settings: MlflowLogger, folder: Path) -> str:
    return settings.store or f"sqlite:///{folder.absolute() / 'mlflow.db'}"


def _client(settings: MlflowLogger, folder: Path) -> Any:
    # Before the import: the package reports its use from then on.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(_store(settings, folder))


def _taken() -> type[Exception]:
    from mlflow.exceptions import MlflowException

    return MlflowException


def _wandb(settings: WandbLogger, folder: Path) -> Any:
    """Return the logger of Weights & Biases, without the machine, the code, the command line and the console."""
    os.environ["WANDB_ERROR_REPORTING"] = "false"
    os.environ["WANDB_SILENT"] = "true"
    import wandb
    from pytorch_lightning.loggers import WandbLogger

    if wandb.run is not None:  # of a job of the same sweep that has failed
        wandb.run.finish(exit_code=1)
    if settings.mode == "online":
        sent = "figures and the report, with images of brains," if settings.report else "and figures"
        log.warning("logger.mode=online sends curves, choices, %s to a server.", sent)
    mode: Any = settings.mode
    run = wandb.init(
        name=f"{folder.parent.name}/{folder.name}",
        dir=folder,
        project=settings.experiment,
        mode=mode,
        settings=wandb.Settings(
            console="off",
            disable_code=True,
            disable_git=True,
            save_code=False,
            silent=True,
            x_disable_machine_info=True,
            x_disable_meta=True,
            x_disable_stats=True,
        ),
    )
    return WandbLogger(experiment=run, save_dir=folder)


def _finish_wandb(
    settings: WandbLogger,
    folder: Path,
    parameters: Mapping[str, str | float],
    figures: Mapping[str, float],
    verdict: str,
) -> None:
    import wandb

    if wandb.run is None:
        return
    wandb.run.config.update({**parameters, FOLDER: str(folder)}, allow_val_change=True)
    wandb.run.summary.update({**figures, "verdict": verdict})
    if settings.report:
        artifact = wandb.Artifact(f"report-{wandb.run.id}", type="report")
        artifact.add_file(str(folder / "report.html"))
        wandb.run.log_artifact(artifact)
    wandb.run.finish()
