"""Volumes for the viewer keep geometry and values, within a size."""

import base64
import gzip
import io
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from brain_cae.reporting.volumes import fitting, volumes

OPTIONS = {"top": 10.0, "threshold": 3.0, "rates": [(2.0, 0.01)]}


def opened(text: str) -> nibabel.Nifti1Image:
    return nibabel.Nifti1Image.from_stream(io.BytesIO(gzip.decompress(base64.b64decode(text))))


def test_a_volume_is_a_nifti_with_the_values_and_places_of_the_map(make_view):
    view = make_view()
    made = volumes(view, finest_mm=2.0, **OPTIONS)
    image = opened(made["map"])
    # The box of the brain with two voxels of margin; voxels of 4 mm stay as they are.
    assert image.header.get_zooms() == (4.0, 4.0, 4.5) and image.get_data_dtype() == np.uint8
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    values = image.get_fdata()
    assert values.max() == pytest.approx(min(view.anomaly_map.max(), 10.0), abs=10 / 255)
    assert values[tuple(made["peak"])] == values.max()
    assert [one["name"] for one in made["images"]] == ["flair", "t1"] and made["rates"] == [[2.0, 0.01]]
    assert made["threshold"] == 3.0
    outline = opened(made["lesion"]).get_fdata()
    assert set(np.unique(outline)) == {0.0, 1.0} and outline.sum() < view.lesion.sum()


def test_the_viewer_starts_at_the_maximum_although_the_map_is_cut_at_the_top(make_view):
    view = make_view()
    above = view.anomaly_map.copy()
    above[20:24, 20:24, 14:18] = 11.0  # two places above the top of the scale
    above[8, 8, 8], above[22, 22, 16] = 12.0, 30.0
    for finest in (2.0, 8.0):
        made = volumes(replace(view, anomaly_map=above), finest_mm=finest, **OPTIONS)
        image = opened(made["map"])
        # Both volumes lie around their centre: of the whole box, and of the map of the page.
        whole = opened(volumes(view, finest_mm=1.0, **OPTIONS)["map"])
        box = np.argwhere(view.image).min(axis=0) - 2
        there = nibabel.affines.apply_affine(whole.affine, np.array([22, 22, 16]) - np.maximum(box, 0))
        here = nibabel.affines.apply_affine(image.affine, made["peak"])
        assert np.abs(here - there).max() <= max(image.header.get_zooms()) / 2 + 0.5


def test_a_lesion_smaller_than_a_voxel_of_the_page_is_shown(make_view):
    lesion = np.zeros(make_view().image.shape, bool)
    lesion[18, 20, 15] = True
    view = replace(make_view(), lesion=lesion, spacing=(1.0, 1.0, 1.0))
    assert opened(volumes(view, finest_mm=2.0, **OPTIONS)["lesion"]).get_fdata().sum() >= 1
    outside = np.zeros_like(lesion)
    outside[0, 0, 0] = True
    assert volumes(replace(view, lesion=outside), finest_mm=2.0, **OPTIONS)["lesion"] is None


def test_smaller_voxels_are_joined_and_the_brain_keeps_its_size(make_view):
    fine, coarse = (opened(volumes(make_view(), finest_mm=mm, **OPTIONS)["map"]) for mm in (2.0, 8.0))
    sizes = [np.array(one.shape) * one.header.get_zooms() for one in (fine, coarse)]
    np.testing.assert_allclose(sizes[0], sizes[1], atol=8.0)
    assert np.prod(coarse.shape) < np.prod(fine.shape) / 5


def test_brains_are_reduced_to_the_size_of_a_page(make_view):
    def size(made):
        return sum(len(one["data"]) for one in made["images"]) + len(made["map"]) + len(made["lesion"] or "")

    whole = size(fitting([make_view()], 10**7, **OPTIONS)[0])
    assert size(fitting([make_view()], whole // 3, **OPTIONS)[0]) <= whole // 3
