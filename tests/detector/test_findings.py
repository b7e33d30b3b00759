"""The findings of one brain."""

import numpy as np
import pytest

from brain_cae.detector.findings import examine


def test_every_score_and_p_value_is_within_its_bounds(detector, ill) -> None:
    findings, maps, joint = examine(detector, ill)
    assert set(findings.scores) == set(findings.p_values) == {
        "residual", "absolute", "intensity", "healthy_mean", "healthy_subspace"
    }  # fmt: skip
    assert all(1 / 7 - 1e-9 <= p <= 1 for p in findings.p_values.values())
    assert maps.shape == (2, ill.mask.sum()) and joint.shape == (ill.mask.sum(),)
    assert not ill.on_grid(joint)[~ill.mask].any()
    scorer = detector.scorers["residual"]
    signal = detector.signals(ill, detector.reconstruct(ill))["residual"]
    assert findings.scores["residual"] == pytest.approx(scorer.score(joint, signal), rel=1e-5)
    mean, deviation = scorer.usual
    assert findings.scores["residual"] >= (np.percentile(joint, 99.9) - mean[1]) / deviation[1] - 1e-5


def test_there_is_no_localisation_without_a_known_lesion(detector, ill, make_subject) -> None:
    assert set(examine(detector, ill)[0].localisation) == set(detector.scorers)
    assert examine(detector, make_subject("healthy", seed=5))[0].localisation == {}
    object.__setattr__(ill, "lesion", ~ill.mask)  # no voxel of the brain
    assert examine(detector, ill)[0].localisation == {}


def test_the_map_is_highest_in_a_bright_lesion(detector, ill) -> None:
    ill.volume[1, ill.lesion] += 2
    findings, _, values = examine(detector, ill)
    joint = ill.on_grid(values)
    assert joint[ill.lesion].mean() > joint[ill.mask & ~ill.lesion].mean() + 1
    assert findings.localisation["residual"].average_precision > 0.8


def test_a_thin_volume_has_no_structural_similarity(make_detector, make_subject) -> None:
    detector = make_detector()
    thin = make_subject("thin", shape=(24, 28, 6), seed=3)
    assert np.isnan(examine(detector, thin)[0].reconstruction["ssim"])
    thick = examine(detector, make_subject("thick", seed=3))[0].reconstruction
    assert -1 <= thick["ssim"] <= 1 and thick["l1"] > 0
