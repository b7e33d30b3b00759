"""Processes on this machine."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_start_method
from pathlib import Path

import pytest
import torch
from joblib import Parallel, delayed
from torch.utils.data import DataLoader, TensorDataset

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.executor import Processes, processes, results, work
from brain_cae.executor.processes import start_method
from brain_cae.executor.work import MIN_ITEMS_FOR_PROCESSES, TRIED


def square(number: int) -> int:
    return number * number


def threads(_: int) -> str:
    return os.environ.get("OMP_NUM_THREADS", "")


def whose(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def die(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def interrupt(number: int) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)
    return number


def batches() -> int:
    with start_method(None):
        return len(list(DataLoader(TensorDataset(torch.zeros(8, 1)), batch_size=2, num_workers=1)))


def test_batches_can_be_loaded_by_processes_in_a_job_of_a_parallel_sweep() -> None:
    before = get_start_method()
    assert Parallel(n_jobs=2)(delayed(batches)() for _ in range(2)) == [4, 4]
    assert batches() == 4 and get_start_method() == before


def test_processes_give_every_result_once_with_the_number_of_its_item() -> None:
    for workers in (1, 2):
        done = dict(results(square, range(5), executor=Processes(workers), task="test", name=str, minimum=1))
        assert done == {number: number * number for number in range(5)}


def test_the_current_process_works_beside_those_that_it_has_started(monkeypatch) -> None:
    monkeypatch.setattr(work, "worth_starting", lambda *_: True)
    done = dict(results(whose, range(40), executor=Processes(2), task="test", name=str, start_s=0.0, threads=1))
    assert sorted(done) == list(range(40)), "every item once"
    assert len(set(done.values())) == 2, "of two processes, this one is one"
    assert [done[number] for number in range(TRIED)] == [os.getpid()] * TRIED


def test_the_current_process_leaves_to_others_items_of_which_a_process_may_die() -> None:
    done = dict(results(whose, range(8), executor=Processes(2), task="test", name=str, minimum=1))
    assert os.getpid() not in done.values()


def test_few_items_start_no_process(monkeypatch) -> None:
    monkeypatch.setattr(processes, "ProcessPoolExecutor", lambda **_: pytest.fail("started"))
    few = range(MIN_ITEMS_FOR_PROCESSES - 1)
    assert len(list(results(square, few, executor=Processes(4), task="t", name=str))) == 7


def test_processes_share_the_cores_and_leave_the_parent_as_it_was(monkeypatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    done = dict(results(threads, range(2), executor=Processes(2), task="test", name=str, minimum=1, threads=1))
    assert set(done.values()) == {"1"} and os.environ["OMP_NUM_THREADS"] == "7"


def test_an_error_of_a_dead_process_names_the_items_in_progress() -> None:
    with pytest.raises(DatasetError, match=r"A process of the import died(.|\n)*item 3"):
        list(results(die, range(4), executor=Processes(2), task="import", name=lambda n: f"item {n}", minimum=1))


def test_ctrl_c_ends_a_process_at_once_and_without_a_traceback(capfd) -> None:
    with pytest.raises(DatasetError, match="died"):
        list(results(interrupt, range(2), executor=Processes(2), task="import", name=str, minimum=1))
    assert "Traceback" not in capfd.readouterr().err


def test_an_error_of_the_function_is_raised_in_the_parent(monkeypatch) -> None:
    class Failing:
        def __init__(self, **_) -> None: ...

        def submit(self, *_) -> Future:
            future: Future = Future()
            future.set_exception(ValueError("bad item"))
            return future

        def shutdown(self, **_) -> None: ...

    monkeypatch.setattr(processes, "ProcessPoolExecutor", Failing)
    with pytest.raises(ValueError, match="bad item"):
        list(results(square, range(3), executor=Processes(2), task="test", name=str, minimum=1))


def test_processes_that_never_started_are_a_fault_of_the_script(monkeypatch) -> None:
    class Broken:
        def __init__(self, **_) -> None: ...

        def submit(self, *_) -> Future:
            future: Future = Future()
            future.set_exception(BrokenProcessPool("gone"))
            return future

        def shutdown(self, **_) -> None: ...

    monkeypatch.setattr(processes, "ProcessPoolExecutor", Broken)
    with pytest.raises(ConfigurationError, match="could not start"):
        list(results(square, range(3), executor=Processes(2), task="test", name=str, minimum=1))


SERVED = """
import os, sys
from brain_cae.errors import DatasetError
from brain_cae.executor import Processes, results, start_server

def look(number):
    if number == 3:
        os._exit(1)
    return os.getppid(), "wave" in sys.modules, os.environ.get("OMP_NUM_THREADS", "")

def run(count, threads):
    options = {"executor": Processes(2), "task": "test", "name": str, "minimum": 1, "threads": threads}
    for _, (parent, loaded, limit) in results(look, range(count), **options):
        print(parent == os.getpid(), loaded, limit)

if __name__ == "__main__":
    start_server("wave")
    run(2, None)
    run(2, 1)
    try:
        run(5, None)
    except DatasetError as error:
        print("3" in error.found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the server is used on Linux alone")
@pytest.mark.parametrize("name", ["", 100 * "x"])
def test_processes_begin_as_copies_of_a_server_that_has_loaded_their_module(tmp_path, name) -> None:
    script = tmp_path / "script.py"
    script.write_text(SERVED)
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        temporary = Path(short) / name
        temporary.mkdir(exist_ok=True)
        environment["TMPDIR"] = str(temporary)
        done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=120)
        assert not list(temporary.iterdir())
    lines = done.stdout.splitlines()
    # Where the path leaves no room for the name of a socket, there is no server.
    first = "True False " if name else "False True "
    assert lines[:4] == [first] * 2 + ["True False 1"] * 2, done.stderr
    assert lines[-1] == "True"
