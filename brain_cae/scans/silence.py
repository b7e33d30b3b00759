"""Silence of the libraries that read scans: their warnings quote header values, such as names and dates of birth."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("pydicom", "nibabel.global", "highdicom")


@contextmanager
def silence() -> Iterator[None]:
    """Silence pydicom and nibabel; what matters to a user is in the report."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
