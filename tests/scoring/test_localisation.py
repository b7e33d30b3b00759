import numpy as np
import pytest

from brain_cae.scoring.localisation import dice_of, localise


def test_a_perfect_map():
    lesion = np.zeros((8, 8, 8), bool)
    lesion[2:5, 2:5, 2:5] = True
    result = localise(lesion.ravel() * 3.0, lesion.ravel(), lesion.ravel())
    assert result.average_precision == 1
    assert result.dice == 1
    assert dice_of(result.overlaps).max() == 1


def test_counts_agree_with_their_definition():
    generator = np.random.default_rng(0)
    lesion, mask = generator.random((10, 10, 10)) < 0.2, generator.random((10, 10, 10)) < 0.8
    values = generator.normal(size=(10, 10, 10)) + lesion
    called = (values > 0.7) & mask
    result = localise(values[mask], lesion[mask], called[mask])
    truth = lesion & mask
    assert result.dice == pytest.approx(2 * (called & truth).sum() / (called.sum() + truth.sum()))
    assert (result.overlaps[:, 0] + result.overlaps[:, 2] == truth.sum()).all()
    assert result.dice <= dice_of(result.overlaps).max() + 0.02
