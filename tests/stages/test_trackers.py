"""Loggers and trackers; the trackers' packages are optional."""

import logging
import socket

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from brain_cae.configuration.schema import Logger, MlflowLogger, WandbLogger
from brain_cae.errors import ConfigurationError
from brain_cae.stages import trackers
from brain_cae.stages.trackers import make_loggers, record_result, require_tracker

from ..known import Known

RESULT = {
    "parameters": {"seed": 3, "dataset@external": "folder"},
    "metrics": {"auroc": 0.91},
    "verdict": "at risk",
}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "2026-11-28" / "12-00-00-abc"
    folder.mkdir(parents=True)
    (folder / "status.json").write_text("{}")
    (folder / "report.html").write_text("<p>the report</p>")
    return folder


def fit(settings: Logger, run) -> list:
    loggers = make_loggers(settings, run, run / "tensorboard")
    trainer = pl.Trainer(accelerator="cpu", max_epochs=2, logger=loggers, default_root_dir=run, log_every_n_steps=1,
                         enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False)  # fmt: skip
    trainer.fit(Known(), DataLoader(torch.tensor([1.0, 2.0, 6.0]), batch_size=1))
    return loggers


@pytest.mark.parametrize(("name", "kind"), [("csv", CSVLogger), ("tensorboard", TensorBoardLogger)])
def test_without_a_tracker_there_is_one_logger(run, name, kind):
    (logger,) = make_loggers(Logger(name), run, run / "tensorboard" / "reshape=fixed")
    assert type(logger) is kind and logger.log_dir == str(run / "tensorboard" / "reshape=fixed")
    record_result(Logger(name), run, **RESULT)


def test_a_missing_package_is_an_error_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'brain-cae\[mlflow\]'"):
        require_tracker("mlflow")
    require_tracker("tensorboard")


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_an_outer_fold_has_no_tracker(run, name, make_config):
    settings = make_config(f"logger={name}").logger
    (run / "status.json").unlink()
    assert len(make_loggers(settings, run, run / "tensorboard")) == 1


@pytest.fixture
def no_network(monkeypatch):
    """Refuse connections beyond this machine."""
    connect = socket.socket.connect

    def local(self, address):
        assert self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost"), address
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local)


@pytest.mark.extras
def test_mlflow_has_curves_choices_figures_and_the_report_in_a_local_store(run, no_network, caplog):
    mlflow = pytest.importorskip("mlflow")
    caplog.set_level(logging.WARNING)
    settings = MlflowLogger("mlflow", store=None, experiment="brains", report=True)
    assert type(fit(settings, run)[0]) is TensorBoardLogger
    record_result(settings, run, **RESULT)
    client = mlflow.MlflowClient(f"sqlite:///{run / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "brains"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.data.params == {"seed": "3", "dataset_external": "folder"}
    assert found.data.metrics["train/loss"] == 3.0 and found.data.metrics["result/auroc"] == 0.91
    assert found.data.tags["verdict"] == "at risk" and found.info.run_name == "2026-11-28/12-00-00-abc"
    assert found.info.status == "FINISHED"
    assert next((run / "mlflow").glob("**/report.html")).read_text() == "<p>the report</p>"
    assert not [one for one in caplog.records if one.name.startswith(("mlflow", "alembic", "pytorch"))]


@pytest.mark.extras
def test_several_runs_share_a_store_and_the_report_can_be_kept_back(run, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    store = f"sqlite:///{tmp_path / 'all.db'}"
    settings = MlflowLogger("mlflow", store=store, experiment="brain_cae", report=False)
    other = run.with_name("13-00-00-def")
    other.mkdir()
    (other / "status.json").touch()
    for folder in (run, other):
        fit(settings, folder)
    for folder, auroc in ((run, 0.8), (other, 0.9)):
        record_result(settings, folder, **RESULT | {"metrics": {"auroc": auroc}})
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("brain_cae")
    runs = client.search_runs([experiment.experiment_id], order_by=["metrics.`result/auroc` DESC"])
    assert [one.info.run_name.rpartition("/")[2] for one in runs] == ["13-00-00-def", "12-00-00-abc"]
    assert not list(tmp_path.glob("mlflow/**/report.html"))


@pytest.mark.extras
def test_wandb_stays_offline_and_does_not_describe_the_machine(run, no_network, monkeypatch):
    wandb = pytest.importorskip("wandb")
    settings = WandbLogger("wandb", mode="offline", experiment="brains", report=True)
    fit(settings, run)
    tracked, summary = wandb.run, {}
    finish = tracked.finish
    monkeypatch.setattr(tracked, "finish", lambda: (summary.update(tracked.summary), finish()))
    record_result(settings, run, **RESULT)
    assert wandb.run is None
    assert summary["train/loss"] == 3.0 and summary["result/auroc"] == 0.91 and summary["verdict"] == "at risk"
    assert tracked.config["seed"] == 3
    assert tracked.settings.mode == "offline" and tracked.settings.x_disable_meta and tracked.settings.console == "off"
    (offline,) = (run / "wandb").glob("offline-run-*")
    assert next(offline.glob("*.wandb")).stat().st_size > 0
    assert not {"wandb-metadata.json", "output.log", "config.yaml"} & {path.name for path in offline.glob("files/*")}
