"""Resuming an interrupted sweep, without running a job."""

import json
from dataclasses import asdict

import pytest
import yaml
from omegaconf import OmegaConf

from brain_cae.cli.sweep import check_constants, keep_failure, prepare_folder, stored_result
from brain_cae.configuration.identity import configuration_hash
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.run_folder import RunFolder
from brain_cae.reporting.summary import read_job


@pytest.fixture
def finished(make_config, tmp_path):
    """The folder of a finished job."""
    config, folder = make_config("seed=3"), RunFolder(tmp_path / "1")
    with folder.status(configuration_hash(config)):
        folder.write_json("metrics.json", {"detection": {"auroc": {"value": 0.75}}})
        folder.write("model/config.yaml", lambda path: path.write_text(yaml.safe_dump(asdict(config))))
    return folder


def test_a_finished_job_gives_its_stored_result(finished, make_config):
    result = stored_result(make_config("seed=3", "workers=1"), finished.path)
    assert result == {"detection": {"auroc": {"value": 0.75}}}


def test_the_tool_that_a_job_stored_in_place_of_auto_is_no_difference(finished, make_config):
    path = finished.path / "model" / "config.yaml"
    stored = yaml.safe_load(path.read_text())
    stored["preprocess"]["skull_strip"] = "deepbet"
    path.write_text(yaml.safe_dump(stored))
    (finished.path / "status.json").write_text(json.dumps({"status": "finished", "configuration": "of that version"}))
    assert stored_result(make_config("seed=3"), finished.path) is not None
    with pytest.raises(ConfigurationError, match="skull_strip was deepbet, now hd_bet"):
        stored_result(make_config("seed=3", "preprocess.skull_strip=hd_bet"), finished.path)


def test_another_configuration_names_the_job_and_the_difference(finished, make_config):
    with pytest.raises(ConfigurationError, match="Job 1 ") as caught:
        stored_result(make_config("seed=4", "trainer.max_epochs=3"), finished.path)
    assert "seed was 3, now 4" in str(caught.value)
    assert "trainer.max_epochs was 40, now 3" in str(caught.value)


def test_a_folder_without_a_run_has_no_stored_result(make_config, tmp_path):
    (tmp_path / ".hydra").mkdir()
    assert stored_result(make_config(), tmp_path) is None
    assert [path.name for path in tmp_path.iterdir()] == [".hydra"]


@pytest.mark.parametrize("status", ['{"status": "running"}', '{"status": "failed", "error": "x"}', '{"stat'])
def test_a_job_that_did_not_finish_starts_in_an_empty_folder(make_config, tmp_path, status):
    for turn in (1, 2):
        (tmp_path / ".hydra").mkdir(exist_ok=True)
        (tmp_path / "train.log").touch()
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "status.json").write_text(status)
        assert stored_result(make_config(), tmp_path) is None
        kept = {".hydra", "train.log"} | {f"earlier_{number}" for number in range(1, turn + 1)}
        assert {path.name for path in tmp_path.iterdir()} == kept
        assert {path.name for path in (tmp_path / f"earlier_{turn}").iterdir()} == {"checkpoints", "status.json"}
    with RunFolder(tmp_path).status():
        pass


def test_a_job_that_was_refused_before_it_began_has_failed_in_the_summary(make_config, finished, tmp_path):
    for folder in (tmp_path / "0", finished.path):
        (folder / ".hydra").mkdir(parents=True)
        keep_failure(folder, "The value of `seed` is out of range.\n  Expected: more")
    jobs = [read_job(folder) for folder in (tmp_path / "0", finished.path)]
    assert [(job["status"], job["error"]) for job in jobs] == [
        ("failed", "The value of `seed` is out of range."), ("finished", "")
    ]  # fmt: skip
    assert stored_result(make_config(), tmp_path / "0") is None  # and it starts anew when the sweep is resumed
    assert not (tmp_path / "0" / "status.json").exists()


def test_a_job_that_is_running_is_left_alone(make_config, tmp_path):
    with RunFolder(tmp_path).status(), pytest.raises(RunError, match="still running"):
        stored_result(make_config(), tmp_path)
    assert json.loads((tmp_path / "status.json").read_text())["status"] == "finished"


