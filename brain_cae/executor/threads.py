"""Threads of numerical libraries in new processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

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
