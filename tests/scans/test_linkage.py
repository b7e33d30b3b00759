"""Distances between acquisitions, and single linkage."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.scans.linkage import DEFINING, NEAR, distances, lacks_modality, link, log_parameters

NOTHING = np.full((1, len(DEFINING)), np.nan)


def rows(*repetition_ms: float, inversion_ms: float = np.nan) -> np.ndarray:
    """Return logarithms of the parameters of one modality; only the repetition time and the inversion differ."""
    table = pd.DataFrame([[tr, 90.0, inversion_ms, 1.0, 1.0, 5.0] for tr in repetition_ms], columns=list(DEFINING))
    return log_parameters(table, DEFINING)


def test_values_that_are_not_positive_are_unknown():
    values = log_parameters(pd.DataFrame({"a": [np.e, 0.0, -1.0, np.nan]}), ["a"])
    assert values[0, 0] == 1 and np.isnan(values[1:]).all()


def test_the_distance_is_the_largest_ratio():
    ratios = distances(rows(1000.0), rows(1000.0, 1100.0, 2000.0))
    assert ratios.ravel() == pytest.approx(np.log([1, 1.1, 2]), abs=1e-4)


def test_inversion_makes_another_protocol_and_a_missing_modality_does_not():
    assert distances(rows(1000.0), rows(1000.0, inversion_ms=900.0)).item() == np.inf
    both, one = np.hstack([rows(1000.0), rows(500.0)]), np.hstack([rows(1000.0), NOTHING])
    assert distances(both, one).item() == 0
    assert lacks_modality(np.vstack([both, one])).tolist() == [False, True]


def test_small_steps_are_linked_and_a_large_step_separates():
    groups = link(rows(1000.0, 1150.0, 1300.0, 1500.0, 1500.0, 3000.0))
    assert sorted(len(group) for group in groups) == [1, 4]  # equal rows count once
    assert np.log(1.2) < NEAR < np.log(1.21)


def test_a_subject_without_a_modality_never_joins_two_protocols():
    first, second = np.hstack([rows(1000.0), rows(500.0)]), np.hstack([rows(1000.0), rows(900.0)])
    partial, far = np.hstack([rows(1000.0), NOTHING]), np.hstack([rows(4000.0), NOTHING])
    assert [len(group) for group in link(np.vstack([first, second, partial]))] == [1, 1]
    assert [len(group) for group in link(np.vstack([first, far]))] == [1, 1]
