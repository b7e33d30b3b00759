"""Processes on this machine."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, get_start_method, parent_process, set_start_method
from multiprocessing.forkserver import ensure_running, set_forkserver_preload
from multiprocessing.synchronize import Event

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.executor.allocator import keep_freed_memory
from brain_cae.executor.garbage import collect_rarely
from brain_cae.executor.threads import limited_threads


@dataclass(frozen=True)
class Processes:
    """Processes on this machine; 1 works in the current process."""

    workers: int = 1

    @property
    def queue(self) -> int:
        """Number of items that are submitted before the first of them must be finished."""
        return 2 * self.workers

    def stays_here(self, items: int, minimum: int) -> bool:
        """Return whether the current process does all the work."""
        return self.workers == 1 or items < minimum

    @contextmanager
    def open(self, task: str, threads: int | None) -> Iterator[ProcessPoolExecutor]:
        """Start the processes, and end them with the body.

        Raises:
            BrokenProcessPool: A process died.
            ConfigurationError: No process could start.
        """
        # "spawn": a fork of a process that runs threads (torch, BLAS) may hang. The libraries of the server are loaded,
        # and take no limit of threads any more.
        context = get_context("forkserver" if _server and threads is None else "spawn")
        started = context.Event()
        with start_method("spawn"), limited_threads(threads):
            pool = ProcessPoolExecutor(
                max_workers=self.workers, mp_context=context, initializer=_begin, initargs=(started,)
            )
            try:
                yield pool
            except BrokenProcessPool as error:
                if not started.is_set():
                    raise _not_started(task) from error
                raise
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def died(self, task: str, names: list[str], cause: BrokenExecutor) -> DatasetError:
        """Return the error for items during which a process died."""
        return DatasetError(
            f"A process of the {task} died.",
            expected="every process to finish",
            found=f"in progress: {', '.join(names)}",
            advice="Most often memory ran out: use fewer workers. Finished work is kept; the next run continues.",
        )


HERE = Processes(1)
"""The current process."""


_server: list[str] = []
"""Modules that the server has loaded."""


def start_server(module: str) -> None:
    """Start a process that loads a module while this one goes on; later processes begin as copies of it, at once.

    Only those for which :meth:`Processes.open` limits no threads, and only on Linux: system libraries of macOS do not
    survive a fork. Nor with Python 3.11.0, whose server other users can reach (CVE-2022-42919).
    """
    if sys.platform != "linux" or sys.version_info < (3, 11, 1):
        return
    set_forkserver_preload([module])
    # Ctrl-C reaches every process of the terminal; this one ends the server.
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        # Without room for its socket, as with a long path in TMPDIR, processes start as they do elsewhere.
        with suppress(OSError):
            ensure_running()
            _server.append(module)
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def start_method(name: str | None) -> Iterator[None]:
    """Start new processes by a method of the standard library, also inside joblib's workers (parallel sweeps).

    A new process inherits the name of its parent's start method, and only joblib knows the one of its workers.

    Args:
        name: ``spawn``, ``fork`` or ``forkserver``; None: the default of this platform.
    """
    before = get_start_method()
    set_start_method(name, force=True)
    try:
        yield
    finally:
        set_start_method(before, force=True)


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
    # Ctrl-C reaches every process of the terminal. The parent says that the run was interrupted; this one, which leaves
    # no incomplete file wherever it stops, would add a traceback.
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(128 + number))
    started.set()
    collect_rarely()
    keep_freed_memory()
    _end_with_parent()


def _end_with_parent() -> None:
    """End this worker when its parent process is killed; otherwise it would wait for work forever."""
    if (parent := parent_process()) is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()
