"""The findings of one brain."""

import numpy as np
import pytest
import torch

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


def test_a_map_evaluated_at_every_second_voxel_shows_the_same(make_detector, ill) -> None:
    ill.volume[1, ill.lesion] += 2
    found = {}
    for density in (0, 2):
        torch.manual_seed(0)
        detector = make_detector("scoring.smoothing_mm=8", f"scoring.samples_per_deviation={density}")
        steps = detector.signals(ill, detector.reconstruct(ill))["residual"].sampling.steps
        assert steps == ((2, 2, 1) if density else (1, 1, 1))
        found[density] = examine(detector, ill)
    (dense, dense_maps, dense_joint), (sampled, maps, joint) = found[0], found[2]
    assert maps.shape == dense_maps.shape and joint.shape == dense_joint.shape
    assert np.corrcoef(joint, dense_joint)[0, 1] > 0.97
    assert sampled.localisation["residual"].average_precision == pytest.approx(
        dense.localisation["residual"].average_precision, abs=0.05
    )
    assert sampled.lesions[0].volume_ml == pytest.approx(dense.lesions[0].volume_ml, rel=0.3)
    assert sampled.reconstruction == dense.reconstruction


def test_a_thin_volume_has_no_structural_similarity(make_detector, make_subject) -> None:
    detector = make_detector()
    thin = make_subject("thin", shape=(24, 28, 6), seed=3)
    assert np.isnan(examine(detector, thin)[0].reconstruction["ssim"])
    thick = examine(detector, make_subject("thick", seed=3))[0].reconstruction
    assert -1 <= thick["ssim"] <= 1 and thick["l1"] > 0
