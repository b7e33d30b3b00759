"""The benchmark of peers scores the same subjects as the default run, with what a reader would write."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import load_benchmark
from .test_detection import LABELS, SUBJECTS, finish


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Brains of one cohort in one small shape: the tumours are brighter in the second contrast."""
    folder, generator = tmp_path / "peers" / "50" / "1", np.random.default_rng(0)
    folder.mkdir(parents=True)
    mask = np.zeros((len(SUBJECTS), 16, 16, 16), bool)
    mask[:, 2:14, 2:14, 2:14] = True
    lesion = np.zeros_like(mask)
    lesion[LABELS == 1, 5:9, 5:9, 5:9] = True
    volume = 0.1 * generator.standard_normal((len(SUBJECTS), 2, 16, 16, 16)) + 1
    volume[:, 1] += 2 * lesion
    role = np.where(LABELS == 1, "test", np.where(np.arange(len(LABELS)) % 2, "train", "validation"))
    label = np.where(LABELS == 1, "abnormal", "healthy")
    np.savez(folder / "brains.npz", subject=SUBJECTS, role=role, label=label, mask=mask, lesion=lesion,
             volume=(volume * mask[:, None]).astype(np.float16))  # fmt: skip
    return folder


def test_a_stock_autoencoder_is_scored_beside_ours(folder: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    peers = load_benchmark("peers")
    monkeypatch.setattr(peers, "EPOCHS", 2)
    peers.main(["--peer", "monai", "--out", str(folder)])
    stock = pd.read_csv(folder / "monai.csv", dtype={"subject": str})
    assert stock["subject"].tolist() == SUBJECTS and stock["average_precision"].notna().sum() == LABELS.sum()
    features = np.load(folder / "features.npy")
    assert features.shape == (len(SUBJECTS), 2 * (1 + 5 + 64)) and np.isfinite(features).all()

    found = pd.DataFrame({"subject": SUBJECTS} | {name: LABELS * 1.0 for name in peers.DETECTORS})
    found = found.assign(**{f"seconds.{name}": 1.0 for name in peers.DETECTORS})
    found.to_csv(folder / "pyod.csv", index=False)
    run = tmp_path / "detection" / "scores" / "50" / "default" / "1"
    finish(load_benchmark("detection"), run, seed=1, effect=2.0, precision=0.9, alarms=1)
    peers.main(["--seeds", "1", "--subjects", "50", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])["figures"]
    assert set(figures) == {"ours", "MONAI AutoEncoder", *(f"PyOD {name}" for name in peers.DETECTORS)}
    assert figures["PyOD ECOD"]["auroc"] == 1 and figures["PyOD ECOD"]["seconds"] > 1
    assert any(line.startswith("| MONAI AutoEncoder | 50 |") for line in lines)