def test_a_refused_job_keeps_its_files(finished, make_config, tmp_path):
    overrides = finished / ".hydra" / "overrides.yaml"
    overrides.parent.mkdir()
    for given, refused in (("seed=3", False), ("seed=4", True)):
        overrides.write_text("- seed=3\n")
        prepare_folder(sweep(tmp_path, "seed=3,4"))
        overrides.write_text(f"- {given}\n")  # as Hydra does before the job starts
        if refused:
            with pytest.raises(ConfigurationError):
                stored_result(make_config(given), finished.path)
        else:
            stored_result(make_config(given), finished.path)
        assert overrides.read_text() == "- seed=3\n"
        assert {path.name for path in finished.path.iterdir()} == {".hydra", "model", "metrics.json", "status.json"}


def sweep(folder, *overrides, params=None, epochs=40):
    hydra = {"sweep": {"dir": str(folder)}, "overrides": {"task": list(overrides)}, "sweeper": {"params": params}}
    return OmegaConf.create({"seed": 0, "trainer": {"max_epochs": epochs}, "cache": "a", "hydra": hydra})


def test_a_resumed_sweep_may_vary_more_values_but_not_change_its_constants(tmp_path):
    check_constants(sweep(tmp_path / "new", "seed=0,1"))
    OmegaConf.save(sweep(tmp_path, "seed=0,1", "trainer.max_epochs=5", "cache=/a"), tmp_path / "multirun.yaml")
    check_constants(sweep(tmp_path, "trainer.max_epochs=5", "seed=0,1"))
    check_constants(sweep(tmp_path, "trainer.max_epochs=5", "seed=range(0,3)", "cache=/b"))
    with pytest.raises(ConfigurationError, match=r"trainer.max_epochs=6") as caught:
        check_constants(sweep(tmp_path, "seed=0,1", "trainer.max_epochs=6"))
    assert "trainer.max_epochs=5" in str(caught.value)
    with pytest.raises(ConfigurationError, match="modality=t1"):
        check_constants(sweep(tmp_path, "seed=0,1", "trainer.max_epochs=5", "modality=t1"))


def test_a_sweep_of_an_experiment_is_compared_by_its_parameters(tmp_path):
    params = {"reshape": "fixed,clustered", "seed": "0,1"}
    OmegaConf.save(sweep(tmp_path, "experiment=a", params=params), tmp_path / "multirun.yaml")
    check_constants(sweep(tmp_path, "experiment=a", params=params))
    with pytest.raises(ConfigurationError, match="experiment=b"):
        check_constants(sweep(tmp_path, "experiment=b", params=params))


def test_a_job_of_the_version_before_classes_were_stored_has_the_same_choices(finished, make_config):
    path = finished.path / "model" / "config.yaml"
    stored = yaml.safe_load(path.read_text())
    del (
        stored["dataset"]["_target_"],
        stored["harmonise"]["_target_"],
        stored["extensions"],
    )
    path.write_text(yaml.safe_dump(stored))
    (finished.path / "status.json").write_text(json.dumps({"status": "finished", "configuration": "of that version"}))
    assert stored_result(make_config("seed=3"), finished.path)["detection"]["auroc"]["value"] == 0.75


@pytest.mark.parametrize(
    "text", ["a: &a [1]\nb: *a", "!!python/object/apply:os.getcwd []", "[" * 5000, "seed: 1", "- 1"]
)
def test_a_sweep_of_damaged_constants_is_an_error(tmp_path, text):
    (tmp_path / "multirun.yaml").write_text(text)
    with pytest.raises(RunError, match="cannot be read"):
        check_constants(OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}}))


def test_a_sweep_does_not_start_in_a_folder_with_a_link_that_leads_out(tmp_path):
    (tmp_path / "sweep" / "0").mkdir(parents=True)
    (tmp_path / "sweep" / "0" / "train.log").symlink_to(tmp_path / "victim")
    with pytest.raises(RunError, match="link"):
        prepare_folder(OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path / "sweep")}}}))


def test_a_sweep_for_slurm_away_from_the_cluster_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    hydra = {"runtime": {"choices": {"hydra/launcher": "submitit_slurm"}}, "sweep": {"dir": str(tmp_path / "sweep")}}
    with pytest.raises(ConfigurationError, match="on a machine of the cluster"):
        prepare_folder(OmegaConf.create({"hydra": hydra}))
