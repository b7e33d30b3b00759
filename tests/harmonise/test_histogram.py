"""Landmarks ascend, the mapping is invertible, and brains from two scanners get the same histogram."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_cae.harmonise import Brain
from brain_cae.harmonise.histogram import Histogram, increasing, piecewise

PERCENTILES = [1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99]


def brain(*, gain=1.0, gamma=1.0, seed=0, lesion=0):
    rng = np.random.default_rng(seed)
    tissue = np.concatenate([rng.normal(0.5, 0.08, 3000), rng.normal(1.0, 0.08, 5000), rng.normal(1.3, 0.06, 4000)])
    tissue[:lesion] = 2.0
    volume = np.zeros((1, 24, 25, 24), np.float32)
    mask = np.zeros((24, 25, 24), bool)
    mask[:, :, :20] = True
    volume[0][mask] = gain * np.abs(tissue) ** gamma
    return Brain(volume, mask, np.ones(3), np.ones((1, 3)))


@given(st.lists(st.floats(0, 6), min_size=2, max_size=12))
@settings(max_examples=50)
def test_landmarks_ascend_and_hardly_change(values):
    landmarks = increasing(np.asarray(sorted(values)))
    assert (np.diff(landmarks) > 0).all()
    np.testing.assert_allclose(landmarks, sorted(values), atol=2e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_the_mapping_ascends_and_is_invertible(seed):
    rng = np.random.default_rng(seed)
    source, target = np.cumsum(rng.uniform(0.05, 1, (2, 11)), axis=1)
    values = np.sort(rng.uniform(-1, 12, 200))
    mapped = piecewise(values, source, target)
    assert (np.diff(mapped) >= 0).all()
    np.testing.assert_allclose(piecewise(mapped, target, source), values, atol=1e-8)
    np.testing.assert_allclose(piecewise(source, source, target), target, atol=1e-12)


def test_brains_from_two_scanners_get_the_same_histogram():
    healthy = [brain(seed=1), brain(gain=1.4, gamma=1.3, seed=2), brain(seed=3)]
    step = Histogram(PERCENTILES).fit(healthy)
    other = brain(gain=0.7, gamma=0.8, seed=4)
    after = np.percentile(step.apply(other)[0][other.mask], PERCENTILES)
    np.testing.assert_allclose(after, step.standard[0], atol=1e-3)
    assert (step.apply(other)[0][~other.mask] == 0).all()


def test_standard_landmarks_keep_the_range_of_the_training_brains():
    healthy = [brain(seed=1), brain(gain=2.0, seed=2)]
    step = Histogram(PERCENTILES).fit(healthy)
    landmarks = np.stack([step.landmarks(one)[0] for one in healthy])
    assert step.standard[0, [0, -1]] == pytest.approx(landmarks.mean(axis=0)[[0, -1]])
    assert (np.diff(step.standard) > 0).all()


def test_a_large_tumour_moves_the_intensities_of_healthy_tissue():
    """A limitation that the documentation states."""
    step = Histogram(PERCENTILES).fit([brain(seed=1), brain(seed=2)])
    sick, whole = brain(seed=3, lesion=2000), brain(seed=3)
    healthy_tissue = sick.mask & (sick.volume[0] == whole.volume[0])
    moved = np.abs(step.apply(sick)[0] - step.apply(whole)[0])[healthy_tissue].mean()
    assert moved > 0.05


def test_equal_intensities_do_not_cause_a_division_by_zero():
    step = Histogram(PERCENTILES).fit([brain(seed=1)])
    flat = brain(seed=2)
    two = Brain(np.where(flat.volume > 1, 1.0, 0.0).astype(np.float32), flat.mask, flat.voxel_mm, flat.spacing_mm)
    assert np.isfinite(step.apply(two)).all()


def test_round_trip():
    step = Histogram(PERCENTILES).fit([brain(seed=1)])
    again = Histogram(PERCENTILES).restore(json.loads(json.dumps(step.state())))
    np.testing.assert_array_equal(again.apply(brain(seed=5)), step.apply(brain(seed=5)))
