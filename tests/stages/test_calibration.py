import numpy as np

from brain_cae.executor import HERE
from brain_cae.stages.calibration import calibrate

from ..detector.conftest import make_detector  # noqa: F401


def test_a_detector_is_calibrated_anew_on_each_brain_once(make_detector, make_subject):  # noqa: F811
    detector = make_detector()
    before, _ = detector.learnt()
    calibrate(detector, [make_subject(f"h{seed}", seed=50 + seed) for seed in range(7)], HERE)
    arrays, _ = detector.learnt()
    assert all(len(scorer.calibration.scores) == 7 for scorer in detector.scorers.values())
    assert not np.array_equal(arrays["residual.mean"], before["residual.mean"])
