"""Writes layouts for the tests of the sources: empty files or small volumes."""

import json
import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest


def touch(root: Path, *names: str) -> Path:
    """Make empty files below a folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def lock(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Let the operating system refuse to list these folders; permissions would not stop root."""
    scandir, locked = os.scandir, {str(folder) for folder in folders}

    def refuse(path: Any = ".") -> Any:
        if str(path) in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def write_volume(path: Path, seed: int = 0, shape: tuple[int, int, int] = (12, 13, 4)) -> Path:
    """Write a NIfTI file of noise, spacing 10, 9, 3 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(1, 2000, shape).astype(np.int16)
    affine = np.diag([10.0, 9.0, 3.0, 1.0])
    affine[:3, 3] = -60, -58, -6
    nibabel.Nifti1Image(values, affine).to_filename(path)
    return path


def write_json(path: Path, **content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
