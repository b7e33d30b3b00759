"""Work on many items in several processes: results as they come, and the names of the items if a process dies."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, get_start_method, parent_process, set_start_method
from multiprocessing.synchronize import Event
from typing import Protocol, TypeVar

from brain_cae.errors import ConfigurationError, DatasetError, ScanError
from brain_cae.progress import counter

log = logging.getLogger(__name__)

MIN_ITEMS_FOR_PROCESSES = 8
"""A process takes about a second to start; for fewer items than this, one process is faster."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def results(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    workers: int,
    task: str,
    name: Callable[[Item], str],
    minimum: int = MIN_ITEMS_FOR_PROCESSES,
    threads: int | None = None,
) -> Iterator[tuple[int, Result]]:
    """Yield the number of each item and the result of the function, in the order in which they are finished.

    Args:
        function: Called once for each item, in any process; it and the items must be picklable.
        items: Items to work on.
        workers: Number of processes; 1 works in the current process.
        task: What is done, for messages: ``import``.
        name: Returns the name of an item for messages.
        minimum: Number of items below which the current process does all the work.
        threads: Number of threads of each process for numerical libraries (OpenMP, MKL, PyTorch); None changes nothing.

    Raises:
        DatasetError: A process died; the message names the items that it may have died of.
        ConfigurationError: No process could start, as in a script without a ``__main__`` guard.
    """
    if workers == 1 or len(items) < minimum:
        for number, item in enumerate(items):
            yield number, function(item)
        return
    # "spawn": a fork of a process that runs threads (torch, BLAS) may hang. A short queue limits memory and tells
    # which items were in progress when a process died.
    context = get_context("spawn")
    started = context.Event()
    waiting = list(range(len(items)))[::-1]
    running: dict[Future[Result], int] = {}
    with _spawning(threads):
        executor = ProcessPoolExecutor(max_workers=workers, mp_context=context, initializer=_begin, initargs=(started,))
        try:
            while True:
                while waiting and len(running) < 2 * workers:
                    number = waiting.pop()
                    running[executor.submit(function, items[number])] = number
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result, number = future.result(), running.pop(future)
                    yield number, result
        except BrokenProcessPool as error:
            if not started.is_set():
                raise _not_started(task) from error
            names = [name(items[number]) for number in sorted(running.values())]
            raise DatasetError(
                f"A process of the {task} died.",
                expected="every process to finish",
                found=f"in progress: {', '.join(names)}",
                advice="Most often memory ran out: use fewer workers. Finished work is kept; the next run continues.",
            ) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)


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
    workers: int,
    task: str,
    bar: bool,
) -> dict[str, str]:
    """Do the jobs that a cache lacks, with one thread each; return the reason for each subject that is refused.

    Args:
        function: Does one job and stores its result; returns an error instead of raising it in another process.
        jobs: Jobs to do.
        known: Number of jobs whose results the cache has.
        workers: Number of processes.
        task: Name of the stage, for progress and messages.
        bar: Draw a progress bar if the output is a terminal.
    """
    refused = {}
    with counter(task, known + len(jobs), done=known, bar=bar) as advance:
        done = results(function, jobs, workers=workers, task=task, name=lambda job: job.subject, threads=1)
        for number, error in done:
            if error is not None:
                refused[jobs[number].subject] = error.reason
                log.warning("%s is left out: %s", jobs[number].subject, error)
            advance()
    return refused


@contextmanager
def _spawning(threads: int | None) -> Iterator[None]:
    """Use the standard library's start method for new processes, also inside joblib's workers (parallel sweeps).

    A new process inherits the name of its parent's start method, and only joblib knows the one of its workers. It also
    inherits the environment, from which numerical libraries read their number of threads when they are loaded.
    """
    before = get_start_method()
    limits = {} if threads is None else dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    environment = {key: os.environ.get(key) for key in limits}
    set_start_method("spawn", force=True)
    os.environ.update(limits)
    try:
        yield
    finally:
        set_start_method(before, force=True)
        for key, value in environment.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def _not_started(task: str) -> ConfigurationError:
    # A new process runs the caller's script up to its guard; without a guard it would start processes itself.
    script = getattr(sys.modules["__main__"], "__file__", None)
    return ConfigurationError(
        f"The processes of the {task} could not start.",
        expected='a script that runs its work under `if __name__ == "__main__":`',
        found="processes that ended before their first item; their message is printed above",
        where=script,
        advice="Put the call under that line, or use workers=1, which starts no processes.",
    )


def _begin(started: Event) -> None:
    started.set()
    _end_with_parent()


def _end_with_parent() -> None:
    """End this worker when its parent process is killed; otherwise it would wait for work forever."""
    if (parent := parent_process()) is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
