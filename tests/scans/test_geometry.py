"""Slices to a grid: order, distance, affine."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from brain_cae.errors import ScanError
from brain_cae.scans.geometry import affine_of, order_slices, plane_of, plane_of_affine

from .synthesise import AXIAL, CORONAL, SAGITTAL, normal_of


def positions_at(steps: list[float]) -> np.ndarray:
    """Return positions (n, 3) of axial slices with these distances."""
    along = np.concatenate([[0.0], np.cumsum(steps)])
    return np.stack([np.zeros_like(along), np.zeros_like(along), along], axis=1)


def order_at(steps: list[float]) -> tuple[np.ndarray, float]:
    positions = positions_at(steps)
    return order_slices(positions, np.tile(AXIAL, (len(positions), 1)))


@given(
    rotation=st.tuples(*[st.floats(-180, 180)] * 3),
    origin=st.tuples(*[st.floats(-200, 200)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 8)] * 3),
    count=st.integers(2, 20),
    seed=st.integers(0, 99),
)
def test_affine_maps_every_pixel_to_its_dicom_position(rotation, origin, spacing, count, seed):
    turn = Rotation.from_euler("xyz", rotation, degrees=True).as_matrix()
    orientation = np.concatenate([turn[:, 0], turn[:, 1]])
    row, column, distance = spacing
    slices = np.array(origin) + np.outer(np.arange(count) * distance, normal_of(orientation))
    shuffled = np.random.default_rng(seed).permutation(count)
    order, measured = order_slices(slices[shuffled], np.tile(orientation, (count, 1)))
    assert np.array_equal(shuffled[order], np.arange(count))
    assert measured == pytest.approx(distance, rel=1e-6)
    affine = affine_of(slices[0], orientation, spacing_row=row, spacing_column=column, distance=measured)
    # DICOM PS3.3 C.7.6.2.1.1: column index along the first direction, row index along the second; LPS to RAS.
    i, j, k = 3, 5, count - 1
    patient = slices[k] + i * column * orientation[:3] + j * row * orientation[3:]
    assert affine @ [i, j, k, 1] == pytest.approx([-patient[0], -patient[1], patient[2], 1], abs=1e-6)
    assert np.linalg.solve(affine, affine @ [i, j, k, 1]) == pytest.approx([i, j, k, 1], abs=1e-6)
    assert np.linalg.det(affine[:3, :3]) > 0


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([2.0, 2.0, 4.0, 2.0], "gap between slices"),
        ([2.0, 4.0], "gap between slices"),
        ([2.0] * 30 + [3.0], "gap between slices"),
        ([2.0, 0.0, 2.0], "duplicate slice position"),
        ([2.0, 2.0, 1e-4, 2.0], "duplicate slice position"),
        ([2.0, 2.3, 2.0, 2.0, 2.0], "uneven slice distance"),
        ([2.0] * 40 + [2.06] * 40, "uneven slice distance"),
        ([], "single slice"),
    ],
)
def test_irregular_positions_are_named(steps, reason):
    with pytest.raises(ScanError) as raised:
        order_at(steps)
    assert raised.value.reason == reason


@pytest.mark.parametrize(("steps", "found"), [([2.0, 4.0, 2.0], "a gap of 4.000 mm"), ([2.0, 4.0, 5.0], "2 gaps, the")])
def test_gaps_are_counted(steps, found):
    with pytest.raises(ScanError, match=found):
        order_at(steps)


@pytest.mark.parametrize("steps", [[6.96, 7.07, 7.0, 6.98, 7.02], [0.999, 1.001] * 40])
def test_rounded_positions_are_tolerated(steps):
    assert order_at(steps)[1] == pytest.approx(np.mean(steps))


def test_slices_shifted_sideways_are_refused():
    positions = positions_at([3.0] * 5)
    positions[:, 0] += np.arange(6)
    with pytest.raises(ScanError) as raised:
        order_slices(positions, np.tile(AXIAL, (6, 1)))
    assert raised.value.reason == "slices shifted sideways"


def test_an_orientation_without_unit_vectors_is_refused():
    with pytest.raises(ScanError) as raised:
        order_slices(positions_at([1.0, 1.0]), np.ones((3, 6)))
    assert raised.value.reason == "unusable orientation"


@pytest.mark.parametrize(("orientation", "plane"), [(AXIAL, "axial"), (SAGITTAL, "sagittal"), (CORONAL, "coronal")])
def test_planes_are_named_up_to_a_tilt(orientation, plane):
    assert plane_of(normal_of(orientation)) == plane
    assert plane_of(-normal_of(orientation)) == plane
    for degrees, expected in ((25, plane), (45, "oblique")):
        # Rotation about an in-plane axis tilts the normal by exactly this angle.
        axis = np.array(orientation[:3]) * np.deg2rad(degrees)
        assert plane_of(Rotation.from_rotvec(axis).apply(normal_of(orientation))) == expected
    affine = affine_of(np.zeros(3), np.array(orientation), spacing_row=1, spacing_column=1, distance=5)
    assert plane_of_affine(affine) == plane
