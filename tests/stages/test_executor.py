"""The configured executor."""

import importlib.util
from pathlib import Path

import pytest

from brain_cae.configuration import EvaluateConfig
from brain_cae.errors import ConfigurationError
from brain_cae.executor import Jobs, Processes
from brain_cae.stages import executor
from brain_cae.stages.executor import make_executor


def test_processes_are_the_default(make_config) -> None:
    assert make_executor(make_config("workers=3")) == Processes(3)
    assert make_executor(EvaluateConfig(run=None, cache="", workers=2)) == Processes(2)


def test_settings_reach_submitit_under_its_names(make_config, monkeypatch) -> None:
    from submitit import AutoExecutor

    monkeypatch.setattr(executor.shutil, "which", lambda _: "/usr/bin/sbatch")
    config = make_config("executor=submitit_slurm", "executor.partition=short", "executor.chunk=7", "cache=/shared")
    made = make_executor(config)
    assert isinstance(made, Jobs)
    assert (made.cluster, made.folder, made.chunk, made.jobs) == ("slurm", Path("/shared/jobs"), 7, 100)
    assert made.parameters["slurm_partition"] == "short" and made.parameters["mem_gb"] == 4
    local = make_executor(make_config("executor=submitit_local"))
    assert isinstance(local, Jobs) and local.cluster == "local" and local.parameters == {"timeout_min": 120}
    monkeypatch.undo()
    monkeypatch.setattr("submitit.SlurmExecutor.affinity", classmethod(lambda _: 2))
    AutoExecutor("/nowhere", cluster="slurm").update_parameters(**made.parameters)  # unknown names are errors


def test_what_is_missing_is_named(make_config, monkeypatch) -> None:
    monkeypatch.setattr(executor.shutil, "which", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"no command `sbatch`(.|\n)*login node"):
        make_executor(make_config("executor=submitit_slurm"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"needs submitit(.|\n)*\[sweep\]"):
        make_executor(make_config("executor=submitit_local"))


def test_a_value_out_of_range_is_refused(make_config) -> None:
    with pytest.raises(ConfigurationError, match=r"executor\.chunk"):
        make_config("executor=submitit_local", "executor.chunk=0")
