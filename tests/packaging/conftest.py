"""A folder of scans that an installed program can look at."""

from pathlib import Path

import nibabel
import numpy as np
import pytest


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(3):
        path = tmp_path / "scans" / f"subject{number}" / "t1.nii.gz"
        path.parent.mkdir(parents=True)
        values = np.random.default_rng(number).integers(1, 99, (12, 14, 10)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([9, 9, 3, 1])), path)
    return tmp_path / "scans"
