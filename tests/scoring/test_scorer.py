"""Calibration must hold on unseen brains; in-sample statistics would fail here."""

import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import betabinom

from brain_cae.scoring.calibration import Calibration
from brain_cae.scoring.guarantee import Guarantee
from brain_cae.scoring.scorer import Scorer
from brain_cae.scoring.signal import Signal

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
    one.observe(_samples(one, healthy, framed, seed))
    one.calibrate(_samples(one, healthy, framed, seed))
    return one


def _samples(one, healthy, framed, seed):
    return [one.held_out(framed, [n]).sample(signal, seed=[seed, n]) for n, signal in enumerate(healthy)]


def test_false_alarms_stay_at_alpha_while_in_sample_statistics_exceed_it():
    generator = np.random.default_rng(0)
    alpha, cohorts, tested, alarms, in_sample = 0.1, 12, 30, 0, 0
    for cohort in range(cohorts):
        healthy = [brain(generator) for _ in range(19)]
        fitted = fit(scorer(shrinkage=0.0), healthy, seed=cohort)
        naive = Calibration(np.array([fitted.score(fitted.joint(h), h) for h in healthy]), 0.0)
        for _ in range(tested):
            signal = brain(generator)
            score = fitted.score(fitted.joint(signal), signal)
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
    assert fitted.calibration.p_value(fitted.score(joint_map, signal)) == pytest.approx(1 / 21)
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


def varied(generator, lesion=0.0):
    """A brain whose first direction of variation is a wide pattern, as strong as a lesion."""
    signal = brain(generator, lesion=lesion, offset=0.0)
    wide = np.linspace(0.5, 1.5, SHAPE[0])[:, None, None] * generator.normal(0, 1.5)
    return Signal(np.where(MASK, signal.maps + np.stack([-wide, wide]), 0).astype(np.float32), MASK, "a")


def test_removing_common_variation_makes_a_lesion_stand_out():
    generator = np.random.default_rng(6)
    healthy, ill = [varied(generator) for _ in range(30)], [varied(generator, lesion=1.0) for _ in range(12)]
    new = [varied(generator) for _ in range(12)]
    apart = {}
    for components in (0, 4):
        fitted = fit(scorer(components=components), healthy)
        of_ill, of_new = ([fitted.score(fitted.joint(one), one) for one in some] for some in (ill, new))
        apart[components] = np.mean(np.array(of_ill)[:, None] > np.array(of_new)[None])
    assert apart[4] > apart[0] + 0.1 and apart[4] > 0.9


def test_common_variation_is_removed_with_spaces_that_have_not_seen_the_brain():
    generator = np.random.default_rng(7)
    healthy = [varied(generator) for _ in range(24)]
    fitted, framed = scorer(components=8), [one.framed((12, 14, 10)) for one in healthy]
    held_out = fitted.held_out(framed, [3])
    fitted.learn(framed)
    in_sample, unseen = (one.joint(healthy[3]).std() for one in (fitted, held_out))
    assert unseen > 1.1 * in_sample


def test_several_models_are_joined_by_their_mean():
    generator = np.random.default_rng(8)

    def twice(signal):
        return Signal(np.concatenate([signal.maps, signal.maps]), MASK, "a")

    healthy = [brain(generator) for _ in range(20)]
    signal = brain(generator, lesion=1.0)
    for joint in ("mean", "covariance"):
        one, two = scorer(components=3, joint=joint), scorer(components=3, joint=joint)
        one.learn([h.framed(one.frame) for h in healthy])
        two.learn([twice(h).framed(one.frame) for h in healthy])
        maps, joint_map = two.both(twice(signal))
        assert maps.shape == (2, MASK.sum())
        np.testing.assert_allclose(maps, one.maps(signal), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(joint_map, one.joint(signal), rtol=1e-3, atol=1e-3)


def test_covariance_keeps_the_scale_of_a_z_score_and_discounts_what_contrasts_share():
    generator = np.random.default_rng(9)

    def shared(lesion=0.0):
        common = gaussian_filter(generator.standard_normal(SHAPE), 1.2)
        signal = brain(generator, lesion=lesion, offset=0.0)
        # A glioma is darker in T1 and brighter in FLAIR; what healthy brains share here points the same way.
        return Signal(np.where(MASK, signal.maps + 2 * np.stack([-common, common]), 0).astype(np.float32), MASK, "a")

    fitted = scorer(joint="covariance")
    fitted.learn([shared().framed(fitted.frame) for _ in range(60)])
    assert np.std(np.concatenate([fitted.joint(shared()) for _ in range(10)])) == pytest.approx(1, abs=0.25)
    plain = scorer()
    plain.learn([shared().framed(fitted.frame) for _ in range(60)])
    assert plain.weights is None and fitted.weights is not None and fitted.weights.min() >= 0


def test_spaces_and_weights_survive_storing():
    generator = np.random.default_rng(10)
    fitted = fit(scorer(components=3, joint="covariance"), [brain(generator) for _ in range(15)])
    arrays, values = fitted.state()
    again = scorer(components=3, joint="covariance").restore(arrays, json.loads(json.dumps(values)))
    signal = brain(generator)
    np.testing.assert_array_equal(again.joint(signal), fitted.joint(signal))
