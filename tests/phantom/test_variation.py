"""Brains that differ at every scale, and gliomas of any size; the smooth anatomy stays what it was."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from brain_cae.phantom import PhantomSettings, Subject, simulate_subject
from brain_cae.phantom.anatomy import VOXEL_MM, Anatomy, Warp, brain_mask, build_anatomy, load_atlas
from brain_cae.phantom.lesion import VOLUME_ML, add_lesion, draw_any_lesion
from brain_cae.phantom.variation import EDGE, LEAST, VariedWarp, load_quantiles

SETTINGS = PhantomSettings(subjects=6, seed=3, abnormal_fraction=0.5, anatomy="varied")
HEALTHY = [-2970.55, 13318.13, 1960.58, 51914.12]
TUMOUR = [918.48, -4063.63, -6474.88, -22555.48]


def _fingerprint(subject: Subject) -> list[float]:
    """Return the sum of each series' pixels, weighted by their position: it changes with any draw or order."""
    return [
        float((one.pixels.ravel().astype(float) * np.sin(np.arange(one.pixels.size))).sum())
        for one in subject.series.values()
    ]


def test_the_smooth_anatomy_is_what_it_was(healthy: Subject, tumour: Subject) -> None:
    """Recorded before there was another one; rounding of another processor may move a pixel by one, no more."""
    assert _fingerprint(healthy) == pytest.approx(HEALTHY, abs=3)
    assert _fingerprint(tumour) == pytest.approx(TUMOUR, abs=3)


def _person(kind: str, seed: int) -> Anatomy:
    generator, other = np.random.default_rng(seed), np.random.default_rng(seed + 100)
    warp = VariedWarp(60, "F", generator, other) if kind == "varied" else Warp(60, "F", generator)
    return build_anatomy(warp, brain_mask(warp), generator)


@pytest.fixture(scope="module")
def people() -> dict[str, list[Anatomy]]:
    return {kind: [_person(kind, seed) for seed in range(3)] for kind in ("smooth", "varied")}


def test_people_differ_more_at_fine_scales(people: dict[str, list[Anatomy]]) -> None:
    spread = {}
    for kind, drawn in people.items():
        # At the surface, the size of the head decides.
        where = ndimage.binary_erosion(np.logical_and.reduce([one.brain for one in drawn]), iterations=4)
        maps = [one.onto_canvas(one.fractions["fluid"]) for one in drawn]
        smooth = [[ndimage.gaussian_filter(one, mm / 2.355 / VOXEL_MM) for mm in (4, 8, 16)] for one in maps]
        bands = np.array([[one[0] - one[1], one[1] - one[2]] for one in smooth])[..., where]
        spread[kind] = np.sqrt((bands.std(0, ddof=1) ** 2).mean(-1))
    assert (spread["varied"] > 1.1 * spread["smooth"]).all(), spread


def test_tissues_still_fill_a_brain_of_realistic_volumes(people: dict[str, list[Anatomy]]) -> None:
    for one in people["varied"]:
        np.testing.assert_allclose(sum(one.fractions.values()), 1, atol=1e-5)
        assert all(values.min() > -1e-5 for values in one.fractions.values())
        grey, white, fluid = (one.fractions[name].sum() * VOXEL_MM**3 / 1e6 for name in ("grey", "white", "fluid"))
        assert 0.4 < grey < 1.2 and 0.3 < white < 0.8 and 0.1 < fluid < 0.8


def test_the_template_is_the_average_of_all_people() -> None:
    atlas, (below, above) = load_atlas(), load_quantiles()
    places = tuple(np.argwhere(atlas.brain > 0.9)[::4001].T)
    fold = np.random.default_rng(0).standard_normal((20_000, 1))
    soft = fold + EDGE * np.random.default_rng(1).standard_normal(fold.shape)
    fluid = np.clip(1 - atlas.grey - atlas.white, LEAST, 1)[places]
    np.testing.assert_allclose((soft < below[places]).mean(0), fluid, atol=0.015)
    np.testing.assert_allclose((soft > above[places]).mean(0), atlas.white[places], atol=0.015)


def test_ventricles_differ_between_the_sides() -> None:
    warps = [VariedWarp(70, "M", np.random.default_rng(1), np.random.default_rng(seed)) for seed in range(5)]
    left, right = np.array([warp.growth(np.array([[-30.0, 30.0], [0, 0], [10, 10]])) for warp in warps]).T
    assert (left > right).any() and (left < right).any()
    assert all(-25 <= warp.ventricle_growth <= 130 and abs(warp.sulci) <= 0.7 for warp in warps)


def test_gliomas_have_any_size_from_a_few_millilitres_and_some_are_faint(people: dict[str, list[Anatomy]]) -> None:
    anatomy = people["varied"][0]
    drawn = [draw_any_lesion(anatomy, np.random.default_rng(seed)) for seed in range(60)]
    nominal = np.array([4 / 3 * np.pi * (one.core_mm + one.oedema_mm) ** 3 / 1000 for one in drawn])
    assert VOLUME_ML[0] <= nominal.min() < 8 and 100 < nominal.max() <= VOLUME_ML[1]
    assert 15 < np.median(nominal) < 55  # the middle of the logarithm is 28 ml
    assert all((one.enhancement_mm == 0) == (one.rim_mm == one.core_mm) or one.rim_mm == 2.0 for one in drawn)
    faint = np.mean([one.oedema_strength < 0.4 for one in drawn])
    assert 0.08 < faint < 0.45
    for number in (int(nominal.argmin()), int(nominal.argmax())):
        brain = replace(anatomy, fractions=anatomy.fractions | {"hyperintensity": np.zeros(anatomy.points.shape[1])})
        share = add_lesion(brain, drawn[number], np.random.default_rng(number))
        assert 0.1 < (share > 0.5).sum() * VOXEL_MM**3 / 1000 / nominal[number] < 2


def test_the_same_seed_gives_the_same_person_and_healthy_people_have_no_lesion(healthy: Subject) -> None:
    first, again = (simulate_subject(SETTINGS, healthy.number, modalities=("flair",)) for _ in range(2))
    np.testing.assert_array_equal(first.series["flair"].pixels, again.series["flair"].pixels)
    assert first.lesion is None and not first.lesion_mask.any()
    # Who is scanned and where does not depend on the anatomy.
    assert (first.age, first.sex, first.protocol) == (healthy.age, healthy.sex, healthy.protocol)
    assert not np.array_equal(first.series["flair"].pixels, healthy.series["flair"].pixels)


def test_leaving_lesions_out_leaves_the_same_person(tumour: Subject) -> None:
    with_lesion, without = (
        simulate_subject(replace(SETTINGS, lesions=lesions), tumour.number, modalities=("flair",))
        for lesions in (True, False)
    )
    a, b = with_lesion.series["flair"], without.series["flair"]
    assert with_lesion.lesion is not None and with_lesion.lesion_mask.any() and not without.lesion_mask.any()
    np.testing.assert_array_equal(a.grid.affine, b.grid.affine)
    np.testing.assert_array_equal(a.pixels > 0, b.pixels > 0)
