"""Jobs of a cluster, which submitit starts, with the interface of ``concurrent.futures``.

Each job works on a chunk of items, one after the other, and writes the outcome of each into a folder that all nodes
see. What is pickled there passes between processes of one run, as in ``multiprocessing``, and is removed with it.
"""

import pickle
import secrets
import shutil
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from filelock import FileLock, Timeout

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.executor.allocator import keep_freed_memory
from brain_cae.executor.threads import VARIABLES, limited_threads
from brain_cae.files.atomic import write_bytes
from brain_cae.files.locks import exclusive
from brain_cae.files.system_errors import writing

POLL_S = 1.0
"""Time between two looks at the folder of the jobs."""

CANCELLED_S = 10.0
"""Longest time to wait for cancelled jobs to end, since they write into a folder that is removed."""

LOCK, STARTED = ".lock", "started"


class JobDied(BrokenExecutor):
    """A job ended while it worked on this item; the other items of the job are worked on by other jobs."""

    def __init__(self, log: Path) -> None:
        super().__init__(f"The job's log is {log}.")
        self.log = log


@dataclass(frozen=True)
class Jobs:
    """Jobs of a cluster, or processes of this machine that submitit starts in the same way.

    Attributes:
        cluster: ``slurm``, or ``local`` for this machine.
        folder: Folder of the jobs' files while they run; all nodes must see it. The log of a job that died stays.
        chunk: Number of items per job.
        jobs: Largest number of jobs that wait or run at once.
        parameters: Of ``submitit.AutoExecutor``, such as ``timeout_min`` and ``slurm_partition``.
        workers: Number of processes on this machine for work that is not sent to the cluster.
    """

    cluster: str
    folder: Path
    chunk: int
    jobs: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1

    @property
    def queue(self) -> int:
        """Number of items that are submitted before the first of them must be finished: as many wait as run."""
        return 2 * self.chunk * self.jobs

    def stays_here(self, items: int, minimum: int) -> bool:
        """Return whether the current process does all the work: never, it may run on a machine for logging in."""
        return items == 0

    @contextmanager
    def open(self, task: str, threads: int | None) -> Iterator[Executor]:
        """Yield a pool of jobs, and cancel with the end of the body those that still wait or run.

        Raises:
            ConfigurationError: The cluster refuses a job, or the first job ends before its first item.
            StorageError: The folder cannot be written to.
        """
        from submitit import AutoExecutor

        _remove_abandoned(self.folder)
        folder = (self.folder / f"{task.replace(' ', '_')}-{secrets.token_hex(4)}").absolute()
        with writing(folder):
            # For this user only: what is read back from it is pickled.
            folder.mkdir(mode=0o700, parents=True)
        with exclusive(folder / LOCK), limited_threads(threads):
            executor = AutoExecutor(folder, cluster=self.cluster)
            executor.update_parameters(
                name=f"brain_cae {task}".replace(" ", "_"), stderr_to_stdout=True, **self._with_threads(threads)
            )
            pool = JobPool(executor.submit, folder, chunk=self.chunk, jobs=self.jobs)
            try:
                yield pool
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
                _remove(folder, kept=pool.logs)

    def died(self, task: str, names: list[str], cause: BrokenExecutor) -> DatasetError:
        """Return the error for items during which a job died."""
        return DatasetError(
            f"A job of the {task} died.",
            expected="every job to finish",
            found=f"in progress: {', '.join(names)}",
            where=str(cause.log) if isinstance(cause, JobDied) else None,
            advice="Most often memory or time ran out: use a larger executor.mem_gb or "
            "executor.timeout_min. Finished work is kept; the next run continues.",
        )

    def _with_threads(self, threads: int | None) -> dict[str, Any]:
        """Return the parameters; Slurm may be configured not to pass the environment on to its jobs."""
        if self.cluster != "slurm" or threads is None:
            return dict(self.parameters)
        limits = [f"export {name}={threads}" for name in VARIABLES]
        return {**self.parameters, "slurm_setup": [*(self.parameters.get("slurm_setup") or []), *limits]}


@dataclass
class _Call:
    number: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    future: Future = field(default_factory=Future)


@dataclass
class _Running:
    job: Any
    calls: deque[_Call]
    begun: int


