"""A person's brain: tissues that fill it, a size that fits the sex, ventricles that fit the age."""

import numpy as np
import pytest

from brain_cae.phantom.anatomy import VOXEL_MM, Anatomy, Warp, brain_mask, brain_points, build_anatomy, load_atlas


def test_tissues_fill_every_point(built: Anatomy) -> None:
    assert set(built.fractions) == {"grey", "white", "fluid", "choroid"}
    np.testing.assert_allclose(sum(built.fractions.values()), 1, atol=1e-5)
    assert all(values.min() > -1e-5 for values in built.fractions.values())


def test_brain_volumes_are_realistic(built: Anatomy) -> None:
    litres = built.brain.sum() * VOXEL_MM**3 / 1e6
    assert 1.2 < litres < 2.1  # fluid included
    grey, white = (built.fractions[name].sum() * VOXEL_MM**3 / 1e6 for name in ("grey", "white"))
    assert 0.35 < white < 0.8 and 0.45 < grey < 1.0
    # The middle of the brain lies near the origin.
    middle = [float(np.average(axis, weights=built.brain.sum(axis=others))) for axis, others in
              zip(built.axes, ((1, 2), (0, 2), (0, 1)), strict=True)]  # fmt: skip
    assert np.abs(middle).max() < 8


def test_a_mans_head_is_larger_than_a_womans_with_the_same_draws() -> None:
    woman, man = (brain_mask(Warp(60, sex, np.random.default_rng(3))).sum() for sex in "FM")
    assert man / woman == pytest.approx((1.02 / 0.98) ** 3, rel=0.02)


def test_ventricles_and_sulci_widen_with_age() -> None:
    everywhere, ventricles = [], []
    for age in (25, 85):
        warp = Warp(age, "F", np.random.default_rng(4))
        brain = build_anatomy(warp, brain_mask(warp), np.random.default_rng(5))
        fluid = brain.fractions["fluid"]
        everywhere.append(float(fluid.sum()))
        ventricles.append(float(fluid[brain.ventricle_distance_mm == 0].sum()))
    assert everywhere[1] > 1.05 * everywhere[0]
    assert ventricles[1] > 1.3 * ventricles[0]


def test_tissue_that_was_pushed_comes_from_where_it_was(warp: Warp, built: Anatomy) -> None:
    push = np.zeros_like(built.points)
    push[0] = 2 * VOXEL_MM
    moved = build_anatomy(warp, built.brain, np.random.default_rng(1), push_mm=push)
    deep = np.argwhere(built.brain[20:-20, 20:-20, 20:-20])[::97] + 20
    here, there = moved.onto_canvas(moved.template_mm[1]), built.onto_canvas(built.template_mm[1])
    a, b = here[tuple(deep.T)], there[tuple((deep - (2, 0, 0)).T)]
    assert np.median(np.abs(a - b)) < 1.5


def test_values_go_onto_the_canvas_and_nowhere_else(built: Anatomy) -> None:
    canvas = built.onto_canvas(np.arange(1, built.points.shape[1] + 1))
    assert np.array_equal(canvas > 0, built.near)
    assert built.near.sum() > built.brain.sum() and built.near[built.brain].all()
    field = built.field(20, np.random.default_rng(0))
    assert field.shape == (built.points.shape[1],) and field.std() == pytest.approx(1, abs=0.25)


def test_points_are_the_places_of_the_voxels(warp: Warp, built: Anatomy) -> None:
    near, points = brain_points(warp, built.brain)
    first = np.argwhere(near)[0]
    assert points[:, 0].tolist() == [axis[index] for axis, index in zip(warp.axes, first, strict=True)]


def test_the_atlas_knows_where_its_ventricles_are() -> None:
    atlas = load_atlas()
    assert load_atlas() is atlas
    inside = atlas.ventricle_distance_mm == 0
    assert 0.005 < inside.sum() / (atlas.brain > 0.5).sum() < 0.05
    assert (atlas.grey + atlas.white)[inside].max() < 0.5
