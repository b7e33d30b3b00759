"""Memory of large arrays: kept by the process between two steps of a training, or two brains."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of ``mallopt``, from glibc's ``malloc.h``."""


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next arrays, and return whether this C library does so now.

    By default, glibc asks the system for each block above 32 MiB and returns it when it is freed. In each step of a
    training, the system then clears the same pages again, which takes a quarter of the time at a batch of four brains,
    and in scoring a quarter of the time of a brain at 1 mm. Freed memory stays with the process until
    :func:`return_freed_memory`. Free blocks are not moved together, so peak memory of a training is up to one and a
    half times as high (measured with brains of 8 and of 24 shapes, where it levels off).

    Nothing is changed on other platforms, or where the environment already sets glibc's ``malloc``
    (``MALLOC_MMAP_MAX_``, ``MALLOC_TRIM_THRESHOLD_``, ``GLIBC_TUNABLES``; mallopt(3)).
    """
    chosen = [name for name in os.environ if name.startswith("MALLOC_") and name.endswith("_")]
    if sys.platform != "linux" or chosen or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    # No block of its own for any size, and no return of the heap's end.
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))


def return_freed_memory() -> None:
    """Give freed memory back to the system: what follows needs other blocks."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
