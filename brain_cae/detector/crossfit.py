"""Several detectors as one: each was fitted without one fold of the healthy brains, and calibrated with it."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from brain_cae.detector.detector import Detector
from brain_cae.scoring.calibration import pooled


def crossfitted(folds: Sequence[Detector]) -> Detector:
    """Return one detector of K, each fitted without one fold of the healthy brains and calibrated with it.

    Every healthy brain calibrates once. The calibration of each scorer is that of all folds, see
    :func:`brain_cae.scoring.calibration.pooled`; the other parts are those of the first. All healthy brains count as
    ``train``: each was seen by all networks but one.
    """
    first, *others = folds
    scorers = {name: copy(scorer) for name, scorer in first.scorers.items()}
    for name, scorer in scorers.items():
        scorer.calibration = pooled([one.scorers[name].calibration for one in folds])
    return replace(
        first,
        scorers=scorers,
        known_protocols=sorted({name for one in folds for name in one.known_protocols}),
        skull=sorted({state for one in folds for state in one.skull}),
        sites=sorted({site for one in folds for site in one.sites}),
        seen=dict.fromkeys(first.seen, "train"),
        calibration="crossfit",
        folds=[replace(one, seen={}, prints=one.prints[:0], cautions=[]) for one in others],
    )
