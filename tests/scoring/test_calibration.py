"""P-values, bounds and thresholds from the scores of healthy brains."""

import numpy as np
import pytest

from brain_cae.scoring.calibration import Calibration, voxel_threshold
from brain_cae.scoring.guarantee import GUARANTEES, Guarantee


@pytest.mark.parametrize("kind", GUARANTEES)
def test_a_brain_is_flagged_exactly_if_its_score_exceeds_the_threshold(kind):
    calibration = Calibration(np.arange(59.0), 0.0)
    for alpha in (0.06, 0.1, 0.3):
        threshold = calibration.threshold(Guarantee(kind, alpha))
        for score in np.arange(-1, 60, 0.5):
            value = calibration.p_value(score) if kind == "average" else calibration.rate_bound(score, 0.95)
            assert (value <= alpha + 1e-12) == (score > threshold)
    assert Calibration(np.arange(5.0), 0.0).threshold(Guarantee(kind, 0.1)) == np.inf


def test_the_voxel_threshold_is_a_quantile():
    assert voxel_threshold([np.arange(0, 100.0), np.arange(0, 100.0)], 0.1) == pytest.approx(89.1, abs=0.5)