class JobPool(Executor):
    """Calls collected into jobs; each call has its own future, which is done before its job is.

    A job that dies after it has finished calls leaves the rest to other jobs. One that finishes none has died of its
    first call (or of its node): the future of that call raises :class:`JobDied`, and the rest is left to other jobs.

    Args:
        start: Starts a job: takes a function and its arguments, and returns submitit's job.
        folder: Folder of the outcomes.
        chunk: Number of calls per job.
        jobs: Largest number of jobs at once.

    Attributes:
        logs: Logs of the jobs that died.
    """

    def __init__(self, start: Callable[..., Any], folder: Path, *, chunk: int, jobs: int) -> None:
        self._start, self._folder, self._chunk, self._jobs = start, folder, chunk, jobs
        self._waiting: deque[_Call] = deque()
        self._running: list[_Running] = []
        self._submitted = 0
        self._closed, self._cancelled = Event(), Event()
        self.logs: list[Path] = []
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Add a call to the next job; keyword arguments are not supported."""
        if kwargs or self._closed.is_set():
            raise RuntimeError("This pool is closed." if not kwargs else "Calls take no keyword arguments.")
        call = _Call(self._submitted, fn, args)
        self._submitted += 1
        self._waiting.append(call)
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; cancel the jobs, or let them finish."""
        self._closed.set()
        if cancel_futures:
            self._cancelled.set()
        if wait:
            self._thread.join()

    def _run(self) -> None:
        try:
            # The first wait lets the calls of the first jobs come together.
            while not self._cancelled.wait(POLL_S):
                self._collect()
                self._fill()
                if self._closed.is_set() and not self._waiting and not self._running:
                    return
        except BaseException as error:  # such as a refusal of the cluster: whoever waits for a future must hear of it
            self._closed.set()
            for call in [*self._waiting, *(call for running in self._running for call in running.calls)]:
                call.future.set_exception(error)
        self._cancel()

    def _fill(self) -> None:
        """Start jobs while there are calls for them."""
        while self._waiting and len(self._running) < self._jobs:
            calls = [self._waiting.popleft() for _ in range(min(self._chunk, len(self._waiting)))]
            calls = [call for call in calls if call.future.running() or call.future.set_running_or_notify_cancel()]
            # In the list before it starts, so that a refusal reaches these calls too.
            running = _Running(None, deque(calls), len(calls))
            self._running.append(running)
            running.job = self._submit_job([(call.number, call.function, call.arguments) for call in calls])

    def _submit_job(self, calls: list[tuple]) -> Any:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            return self._start(_work, calls, self._folder)
        except (FailedJobError, FailedSubmissionError) as error:
            raise ConfigurationError(
                "The cluster refuses a job.",
                expected="settings that the cluster accepts",
                found=_last_line(str(error)),
                where="executor",
                advice="Compare executor.partition, executor.account, executor.mem_gb and executor.timeout_min with "
                "what your cluster offers.",
            ) from error

    def _collect(self) -> None:
        """Give the outcomes that jobs have written to their futures, and sort out the jobs that ended."""
        for running in [*self._running]:
            ended = running.job.done()  # asked first: what a job writes before its end is found below
            if ended:
                self._folder.touch()  # makes a network file system look again
            while running.calls and (path := _outcome(self._folder, running.calls[0].number)).exists():
                result, error = pickle.loads(path.read_bytes())
                future = running.calls.popleft().future
                future.set_result(result) if error is None else future.set_exception(error)
            if ended:
                self._running.remove(running)
                if running.calls:
                    self._sort_out(running)

    def _sort_out(self, running: _Running) -> None:
        """Leave the calls of a job that died to other jobs; give up the first if the job finished none."""
        log = running.job.paths.stdout
        self.logs.append(log)
        if not (self._folder / STARTED).exists():
            self._waiting.extendleft(reversed(running.calls))
            raise _not_started(log)
        if len(running.calls) == running.begun:
            running.calls.popleft().future.set_exception(JobDied(log))
        self._waiting.extendleft(reversed(running.calls))

    def _cancel(self) -> None:
        for call in self._waiting:
            call.future.cancel()
        running = [one for one in self._running if one.job is not None]
        for one in running:
            if one.calls and not one.job.done():  # a job without calls ends by itself
                one.job.cancel(check=False)
        end = time.monotonic() + CANCELLED_S
        while time.monotonic() < end and not all(one.job.done() for one in running):
            time.sleep(POLL_S / 10)


def _work(calls: list[tuple[int, Callable[..., Any], tuple[Any, ...]]], folder: Path) -> None:
    """Do the calls of one job, in a process of its own, and write each outcome: the result or the error."""
    from submitit.core.utils import UncompletedJobError

    (folder / STARTED).touch()
    keep_freed_memory()
    for number, function, arguments in calls:
        if _outcome(folder, number).exists():  # Slurm has started the job again
            continue
        try:
            outcome = pickle.dumps((function(*arguments), None))
        except UncompletedJobError:  # submitit's signal handler: time is over
            raise
        except Exception as error:
            outcome = _pickled(error)
        if not (folder / LOCK).exists():  # the run that started this job was killed, and another one has taken over
            raise SystemExit("The run of this job is gone.")  # not an Exception, which submitit would write down
        write_bytes(_outcome(folder, number), outcome)


def _pickled(error: Exception) -> bytes:
    trace = "".join(traceback.format_exception(error))
    with suppress(Exception):
        error.add_note(f"In a job:\n{trace}")
        pickled = pickle.dumps((None, error))
        pickle.loads(pickled)  # many errors can be pickled but not read again
        return pickled
    return pickle.dumps((None, RuntimeError(trace)))


def _outcome(folder: Path, number: int) -> Path:
    return folder / f"{number}.outcome"


def _not_started(log: Path) -> ConfigurationError:
    return ConfigurationError(
        "The jobs could not start.",
        expected="jobs that see the same folders and the same Python as this machine",
        found=_last_line(log.read_text("utf-8", errors="replace") if log.exists() else "") or "no message",
        where=str(log),
        advice="Put the cache on a disk that all nodes share (cache=<folder>); executor.setup can prepare a node.",
    )


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _remove(folder: Path, kept: list[Path]) -> None:
    """Remove the folder of the jobs, or all of it but logs."""
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
    for path in folder.glob("*"):
        if path not in kept:
            path.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove what runs left that were killed; jobs of theirs that still run end after the item in progress."""
    for lock in folder.glob(f"*/{LOCK}"):
        with suppress(Timeout, OSError), FileLock(lock, blocking=False, fallback_to_soft=False):
            shutil.rmtree(lock.parent, ignore_errors=True)
