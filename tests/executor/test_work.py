"""Results as they come, and the items that are lost when a job dies; the pool is simulated."""

from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from brain_cae.errors import ConfigurationError, DatasetError, ScanError
from brain_cae.executor import refusals, results
from brain_cae.executor.jobs import JobDied
from brain_cae.executor.work import MAX_LOST, worth_starting


@dataclass
class Simulated:
    """An executor that works at once, and whose jobs die of some items."""

    deadly: tuple[int, ...] = ()
    workers: int = 1
    queue: int = 2
    submitted: list[int] = field(default_factory=list)
    closed: bool = False

    def stays_here(self, items: int, minimum: int) -> bool:
        return items < minimum

    @contextmanager
    def open(self, task, threads):
        try:
            yield self
        finally:
            self.closed = True

    def submit(self, function, item) -> Future:
        self.submitted.append(item)
        future: Future = Future()
        if item in self.deadly:
            future.set_exception(JobDied(Path("job.out")))
        else:
            future.set_result(function(item))
        return future

    def died(self, task: str, names: list[str], cause: BrokenExecutor) -> DatasetError:
        return DatasetError(f"A job of the {task} died.", found=", ".join(names), where=str(cause))


@dataclass(frozen=True)
class OneSubject:
    subject: str


def square(number: int) -> int:
    return number * number


def refuse(job: OneSubject) -> ScanError | None:
    return ScanError("not aligned") if job.subject == "c" else None


def test_processes_must_save_more_than_they_cost() -> None:
    assert worth_starting(100, 1.0, 2, start_s=7)
    assert not worth_starting(100, 0.1, 2, start_s=7) and worth_starting(100, 0.1, 2, start_s=1)
    assert not worth_starting(100, 1.0, 1, start_s=7)


def test_the_other_items_are_finished_when_a_job_dies() -> None:
    executor, done = Simulated(deadly=(1, 3)), {}
    with pytest.raises(DatasetError, match=r"A job of the import died(.|\n)*item 1, item 3(.|\n)*job\.out"):
        for number, result in results(
            square, range(6), executor=executor, task="import", name=lambda n: f"item {n}", minimum=1
        ):
            done[number] = result
    assert done == {0: 0, 2: 4, 4: 16, 5: 25}


def test_the_work_stops_when_many_jobs_die() -> None:
    executor = Simulated(deadly=tuple(range(100)))
    with pytest.raises(DatasetError):
        list(results(square, range(100), executor=executor, task="import", name=str))
    assert len(executor.submitted) <= MAX_LOST + executor.queue


def test_the_pool_is_closed_when_the_results_are_not_wanted_any_more() -> None:
    executor = Simulated()
    some = results(square, range(9), executor=executor, task="import", name=str)
    next(some)
    some.close()
    assert executor.closed and len(executor.submitted) == executor.queue


def test_subjects_are_refused_with_the_reason_and_the_others_go_on() -> None:
    jobs = [OneSubject(name) for name in "abcdefghij"]
    executor = Simulated()
    refused = refusals(refuse, jobs, known=0, executor=executor, task="align", bar=False)
    assert refused == {"c": "not aligned"}
    assert len(executor.submitted) == len(jobs)


def stumble(job: OneSubject) -> ScanError | None:
    faults = {"b": ScanError("empty mask"), "c": ZeroDivisionError("of the scan"), "d": MemoryError()}
    if job.subject in faults:
        raise faults[job.subject]
    return None


def test_what_one_subject_raises_leaves_only_this_subject_out() -> None:
    jobs = [OneSubject(name) for name in "abcd"]
    refused = refusals(stumble, jobs, known=0, executor=Simulated(), task="align", bar=False)
    assert refused == {"b": "empty mask", "c": "cannot be prepared (ZeroDivisionError)", "d": "not enough memory"}


def test_an_error_of_the_machine_or_of_the_whole_run_is_raised() -> None:
    for error in (OSError(28, "No space left on device"), ConfigurationError("deepbet is not installed")):

        def fail(job: OneSubject, error: Exception = error) -> ScanError | None:
            raise error

        with pytest.raises(type(error)):
            refusals(fail, [OneSubject("a")], known=0, executor=Simulated(), task="align", bar=False)
