"""Results as they come, whatever works on the items, and the names of the items of a process or job that died."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol, TypeVar

from brain_cae.errors import BrainCaeError, DatasetError, ScanError
from brain_cae.executor.allocator import keep_freed_memory, return_freed_memory
from brain_cae.executor.jobs import JobDied
from brain_cae.executor.processes import Processes
from brain_cae.executor.threads import limited_here
from brain_cae.progress import counter

log = logging.getLogger(__name__)

MIN_ITEMS_FOR_PROCESSES = 8
"""A process takes about a second to start; for fewer items than this, one process is faster."""

READER_START_S = 0.7
"""Seconds until a process can read headers, for ``start_s`` (measured: 0.5 to 0.7)."""

TRIED = 2
"""Items that the current process works on before it decides whether others are worth starting."""

MAX_LOST = 10
"""After this many items whose jobs died, the fault is hardly that of the items."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Protocol):
    """Where items are worked on."""

    @property
    def workers(self) -> int:
        """Number of processes on this machine, also for work that is not sent to a cluster, such as reading headers."""
        ...

    @property
    def queue(self) -> int:
        """Number of items that are submitted before the first of them must be finished."""
        ...

    def stays_here(self, items: int, minimum: int) -> bool:
        """Return whether the current process does all the work."""
        ...

    def open(self, task: str, threads: int | None) -> AbstractContextManager[futures.Executor]:
        """Start a pool; when the body ends, however it does, what still waits or runs is cancelled."""
        ...

    def died(self, task: str, names: list[str], cause: BrokenExecutor) -> DatasetError:
        """Return the error for items during which a process or a job died."""
        ...


def results(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    executor: Executor,
    task: str,
    name: Callable[[Item], str],
    minimum: int = MIN_ITEMS_FOR_PROCESSES,
    threads: int | None = None,
    start_s: float | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield the number of each item and the result of the function, in the order in which they are finished.

    Args:
        function: Called once for each item, in any process; it, the items and the results must be picklable.
        items: Items to work on.
        executor: Where: processes of this machine, or jobs of a cluster.
        task: What is done, for messages: ``import``.
        name: Returns the name of an item for messages.
        minimum: Number of items below which the current process does all the work; jobs do any number.
        threads: Number of threads of each process for numerical libraries (OpenMP, MKL, PyTorch); None changes nothing.
        start_s: Seconds until a process is ready. With them, the current process begins, others are started as soon
            as its times show that they save more than that, and it works on beside them. None starts them at once and
            leaves all to them, for items that a process may die of, such as files in any state: this one says which.
            Jobs are always used.

    Raises:
        DatasetError: A process or a job died; the message names the items that it may have died of. All other items
            of jobs are finished first, unless many jobs died.
        ConfigurationError: No process or job could start, as in a script without a ``__main__`` guard.
    """
    keep_freed_memory()
    waiting = list(range(len(items)))[::-1]
    here, seconds = executor.stays_here(len(items), minimum), [math.inf]
    while waiting and (here or _goes_on_here(executor, len(waiting), seconds, start_s)):
        begin = time.monotonic()
        result, number = function(items[waiting[-1]]), waiting.pop()
        seconds.append(time.monotonic() - begin)
        yield number, result
    if waiting:
        beside = start_s is not None and isinstance(executor, Processes)
        others = Processes(executor.workers - 1) if beside else executor
        yield from _together(function, items, waiting, others, task=task, name=name, threads=threads, beside=beside)
    return_freed_memory()


def _together(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    waiting: list[int],
    others: Executor,
    *,
    task: str,
    name: Callable[[Item], str],
    threads: int | None,
    beside: bool,
) -> Iterator[tuple[int, Result]]:
    """Yield the results of what waits: of other processes or jobs, and of this process if it works beside them."""
    # A short queue limits memory and tells which items were in progress when a process died.
    running: dict[Future[Result], int] = {}
    lost: dict[int, BrokenExecutor] = {}
    try:
        with others.open(task, threads) as pool:
            while len(lost) < MAX_LOST:
                while waiting and len(running) < others.queue:
                    number = waiting.pop()
                    running[pool.submit(function, items[number])] = number
                if not running:
                    break
                if beside and waiting and not any(future.done() for future in running):
                    number = waiting.pop()
                    with limited_here(threads):
                        result = function(items[number])
                    yield number, result
                    continue
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    if isinstance(error := future.exception(), JobDied):
                        lost[running.pop(future)] = error
                        continue
                    result, number = future.result(), running.pop(future)
                    yield number, result
    except BrokenExecutor as error:  # of processes, none is left; nobody knows which of these items is to blame
        lost = dict.fromkeys(running.values(), error)
    if lost:
        cause = next(iter(lost.values()))
        raise others.died(task, [name(items[number]) for number in sorted(lost)], cause) from cause


def _goes_on_here(executor: Executor, items: int, seconds: Sequence[float], start_s: float | None) -> bool:
    if start_s is None or not isinstance(executor, Processes):
        return False
    # The first item may wait for modules that it loads.
    return len(seconds) <= TRIED or not worth_starting(items, min(seconds), executor.workers, start_s)


def worth_starting(items: int, seconds: float, workers: int, start_s: float) -> bool:
    """Return whether processes that start for some seconds are faster than this one, by the seconds of an item."""
    return workers > 1 and items * seconds > start_s + math.ceil(items / workers) * seconds


class SubjectJob(Protocol):
    """Work on one subject."""

    @property
    def subject(self) -> str:
        """Name of the subject."""
        ...


Job = TypeVar("Job", bound=SubjectJob)


def refusals(
    function: Callable[[Job], ScanError | None],
    jobs: Sequence[Job],
    *,
    known: int,
    executor: Executor,
    task: str,
    bar: bool,
) -> dict[str, str]:
    """Do the jobs that a cache lacks, with one thread each; return the reason for each subject that is refused.

    Args:
        function: Does one job and stores its result; returns or raises ScanError if the subject must be left out. So
            does any other exception, except those about the machine (OSError) or the whole run.
        jobs: Jobs to do.
        known: Number of jobs whose results the cache has.
        executor: Where they are done.
        task: Name of the stage, for progress and messages.
        bar: Draw a progress bar if the output is a terminal.
    """
    refused = {}
    with counter(task, known + len(jobs), done=known, bar=bar) as advance:
        one = partial(_refusal, function)
        done = results(one, jobs, executor=executor, task=task, name=lambda job: job.subject, threads=1)
        for number, error in done:
            if error is not None:
                refused[jobs[number].subject] = error.reason
                log.warning("%s is left out: %s", jobs[number].subject, error)
            advance()
    return refused


def _refusal(function: Callable[[Job], ScanError | None], job: Job) -> ScanError | None:
    """Do one job; return the error of its subject instead of raising it in another process."""
    where = f"subject {job.subject}"
    try:
        return function(job)
    except ScanError as error:
        return error
    except (BrainCaeError, OSError):
        raise
    except MemoryError:
        return ScanError("not enough memory", where=where)
    except Exception as error:
        # As in the import: a bug here or in a library must cost one subject, not a thousand.
        log.debug("%s", where, exc_info=True)
        return ScanError(f"cannot be prepared ({type(error).__name__})", found=str(error), where=where)
