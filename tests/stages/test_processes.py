"""Only one process of a run evaluates and reports."""

import pytest
from lightning_fabric.utilities.rank_zero import _get_rank

from brain_cae.stages.processes import RANKS, is_main_process


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in (*RANKS, "NODE_RANK"):
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
