"""Threads of numerical libraries, in new processes and in the current one."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from threadpoolctl import threadpool_limits

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables from which numerical libraries read their number of threads when they are loaded."""


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Let processes and jobs that start inside the body inherit a number of threads; None changes nothing."""
    limits = {} if threads is None else dict.fromkeys(VARIABLES, str(threads))
    before = {key: os.environ.get(key) for key in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def limited_here(threads: int | None) -> AbstractContextManager:
    """Let the current process use a number of threads inside the body; None changes nothing, and costs nothing."""
    return nullcontext() if threads is None else threadpool_limits(threads)
