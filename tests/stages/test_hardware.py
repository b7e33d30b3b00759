"""Hardware of the machine, and the error if there is too little."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from brain_cae.errors import ConfigurationError
from brain_cae.stages.hardware import check_hardware, precision, scoring_device

ROOT = Path(__file__).parents[2]


def test_too_few_gpus_are_an_error_with_their_number(make_config, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    settings = make_config("trainer=gpu").trainer
    check_hardware(replace(settings, devices=2))
    with pytest.raises(ConfigurationError, match="not enough GPUs") as caught:
        check_hardware(replace(settings, devices=3))
    assert caught.value.expected == "3" and caught.value.found.startswith("2 that PyTorch")
    check_hardware(replace(settings, accelerator="cpu", devices=3))


def test_auto_precision_depends_on_the_processor(monkeypatch):
    assert precision("32-true", "cpu") == "32-true"
    for capabilities, expected in (({"avx512_bf16": True}, "bf16-mixed"), ({"avx2": True}, "32-true")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda answer=capabilities: answer, raising=False)
        assert precision("auto", "cpu") == expected


def test_brains_are_scored_on_the_gpu_unless_the_cpu_is_requested(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [scoring_device(name).type for name in ("auto", "gpu", "cpu")] == ["cuda", "cuda", "cpu"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert scoring_device("auto").type == "cpu"


FORK = """
import multiprocessing, sys, torch
from brain_cae.stages.hardware import one_thread_in_forks

def work():
    return torch.ones(1 << 22).exp().sum()

one_thread_in_forks()
torch.set_num_threads(2)
work()
child = multiprocessing.get_context("fork").Process(target=work, daemon=True)
child.start()
child.join(20)
sys.exit(child.exitcode is None or child.exitcode)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_does_not_wait_for_threads_that_it_does_not_have() -> None:
    subprocess.run([sys.executable, "-c", FORK], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=180)
