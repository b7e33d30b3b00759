"""Cross-fitted detectors: each calibration score is compared with the score of its own detector; maps are means."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brain_cae.detector.crossfit import crossfitted
from brain_cae.detector.findings import examine
from brain_cae.detector.storage import load, save


@pytest.fixture
def folds(make_detector, make_subject):
    """Three detectors with other weights, references and calibration brains."""
    made = []
    for number in range(3):
        one = make_detector()
        healthy = [make_subject(f"h{number}{seed}", seed=10 * number + seed) for seed in range(9)]
        one.calibrate(healthy[:4], reference=healthy[4:])
        made.append(replace(one, known_protocols=[f"p{number}"], seen={"a": "train", "b": "validation"}))
    return made


def test_a_cross_fitted_detector_ranks_each_score_in_its_own_fold_and_shows_the_mean_map(folds, ill) -> None:
    joined = crossfitted(folds)
    assert joined.known_protocols == ["p0", "p1", "p2"] and set(joined.seen.values()) == {"train"}
    each = [examine(one, ill) for one in folds]
    findings, maps, joint_map = examine(joined, ill)
    np.testing.assert_allclose(joint_map, np.mean([values for _, _, values in each], axis=0), rtol=1e-5)
    np.testing.assert_allclose(maps, np.mean([values for _, values, _ in each], axis=0), rtol=1e-5)
    for name in joined.scorers:
        scores = [found.scores[name] for found, _, _ in each]
        assert findings.scores[name] == pytest.approx(np.mean(scores))
        assert findings.ranks[name] == 1 + sum(found.ranks[name] - 1 for found, _, _ in each)
        assert findings.p_values[name] == findings.ranks[name] / 13
    assert findings.features.keys() == each[0][0].features.keys()


def test_identical_detectors_cross_fitted_find_what_one_of_them_finds(folds, ill) -> None:
    one, (joined, _, joint_map) = folds[0], examine(crossfitted([folds[0]] * 3), ill)
    alone, _, values = examine(one, ill)
    assert joined.scores == pytest.approx(alone.scores, rel=1e-6)
    assert [one.centre_mm for one in joined.lesions] == [one.centre_mm for one in alone.lesions]
    np.testing.assert_allclose(joint_map, values, rtol=1e-6)
    assert joined.ranks == {name: 1 + 3 * (rank - 1) for name, rank in alone.ranks.items()}


def test_all_cross_fitted_detectors_are_stored(folds, ill, tmp_path: Path) -> None:
    joined = crossfitted(folds)
    save(joined, tmp_path / "model")
    again = load(tmp_path)
    assert again.calibration == "crossfit" and len(again.folds) == 2
    assert again.fingerprint() == joined.fingerprint() != crossfitted(folds[::-1]).fingerprint()
    before, after = examine(joined, ill)[0], examine(again, ill)[0]
    assert after.ranks == before.ranks and after.scores == pytest.approx(before.scores, rel=1e-5)
