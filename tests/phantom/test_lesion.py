"""A glioma: its position, its mass effect, and the tissue that it replaces."""

from dataclasses import replace

import numpy as np
import pytest

from brain_cae.phantom.anatomy import Anatomy
from brain_cae.phantom.lesion import Lesion, add_lesion, draw_lesion, mass_effect, surface_depth


@pytest.fixture
def lesion(built: Anatomy) -> Lesion:
    drawn = draw_lesion(built, np.random.default_rng(1))
    return replace(drawn, core_mm=15.0, oedema_mm=12.0, rim_mm=5.0, push_mm=4.0, oedema_strength=0.8, core_strength=1.0,
                   turn=np.eye(3))  # fmt: skip


def test_every_glioma_begins_in_white_matter_of_the_hemispheres(built: Anatomy) -> None:
    drawn = [draw_lesion(built, np.random.default_rng(seed)) for seed in range(60)]
    for one in drawn:
        nearest = np.linalg.norm(built.points - one.centre_mm[:, None], axis=0).argmin()
        assert built.fractions["white"][nearest] > 0.6 and abs(built.template_mm[0, nearest]) > 10
        assert 2.5 <= one.core_mm <= 28 and one.rim_mm <= max(one.core_mm, 2.0)
        assert (one.enhancement_mm == 0) == (one.rim_mm == one.core_mm)
    enhancing = np.mean([one.enhancement_mm > 0 for one in drawn])
    assert 0.55 < enhancing < 0.92  # three quarters, within three standard errors


def test_the_displacement_is_largest_at_the_border_of_the_core_and_zero_at_the_skull(lesion: Lesion) -> None:
    distances = np.array([7.5, 15.0, 52.5, 15.0, 15.0])
    points = lesion.centre_mm[:, None] + np.array([[1.0], [0], [0]]) * distances
    push = mass_effect(lesion, points.astype(np.float32), np.array([50.0, 50.0, 50.0, 0.0, 7.5]))
    assert push[0] == pytest.approx([2.0, 4.0, 4 * np.exp(-1), 0.0, 2.0], rel=1e-3)
    assert np.abs(push[1:]).max() < 1e-4  # straight away from the centre


def test_the_tumour_replaces_brain_and_fractions_still_sum_to_one(anatomy: Anatomy, built: Anatomy, lesion) -> None:
    anatomy.fractions["hyperintensity"] = np.zeros(anatomy.points.shape[1], dtype=np.float32)
    share = add_lesion(anatomy, lesion, np.random.default_rng(2))
    np.testing.assert_allclose(sum(anatomy.fractions.values()), 1, atol=2e-3)
    np.testing.assert_array_equal(anatomy.fractions["fluid"], built.fractions["fluid"])
    assert share.min() >= 0 and share.max() <= 1
    distance = np.linalg.norm(anatomy.points - lesion.centre_mm[:, None], axis=0)
    inner, rim, swollen, far = distance < 4, np.abs(distance - 12) < 1.5, np.abs(distance - 20) < 2, distance > 60
    solid = built.fractions["fluid"] < 0.1
    mean = {
        (tissue, place): float(anatomy.fractions[tissue][where & solid].mean())
        for tissue in ("necrosis", "rim", "oedema")
        for place, where in {"inner": inner, "rim": rim, "swollen": swollen, "far": far}.items()
    }
    assert mean["necrosis", "inner"] > 0.8 and mean["rim", "rim"] > max(mean["rim", "inner"], mean["rim", "swollen"])
    assert mean["oedema", "swollen"] > max(mean["oedema", "inner"], mean["oedema", "far"])
    assert all(mean[tissue, "far"] < 1e-3 for tissue in ("necrosis", "rim", "oedema"))


def test_the_depth_is_the_distance_to_the_surface_in_mm() -> None:
    brain = np.zeros((11, 11, 11), bool)
    brain[2:9, 2:9, 2:9] = True
    axes = tuple(np.arange(11) * 2.0 for _ in range(3))
    depth = surface_depth(brain, axes)
    assert (depth[5, 5, 5], depth[2, 5, 5], depth[0, 0, 0]) == (8.0, 2.0, 0.0)
