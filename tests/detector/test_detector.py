"""A detector is stored and loaded with the references that its features are computed with."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brain_cae.detector.findings import examine
from brain_cae.detector.storage import load, save

EVERYTHING = ("features.levels=all", "reshape=isotropic", "reshape.spacing_mm=3")


@pytest.fixture
def detector(make_detector):
    return make_detector(*EVERYTHING, brains=8)


def test_features_of_all_levels_survive_storing(detector, make_subject, tmp_path: Path) -> None:
    brain = make_subject("new", seed=99)
    before = examine(detector, brain)[0].features
    assert len({name for name in before if name.startswith("encoder_level1_mean")}) == 4
    assert len({name for name in before if name.startswith("encoder_level3_mean")}) == 8
    assert len({name for name in before if name.startswith("encoder_mean")}) == 4
    assert {"distance_bottleneck_mean", "distance_level1_q95"} <= set(before)
    assert np.isfinite(list(before.values())).all()
    save(detector, tmp_path / "model")
    after = examine(load(tmp_path), brain)[0].features
    assert after == pytest.approx(before, rel=1e-4, abs=1e-5)


def test_a_brain_unlike_the_healthy_ones_deviates(detector, make_subject) -> None:
    like, unlike = make_subject("like", seed=50), make_subject("unlike", seed=50)
    lump = np.zeros(unlike.mask.shape, bool)
    lump[8:16, 8:16, 6:12] = True
    unlike.volume[:, lump & unlike.mask] += 1.5
    distances = [examine(detector, brain)[0].features["distance_level1_q95"] for brain in (like, unlike)]
    assert distances[1] > 1.3 * distances[0]


def test_places_are_compared_in_the_template_wherever_the_scan_lay(make_detector, make_subject) -> None:
    """Moving a scan and its way to the template together changes nothing; without a way, the box stands in."""
    detector = make_detector(
        *EVERYTHING, "preprocess.space=mni", "scoring.percentile=99.5", "scoring.joint=mean", brains=8
    )
    brain = make_subject("new", seed=99)
    there = np.eye(4)
    there[:3, 3] = (40, -7, 12)
    moved = replace(brain, affine=there @ brain.affine, to_template=brain.to_template @ np.linalg.inv(there))
    first, second = (examine(detector, one)[0] for one in (brain, moved))
    assert second.scores == pytest.approx(first.scores) and second.features == pytest.approx(first.features, abs=1e-6)
    assert np.isfinite(list(first.features.values())).all()
    assert abs(np.mean(detector.scorers["healthy_mean"].maps(_intensity(detector, brain)))) < 0.5
    # Without a match, the box of the mask lies where the brain of the template does.
    rough = examine(detector, replace(brain, to_template=None))[0]
    assert rough.scores["healthy_mean"] == pytest.approx(first.scores["healthy_mean"], abs=1.0)


def _intensity(detector, brain):
    return detector.signals(brain, detector.reconstruct(brain))["intensity"]


def test_another_process_gets_the_same_detector(detector, ill) -> None:
    copy = pickle.loads(pickle.dumps(detector))
    assert copy.fingerprint() == detector.fingerprint() and copy.config == detector.config
    assert examine(copy, ill)[0].scores == examine(detector, ill)[0].scores
