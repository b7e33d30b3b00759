"""Stripped brains of which one scan lacks a part."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data.preprocess import prepare_subject
from brain_cae.errors import ScanError

SIDE, SIZE = 4.0, 40


def scans(folder, lost):
    """Write two contrasts of a ball of 60 mm radius in 0; the T1 is 0 where ``lost`` (mm from the left) is, too."""
    places = (np.moveaxis(np.indices((SIZE,) * 3), 0, -1) - (SIZE - 1) / 2) * SIDE
    inside = np.linalg.norm(places, axis=-1) < 60
    affine = np.diag([SIDE, SIDE, SIDE, 1])
    rows = []
    for modality, level in (("flair", 200), ("t1", 300)):
        volume = np.where(inside, level + 50 * np.sin(places[..., 1] / 9), 0)
        if modality == "t1":
            volume[places[..., 0] < lost - 60] = 0
        nibabel.save(nibabel.Nifti1Image(volume.astype(np.float32), affine), folder / f"{modality}.nii")
        rows.append({"subject": "s", "modality": modality, "path": str(folder / f"{modality}.nii")})
    table = pd.DataFrame(rows).assign(brain_mask_path="", lesion_mask_path="")
    return prepare_subject(table, modalities=["flair", "t1"], reference="flair", scaling="median")


def test_a_part_that_one_stripped_scan_lacks_is_left_out(tmp_path):
    subject = scans(tmp_path, 42)  # a cap of 28 % of the ball
    assert subject.appearance["t1_covered"] == pytest.approx(0.72, abs=0.03)
    assert subject.volume[1][subject.mask].min() > 0.5


def test_a_stripped_scan_without_half_of_the_brain_is_refused(tmp_path):
    with pytest.raises(ScanError, match="partial coverage"):
        scans(tmp_path, 66)


def test_masks_that_differ_at_the_rim_change_nothing(tmp_path):
    subject = scans(tmp_path, 20)  # 7 % of the ball
    assert subject.appearance["t1_covered"] == 1
