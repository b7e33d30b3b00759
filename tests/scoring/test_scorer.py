"""Calibration must hold on unseen brains; in-sample statistics would fail here."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import betabinom

from brain_cae.scoring.calibration import Calibration
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.scoring.scorer import Scorer, Signal

SHAPE = (14, 16, 12)
MASK = np.zeros(SHAPE, bool)
MASK[2:12, 2:14, 2:10] = True


def brain(generator, lesion=0.0, group="a", offset=0.1):
    maps = np.stack([gaussian_filter(generator.standard_normal(SHAPE), 1.2) for _ in range(2)])
    maps += offset * generator.standard_normal((2, 1, 1, 1))
    maps[1, 5:8, 5:8, 5:8] += lesion
    maps[0, 5:8, 5:8, 5:8] -= lesion
    return Signal(np.where(MASK, maps, 0).astype(np.float32), MASK, group)


def scorer(**changes):
    settings = {
        "modalities": ["t1", "flair"],
        "sign": {"t1": "darker", "flair": "brighter"},
        "percentile": 99.0,
        "frame": (12, 14, 10),
        "shrinkage": 8.0,
        "voxel_rate": 0.01,
    }
    return Scorer(**{**settings, **changes})


def fit(one, healthy, seed=0):
    framed = [signal.framed(one.frame) for signal in healthy]
    one.learn(framed)
    one.set_voxel_threshold(_samples(one, healthy, framed, seed))
    one.calibrate(_samples(one, healthy, framed, seed))
    return one


def _samples(one, healthy, framed, seed):
    return [one.held_out(framed, n).sample(signal, seed=[seed, n]) for n, signal in enumerate(healthy)]


def test_false_alarms_stay_at_alpha_while_in_sample_statistics_exceed_it():
    generator = np.random.default_rng(0)
    alpha, cohorts, tested, alarms, in_sample = 0.1, 12, 30, 0, 0
    for cohort in range(cohorts):
        healthy = [brain(generator) for _ in range(19)]
        fitted = fit(scorer(shrinkage=0.0), healthy, seed=cohort)
        naive = Calibration(np.array([fitted.statistic(fitted.joint(h)) for h in healthy]), 0.0)
        for _ in range(tested):
            signal = brain(generator)
            score = fitted.statistic(fitted.joint(signal))
            alarms += fitted.calibration.p_value(score) <= alpha
            in_sample += naive.p_value(score) <= alpha
    one = betabinom(tested, 2, 18)  # floor(0.1 * 20) = 2 of 19 calibration scores and the new one
    spread = np.sqrt(one.var() * cohorts)
    assert abs(alarms - cohorts * one.mean()) < 3 * spread
    assert in_sample > cohorts * one.mean() + 3 * spread


def test_the_voxel_threshold_keeps_its_rate_on_new_brains():
    generator = np.random.default_rng(1)
    # Without an offset per brain, which would leave 25 independent values instead of thousands.
    fitted = fit(scorer(voxel_rate=0.05), [brain(generator, offset=0.0) for _ in range(25)])
    new = [fitted.joint(brain(generator, offset=0.0)) for _ in range(25)]
    assert 0.035 < np.mean(np.concatenate(new) > fitted.calibration.voxel_threshold) < 0.065


def test_a_lesion_is_detected_at_its_position():
    generator = np.random.default_rng(2)
    fitted = fit(scorer(), [brain(generator) for _ in range(20)])
    signal = brain(generator, lesion=2.0)
    joint_map = fitted.joint(signal)
    assert fitted.calibration.p_value(fitted.statistic(joint_map)) == pytest.approx(1 / 21)
    assert all(4 <= place <= 8 for place in np.argwhere(MASK)[joint_map.argmax()])
    opposite = fit(scorer(sign={"t1": "brighter", "flair": "darker"}), [brain(generator) for _ in range(20)])
    assert opposite.joint(signal)[(np.argwhere(MASK) == 6).all(axis=1)] < -1


def test_the_state_survives_a_round_trip():
    generator = np.random.default_rng(3)
    fitted = fit(scorer(), [brain(generator, group="ab"[i % 2]) for i in range(14)])
    arrays, values = fitted.state()
    rule = Guarantee("average", 0.1)
    again = scorer().restore(arrays, json.loads(json.dumps(values)))
    signal = brain(generator, group="b")
    assert np.array_equal(again.joint(signal), fitted.joint(signal))
    assert again.calibration.threshold(rule) == fitted.calibration.threshold(rule)


def test_without_a_reference_the_intensity_itself_is_scored():
    generator = np.random.default_rng(4)
    fitted = fit(scorer(compare=False), [brain(generator) for _ in range(10)])
    signal = brain(generator)
    assert np.allclose(fitted.joint(signal), (signal.maps[1] - signal.maps[0])[MASK] / 2, atol=1e-6)
