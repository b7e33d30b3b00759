import numpy as np

from brain_cae.executor import HERE
from brain_cae.stages.calibration import calibrate

from ..detector.conftest import make_detector  # noqa: F401


def test_a_detector_is_calibrated_on_each_brain_once(make_detector, make_subject):  # noqa: F811
    detector = make_detector()
    before = detector.learnt()
    calibrate(detector, [make_subject(f"h{seed}", seed=seed) for seed in range(6)], HERE)
    arrays, facts = detector.learnt()
    assert all(len(scorer.calibration.scores) == 6 for scorer in detector.scorers.values())
    assert facts["residual"] != before[1]["residual"] or not np.array_equal(
        arrays["residual.scores"], before[0]["residual.scores"]
    )
