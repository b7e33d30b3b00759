"""ComBat agrees with the published code, removes protocol differences and keeps the disease effect."""

import numpy as np
import pytest

from brain_cae.harmonise.combat import Combat, shrunk

from .cohort import HEALTHY, auroc_of_label, auroc_of_protocol, cohort


def combat(**options) -> Combat:
    return Combat(**options)


def test_agrees_with_the_published_code():
    rng = np.random.default_rng(3)
    batches = np.repeat([0, 1, 2], [5, 7, 4])
    features = np.round(rng.normal(size=(16, 6)) * np.linspace(1, 3, 6) + batches[:, None] * 1.5, 3)
    features[batches == 2] *= 1.6
    rows = np.column_stack([features, batches])
    harmonised = combat().fit(rows, np.zeros(16)).transform(rows)
    # neuroCombat 0.2.12 without covariates; both iterate until the relative change is below 1e-4.
    published = [
        [3.2838, -1.7075, 2.4098, 0.065, 0.9631, 1.3438],
        [-0.8783, 2.7795, 0.5431, -1.2463, 2.9659, 3.6366],
        [1.1886, 2.1065, 1.8483, 3.0715, -2.1605, -3.2079],
    ]
    np.testing.assert_allclose(harmonised[[0, 6, 15]], published, atol=2e-4)


def test_the_protocol_effect_is_removed_and_the_disease_effect_is_kept():
    rows, protocols, labels = cohort(shift=2.0, effect=1.0)
    raw, harmonised = rows[:, :-1], combat().fit(rows, labels).transform(rows)
    assert auroc_of_protocol(raw, protocols) > 0.95
    assert auroc_of_protocol(harmonised, protocols) < 0.6
    assert auroc_of_label(harmonised, labels) > 0.85


def test_scales_are_aligned():
    rows, protocols, labels = cohort(shift=0.0, scale=3.0)
    harmonised = combat().fit(rows, labels).transform(rows)
    before, after = (
        np.std(table[protocols == 1], axis=0) / np.std(table[protocols == 0], axis=0)
        for table in (rows[:, :-1], harmonised)
    )
    assert (before > 2).all() and np.abs(after.mean() - 1) < 0.2


def test_only_healthy_subjects_are_used_for_fitting():
    rows, _, labels = cohort(shift=2.0)
    other = rows.copy()
    other[labels != HEALTHY, :-1] = np.random.default_rng(9).normal(50, 9, other[labels != HEALTHY, :-1].shape)
    first, second = combat().fit(rows, labels), combat().fit(other, labels)
    np.testing.assert_array_equal(first.location_, second.location_)
    np.testing.assert_array_equal(first.mean_, second.mean_)


def test_unseen_small_and_unknown_protocols_pass_unchanged():
    rows, _, labels = cohort(shift=2.0)
    step = combat(minimum=3).fit(np.vstack([rows, small := rows[:2] + np.r_[np.zeros(5), 7]]), np.r_[labels, 0, 0])
    strange = np.vstack([small, rows[:1] * 0 - 1, rows[:1] * 0 + 99])
    assert not step.reached(strange).any() and step.reached(rows).all()
    np.testing.assert_array_equal(step.transform(strange), strange[:, :-1])


def test_a_single_protocol_passes_unchanged():
    rows, protocols, labels = cohort(shift=2.0)
    single = rows[protocols == 0]
    step = combat().fit(single, labels[protocols == 0])
    assert not step.reached(single).any()
    np.testing.assert_array_equal(step.transform(single), single[:, :-1])


def test_complete_confounding_cannot_be_harmonised():
    rows, protocols, _ = cohort(shift=2.0)
    step = combat().fit(rows, labels := protocols.copy())
    assert not step.reached(rows[labels == 1]).any()
    np.testing.assert_array_equal(step.transform(rows), rows[:, :-1])


def test_missing_and_constant_features_pass_unchanged():
    rows, _, labels = cohort(shift=2.0)
    rows[::3, 0], rows[:, 1], rows[:, 2] = np.nan, 4.0, np.nan
    harmonised = combat().fit(rows, labels).transform(rows)
    assert np.isnan(harmonised[::3, 0]).all() and np.isfinite(harmonised[1::3, 0]).all()
    assert (harmonised[:, 1] == 4).all() and np.isnan(harmonised[:, 2]).all()
    assert np.isfinite(harmonised[:, 3:]).all()


def test_estimates_of_a_single_feature_and_of_equal_ones_are_finite():
    z = np.random.default_rng(0).normal(size=(5, 1))
    location, scale = shrunk(z)
    assert location == pytest.approx(z.mean()) and scale == pytest.approx(z.std(ddof=1))
    location, scale = shrunk(np.repeat(z, 3, axis=1))
    assert location == pytest.approx([z.mean()] * 3) and np.isfinite(scale).all()
