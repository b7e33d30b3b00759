from dataclasses import replace

import numpy as np
import pytest

from brain_cae.phantom import PhantomSettings, Subject, motion_of, simulate_subject
from brain_cae.phantom.anatomy import Anatomy
from brain_cae.phantom.motion import REFERENCE
from brain_cae.phantom.protocol import MODALITIES

MOVING = PhantomSettings(subjects=200, seed=3, misalignment_mm=20.0)


def test_the_mean_displacement_over_a_brain_is_the_one_that_was_drawn(built: Anatomy) -> None:
    brain = built.points[:, built.brain[built.near]]
    for number in range(5):
        motion = motion_of(MOVING, number, "t1")
        assert motion is not None
        moved = motion.affine[:3, :3] @ brain + motion.affine[:3, 3:]
        # One person's brain differs from the template's, by which the length was set.
        assert np.linalg.norm(moved - brain, axis=0).mean() == pytest.approx(motion.displacement_mm, rel=0.02)


def test_displacements_are_uniform_and_rotations_small() -> None:
    motions = [motion_of(MOVING, number, "t2") for number in range(200)]
    displacements = np.array([motion.displacement_mm for motion in motions])
    angles = np.array([np.linalg.norm(motion.rotation_deg) for motion in motions])
    shifts = np.array([motion.translation_mm for motion in motions])
    # 4 standard errors of a uniform distribution's mean and standard deviation.
    assert displacements.mean() == pytest.approx(10, abs=4 * 20 / np.sqrt(12 * 200))
    assert displacements.std() == pytest.approx(20 / np.sqrt(12), abs=1.1)
    assert 0 <= displacements.min() < 1 and 19 < displacements.max() <= 20
    assert (angles <= displacements / 4).all() and angles.max() > 3
    assert np.abs((shifts / np.linalg.norm(shifts, axis=1)[:, None]).mean(0)).max() < 0.17  # no preferred direction


def test_more_misalignment_scales_the_same_motion() -> None:
    once, twice = (motion_of(replace(MOVING, misalignment_mm=mm), 4, "t1") for mm in (10.0, 20.0))
    assert twice.displacement_mm == pytest.approx(2 * once.displacement_mm)
    np.testing.assert_allclose(twice.rotation_deg, 2 * once.rotation_deg)


def test_scans_and_subjects_move_independently() -> None:
    drawn = [motion_of(MOVING, number, m) for number in (0, 1) for m in MODALITIES if m != REFERENCE]
    assert len({motion.displacement_mm for motion in drawn}) == 6


def test_nothing_moves_by_default_and_the_reference_never() -> None:
    assert motion_of(replace(MOVING, misalignment_mm=0.0), 0, "t1") is None
    assert motion_of(MOVING, 0, REFERENCE) is None


def test_only_the_headers_of_the_other_series_move(settings: PhantomSettings, tumour: Subject) -> None:
    moving = replace(settings, misalignment_mm=50.0)
    moved = simulate_subject(moving, tumour.number)
    np.testing.assert_array_equal(moved.lesion_mask, tumour.lesion_mask)
    for modality in MODALITIES:
        before, after = tumour.series[modality], moved.series[modality]
        np.testing.assert_array_equal(after.pixels, before.pixels)
        motion = motion_of(moving, tumour.number, modality)
        expected = before.grid.affine if motion is None else motion.affine @ before.grid.affine
        np.testing.assert_array_equal(after.grid.affine, expected)
        lengths = np.linalg.norm(after.grid.affine[:3, :3], axis=0)
        np.testing.assert_allclose(lengths, np.linalg.norm(before.grid.affine[:3, :3], axis=0))
        # The plane keeps its name, so the volume is turned by the same axes.
        np.testing.assert_array_equal(after.volume()[0], before.volume()[0])
