"""Which grids a head fits into, and the caution for slabs."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ScanError
from brain_cae.scans.extent import check_localiser, check_size, check_voxels, extent_mm, has_head_size, slab_cautions


def grid(*spacing: float) -> np.ndarray:
    """Return an oblique affine with this spacing."""
    turn = np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    return affine


@pytest.mark.parametrize(
    ("shape", "spacing", "fits"),
    [
        ((256, 256, 176), (1, 1, 1), True),
        ((50, 50, 20), (1.9999999, 2, 2), True),  # a brain cut out tightly, as a slab
        ((512, 512, 24), (0.45, 0.45, 5), True),
        ((240, 20, 256), (1, 1, 1), True),
        ((49, 50, 50), (2, 2, 2), True),
        ((49, 49, 50), (2, 2, 2), False),
        ((256, 256, 256), (2, 1, 1), False),
        ((40, 48, 32), (4000, 4000, 4000), False),
        ((40, 48, 32), (0.004, 0.004, 0.004), False),
    ],
)
def test_two_axes_have_the_extent_of_a_head_and_none_is_longer(shape, spacing, fits):
    assert extent_mm(shape, grid(*spacing)) == pytest.approx(np.array(shape) * spacing)
    assert has_head_size(shape, grid(*spacing)) == fits
    if not fits:
        with pytest.raises(ScanError, match="not the size of a head"):
            check_size(shape, grid(*spacing), where="a.nii")


def test_the_message_gives_the_size_and_the_unit():
    with pytest.raises(ScanError) as raised:
        check_size((10, 20, 30), grid(0.01, 1, 1), where="a.nii", unit="micron")
    assert raised.value.reason == "not the size of a head: 0.1 x 20 x 30 mm"
    assert raised.value.found == "0.1 x 20 x 30 mm; the header gives lengths in micron"


@pytest.mark.parametrize(
    ("count", "distance", "refused"), [(5, 10, True), (3, 25, True), (6, 25, False), (5, 9, False)]
)
def test_few_slices_far_apart_are_a_localiser(count, distance, refused):
    if refused:
        with pytest.raises(ScanError) as raised:
            check_localiser(count, distance, where="a")
        assert raised.value.reason == "localiser"
    else:
        check_localiser(count, distance, where="a")


def test_a_slab_is_a_caution_that_says_what_it_covers():
    index = pd.DataFrame(
        {
            "subject": ["a", "b", "c"], "modality": "t1", "columns": [256, 256, 40], "rows": 256,
            "slices": [24, 160, 160],
            "spacing_column_mm": 0.9, "spacing_row_mm": 0.9, "spacing_slice_mm": [3.0, 1.0, 1.0],
        }
    )  # fmt: skip
    (caution,) = slab_cautions(index)
    assert caution.startswith("2 scans cover less than 100 mm along one axis")
    assert "a t1 covers 230 x 230 x 72 mm, c t1 covers 36 x 230 x 160 mm" in caution
    assert slab_cautions(index[1:2]) == [] and slab_cautions(index[:0]) == []


def test_more_voxels_than_any_scan_has_are_refused():
    check_voxels((1024, 1024, 1024), where="a")
    with pytest.raises(ScanError, match="too large: 1024 x 1024 x 1025 voxels") as caught:
        check_voxels((1024, 1024, 1025), where="a")
    assert caught.value.where == "a" and caught.value.advice
