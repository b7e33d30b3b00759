"""Only one process of a run evaluates and reports."""

import pytest
from lightning_fabric.utilities.rank_zero import _get_rank

from brain_cae.errors import ConfigurationError
from brain_cae.stages.processes import RANKS, check_processes, is_main_process


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in (*RANKS, "NODE_RANK", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)


def test_a_process_alone_is_the_main_process():
    assert is_main_process()


def test_a_process_on_another_node_is_not_the_main_process(monkeypatch):
    monkeypatch.setenv("NODE_RANK", "1")
    assert not is_main_process()


@pytest.mark.parametrize(
    ("variables", "main"),
    [
        ({"LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0"}, True),
        ({"SLURM_PROCID": "2"}, False),
        ({"RANK": "3", "LOCAL_RANK": "0"}, False),
        ({"LOCAL_RANK": "0", "SLURM_PROCID": "1"}, True),
    ],
)
def test_the_number_of_a_process_is_the_one_that_lightning_reads(monkeypatch, variables, main):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert is_main_process() == main
    assert (_get_rank() in (None, 0)) == main


@pytest.mark.parametrize("variables", [{}, {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}, {"LOCAL_RANK": "0"}])
def test_one_device_needs_no_cluster(make_config, monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    check_processes(make_config("trainer=cpu").trainer)


@pytest.mark.parametrize("name", [*RANKS, "NODE_RANK"])
def test_further_processes_on_one_device_are_refused(make_config, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationError, match=f"one device[\\s\\S]*{name}=1"):
        check_processes(make_config("trainer=cpu").trainer)
    check_processes(make_config("trainer=ddp").trainer)


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({"SLURM_NTASKS": "1"}, "no --ntasks-per-node"),
        ({"SLURM_NTASKS": "2"}, "no --ntasks-per-node"),
        ({"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}, "--ntasks-per-node=4"),
        ({"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2"}, None),
        ({"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "bash"}, None),
        ({"SLURM_NTASKS": "1", "TORCHELASTIC_RUN_ID": "x"}, None),
    ],
)
def test_slurm_must_start_a_process_for_each_device(make_config, monkeypatch, variables, found):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = make_config("trainer=ddp", "trainer.devices=2").trainer
    if found is None:
        check_processes(settings)
        return
    with pytest.raises(ConfigurationError, match=f"Found: {found}\n"):
        check_processes(settings)
