"""Calibration of a detector on healthy brains, in several processes if there are many."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.detector import Detector
from brain_cae.executor import Executor
from brain_cae.stages.brains import each

LARGEST_REFERENCE = 300
"""Brains that a reference is fitted on at most; more would hardly change mean and spread, but need memory."""


def calibrate(
    detector: Detector,
    healthy: Sequence[PreparedSubject],
    executor: Executor,
    *,
    reference: Sequence[PreparedSubject] | None = None,
) -> None:
    """Fit references, calibration scores and thresholds, see :meth:`Detector.calibrate`."""
    bar, here = detector.config.trainer.progress, detector.on_gpu
    detector.calibrate(
        healthy,
        reference=None if reference is None else reference[:LARGEST_REFERENCE],
        each=partial(each, executor=executor, name=_named, bar=bar, here=here),
    )


def _named(job: Sequence[Any]) -> str:
    return str(job[1].subject)
