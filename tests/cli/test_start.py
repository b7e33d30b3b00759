"""A command shows its first progress bar before it loads what only learning needs."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest

from brain_cae.configuration import checks

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "monai", "pytorch_lightning", "lightning_fabric", "sklearn", "imblearn", "nilearn", "SimpleITK")
UNTIL_FIRST_BAR = f"""
import sys
from brain_cae import progress

class FirstBar(BaseException): pass

def stop(name, total, **_):
    raise FirstBar(name)

progress.counter = stop
from brain_cae.cli.commands import train_command

try:
    train_command()
except FirstBar as bar:
    print(bar, *(name for name in {HEAVY} if name in sys.modules))
"""


def until_first_bar(folder: Path, *arguments: str) -> list[str]:
    """Return the name of the first bar of ``train.py``, and the heavy packages that are loaded before it."""
    done = subprocess.run(
        [sys.executable, "-c", UNTIL_FIRST_BAR, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


@pytest.fixture
def scans(tmp_path) -> Path:
    """Eight subjects with a T1 and a FLAIR."""
    for number in range(8):
        for modality in ("t1", "flair"):
            path = tmp_path / "scans" / f"{number:02d}" / f"{modality}.nii"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 8), np.int16), np.diag([20, 20, 20, 1])), path)
    return tmp_path / "scans"


@pytest.mark.parametrize(
    ("bar", "arguments"),
    [
        ("import", []),
        ("import", ["classifier=svm", "balancing=smote_tomek", "scoring=absolute", "transfer.compare=[logistic,mlp]"]),
        ("import", ["reshape=isotropic", "harmonise=histogram"]),
        ("headers", ["inspect=true"]),
    ],
    ids=["train", "train with other classes", "train with other strategies", "inspect"],
)
def test_the_first_bar_comes_before_the_heavy_packages(tmp_path, scans, bar, arguments):
    dataset = ["dataset=folder", f"dataset.root={scans}", "dataset.label=healthy", "dataset.skull=stripped"]
    assert until_first_bar(tmp_path, *dataset, *arguments) == [bar]


def test_the_phantom_is_simulated_before_the_heavy_packages(tmp_path):
    assert until_first_bar(tmp_path, f"cache={tmp_path / 'cache'}") == ["simulate"]


@pytest.mark.parametrize(
    ("override", "checked"),
    [
        ("model.network.latent_channels=9", "model.network"),
        ("scoring.scores.residual.signed=false", "scoring.scores.residual"),
        ("classifier.estimator.C=2.0", "classifier.estimator"),
        ("+balancing.sampler.k_neighbors=3", "balancing.sampler"),
    ],
)
def test_a_changed_choice_is_checked_before_the_first_bar(make_config, monkeypatch, override, checked):
    keys = []
    monkeypatch.setattr(checks, "check_target", lambda node, key, *, allowed: keys.append(key))
    make_config("balancing=smote")
    assert keys == []
    make_config("balancing=smote", override)
    assert keys == [checked]
