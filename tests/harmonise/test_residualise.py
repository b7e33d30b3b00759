"""Residualising subtracts what acquisition parameters predict, for scanners with healthy subjects."""

import numpy as np

from brain_cae.harmonise.residualise import Residualise

from .cohort import HEALTHY, auroc_of_label, auroc_of_protocol, cohort


def scanned(**options) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a ``cohort`` with logarithms of field strength and echo time instead of the protocol number."""
    rows, protocols, labels = cohort(**options)
    echo = np.random.default_rng(1).uniform(-0.05, 0.05, len(rows))
    settings = np.column_stack([np.log(np.where(protocols, 3.0, 1.5)), np.log(np.where(protocols, 90, 120)) + echo])
    return np.column_stack([rows[:, :-1], settings]), protocols, labels


def residualise(**options) -> Residualise:
    return Residualise(carried=2, **options)


def test_the_protocol_effect_is_removed_and_the_disease_effect_is_kept():
    rows, protocols, labels = scanned(shift=2.0, effect=1.0)
    harmonised = residualise().fit(rows, labels).transform(rows)
    assert auroc_of_protocol(rows[:, :-2], protocols) > 0.95
    assert auroc_of_protocol(harmonised, protocols) < 0.6
    assert auroc_of_label(harmonised, labels) > 0.85


def test_the_healthy_mean_is_kept():
    rows, _, labels = scanned(shift=2.0)
    healthy = rows[labels == HEALTHY]
    harmonised = residualise().fit(rows, labels).transform(healthy)
    np.testing.assert_allclose(harmonised.mean(axis=0), healthy[:, :-2].mean(axis=0), atol=1e-9)


def test_only_healthy_subjects_are_used_for_fitting():
    rows, _, labels = scanned(shift=2.0)
    other = rows.copy()
    other[labels != HEALTHY, :-2] += 50
    first, second = residualise().fit(rows, labels), residualise().fit(other, labels)
    np.testing.assert_array_equal(first.slope_, second.slope_)
    np.testing.assert_array_equal(first.known_, second.known_)


def test_subjects_pass_unchanged_if_no_healthy_subject_was_scanned_alike():
    rows, _, labels = scanned(shift=2.0)
    step = residualise().fit(rows, labels)
    strange = rows[:3].copy()
    strange[0, -1] = np.log(40)  # another echo time
    strange[1, -2] = np.nan  # unknown field strength
    strange[2, -2:] = np.nan
    assert step.reached(strange).tolist() == [False] * 3 and step.reached(rows).all()
    np.testing.assert_array_equal(step.transform(strange), strange[:, :-2])


def test_complete_confounding_cannot_be_harmonised():
    rows, protocols, _ = scanned(shift=2.0)
    step = residualise().fit(rows, labels := protocols)
    assert not step.reached(rows[labels == 1]).any()
    np.testing.assert_array_equal(step.transform(rows[labels == 1]), rows[labels == 1, :-2])


def test_missing_parameters_are_encoded_by_an_indicator():
    rows, protocols, labels = scanned(shift=2.0)
    rows[protocols == 1, -1] = np.nan
    harmonised = residualise().fit(rows, labels).transform(rows)
    assert auroc_of_protocol(harmonised, protocols) < 0.6


def test_equal_parameters_leave_all_features_unchanged():
    rows, _, labels = scanned(shift=2.0)
    rows[:, -2:] = 1.0
    np.testing.assert_array_equal(residualise().fit(rows, labels).transform(rows), rows[:, :-2])
