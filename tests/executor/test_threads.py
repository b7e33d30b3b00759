"""The number of threads that new processes inherit, and that of the current one."""

import os

import torch

from brain_cae.executor.threads import limited_here, limited_threads


def test_the_limit_holds_inside_the_body_only(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with limited_threads(2):
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("2", "2")
    with limited_threads(None):
        assert os.environ["OMP_NUM_THREADS"] == "7" and "MKL_NUM_THREADS" not in os.environ


def test_the_current_process_has_fewer_threads_inside_the_body_only() -> None:
    before = torch.get_num_threads()
    with limited_here(1):
        assert torch.get_num_threads() == 1
    with limited_here(None):
        assert torch.get_num_threads() == before
