"""P-values and thresholds from the scores of healthy brains."""

import numpy as np
import pytest

from brain_cae.scoring.calibration import Calibration, voxel_threshold


def test_p_values_and_threshold_agree():
    calibration = Calibration(np.arange(19.0), 0.0)
    for alpha in (0.05, 0.1, 0.3):
        threshold = calibration.threshold(alpha)
        for score in np.arange(-1, 20, 0.5):
            assert (calibration.p_value(score) <= alpha + 1e-12) == (score > threshold)
    assert Calibration(np.arange(5.0), 0.0).threshold(0.1) == np.inf


def test_the_voxel_threshold_is_a_quantile():
    assert voxel_threshold([np.arange(0, 100.0), np.arange(0, 100.0)], 0.1) == pytest.approx(89.1, abs=0.5)
