"""P-values, bounds and thresholds from the scores of healthy brains."""

import numpy as np
import pytest

from brain_cae.scoring.calibration import Calibration, pooled, voxel_threshold
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


def test_cross_conformal_p_values_count_in_each_fold_what_its_own_detector_scores_as_high():
    generator = np.random.default_rng(0)
    folds = [generator.integers(0, 20, size) / 2 for size in (3, 5, 4)]  # with ties
    calibration = pooled([Calibration(scores, 1.0 + number) for number, scores in enumerate(folds)])
    assert calibration.voxel_threshold == 2.0
    for _ in range(50):
        patient = generator.integers(0, 20, 3) / 2
        counted = sum((scores >= score).sum() for scores, score in zip(folds, patient, strict=True))
        assert calibration.rank(patient) == 1 + counted
        assert calibration.p_value(patient) == (1 + counted) / (12 + 1)


def test_identical_detectors_give_the_p_values_of_ordinary_conformal_prediction():
    scores, masses = np.random.default_rng(1).normal(size=(2, 60))
    plain = Calibration(scores, 1.5, masses)
    parts = [Calibration(scores[number::4], 1.5, masses[number::4]) for number in range(4)]
    crossed = pooled(parts)
    for score in np.linspace(-3, 3, 41):
        assert crossed.p_value(np.full(4, score)) == plain.p_value(score)
        assert crossed.rate_bound(np.full(4, score), 0.95) == plain.rate_bound(score, 0.95)
        assert crossed.cluster_p_value(score) == plain.cluster_p_value(score)
    assert crossed.threshold(Guarantee("probable", 0.1)) == plain.threshold(Guarantee("probable", 0.1))


@pytest.mark.parametrize("shared", [0.0, 0.7, 1.0])
def test_cross_conformal_false_alarms_stay_near_alpha(shared):
    """Detectors agree about a healthy brain by ``shared`` of the variance of its scores, from not at all to fully."""
    generator, alpha, draws, brains, folds = np.random.default_rng(2), 0.1, 4000, 50, 5
    own = np.arange(brains) % folds
    alarms = bounded = 0
    for _ in range(draws):
        common = np.sqrt(shared) * generator.normal(size=brains + 1)
        scores = common[:, None] + np.sqrt(1 - shared) * generator.normal(size=(brains + 1, folds))
        levels = generator.normal(size=folds)  # a detector may score all brains higher than another does
        crossed = Calibration(scores[:-1][np.arange(brains), own] + levels[own], 0.0, folds=own)
        alarms += crossed.p_value(scores[-1] + levels) <= alpha
        bounded += crossed.rate_bound(scores[-1] + levels, 0.95) <= alpha
    assert alarms / draws <= alpha + 0.015
    assert bounded / draws <= alarms / draws
