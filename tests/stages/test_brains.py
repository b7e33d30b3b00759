"""Work on brains: in this process, in others, and whichever is done first."""

import os
import time

import pytest

from brain_cae.executor import HERE, Processes
from brain_cae.stages import brains
from brain_cae.stages.brains import each


def squared(item):
    time.sleep(item[1])
    return item[0] ** 2, os.getpid()


def run(items, executor, **choices):
    return each(squared, items, "square", executor=executor, name=str, bar=False, **choices)


@pytest.mark.parametrize("executor", [HERE, Processes(2)])
def test_short_work_stays_here_in_its_order(executor):
    results = run([(number, 0) for number in range(5)], executor)
    assert results == [(number**2, os.getpid()) for number in range(5)]
    assert run([], executor) == []


def test_long_work_goes_to_processes_too_and_keeps_its_order(monkeypatch):
    monkeypatch.setattr(brains, "START_S", 0.01)
    items = [(number, 0.2) for number in range(8)]
    results = run(items, Processes(2))
    assert [result for result, _ in results] == [number**2 for number in range(8)]
    processes = [process for _, process in results]
    assert processes[0] == os.getpid() and len({*processes}) == 2
    assert {process for _, process in run(items, Processes(2), here=True)} == {os.getpid()}
