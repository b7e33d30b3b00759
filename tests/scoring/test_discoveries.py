"""The shortcut is closed testing, and the bounds hold for conformal p-values."""

from itertools import combinations

import numpy as np
import pytest

from brain_cae.scoring.discoveries import false_discoveries, hommel


def simes(p_values, alpha):
    """Whether Simes' test rejects an intersection."""
    rising = np.sort(p_values)
    return bool((rising <= alpha * np.arange(1, len(rising) + 1) / len(rising) + 1e-12).any())


def closed_testing(p_values, alpha):
    """For each prefix the size of its largest part that no closed test rejects, over all intersections."""
    numbers = range(len(p_values))
    subsets = [set(chosen) for size in range(1, len(p_values) + 1) for chosen in combinations(numbers, size)]
    kept = [subset for subset in subsets if not simes(p_values[list(subset)], alpha)]
    return [max((len(subset & set(range(row + 1))) for subset in kept), default=0) for row in numbers]


@pytest.mark.parametrize("calibrating", [9, 19, 46, 1000])
def test_the_shortcut_is_closed_testing_over_all_subsets(calibrating):
    """With ties, as conformal p-values have them, in any order."""
    generator = np.random.default_rng(calibrating)
    nontrivial = 0
    for _ in range(60):
        count, alpha = int(generator.integers(1, 8)), float(generator.choice([0.05, 0.1, 0.3]))
        ranks = np.ceil((calibrating + 1) * generator.uniform(size=count) ** generator.choice([1, 3, 8]))
        p_values = ranks / (calibrating + 1)
        bounds = false_discoveries(p_values, alpha).tolist()
        assert bounds == closed_testing(p_values, alpha)
        nontrivial += bounds[-1] < count
    assert nontrivial > 5


def test_every_size_that_is_not_rejected_lies_below_hommels_number():
    p_values = np.array([0.01, 0.02, 0.03, 0.2, 0.6])
    largest = [size for size in range(1, 6) if not simes(np.sort(p_values)[-size:], 0.05)]
    assert hommel(p_values, 0.05) == max(largest) and largest == list(range(1, max(largest) + 1))
    assert hommel(np.array([0.01, 0.05]), 0.05) == 0


def test_equality_counts_as_rejected_and_an_empty_list_has_no_bounds():
    assert false_discoveries(np.full(10, 1 / 20), 0.05).tolist() == [0] * 10
    assert false_discoveries(np.full(10, 1 / 19), 0.05).tolist() == list(range(1, 11))
    assert false_discoveries(np.empty(0), 0.05).tolist() == []


def test_all_bounds_hold_at_once_in_the_promised_share_of_hospitals():
    """Healthy patients and calibration brains from one population; patients with a tumour score higher."""
    generator = np.random.default_rng(0)
    failures, sharp, draws = 0, 0, 1500
    for _ in range(draws):
        calibration, healthy = generator.normal(size=99), generator.normal(size=20)
        scores = np.concatenate([healthy, generator.normal(2.5, size=20)])
        order = np.argsort(-scores)
        p_values = (1 + (calibration[None] >= scores[order][:, None]).sum(axis=1)) / 100
        bounds = false_discoveries(p_values, 0.1)
        failures += bool((np.cumsum(order < 20) > bounds).any())
        sharp += bounds[19] < 20
    assert failures / draws <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / draws)
    assert sharp / draws > 0.5
