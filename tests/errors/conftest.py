"""Shared fixtures: the commands run in this process, and the page that lists their messages."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from brain_cae.cli.commands import evaluate_command, train_command

from .document import REGENERATE, WRITING, Document, cells_of

GATHERED = Document()


@dataclass(frozen=True)
class Done:
    """Result of a command: exit code, standard output, error message."""

    code: int
    text: str
    error: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path) -> Iterator[Callable]:
    """``run("train", "seed=abc")`` runs the command in this process, from ``tmp_path``."""
    root = logging.getLogger()
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def command(name: str, *arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        capsys.readouterr()
        code = 0
        try:
            {"train": train_command, "evaluate": evaluate_command}[name]()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            GlobalHydra.instance().clear()
            HydraConfig.instance().cfg = None
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Done(code, printed.out, printed.err.rpartition("\n\n")[2].strip())

    yield command
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:], logging.raiseExceptions = handlers, raising
    root.setLevel(level)


@pytest.fixture(scope="session")
def page() -> Iterator[Document]:
    """The committed page; with ``make errors`` a new one, which is written at the end."""
    yield Document() if WRITING else Document().read()
    if WRITING:
        GATHERED.write()


@pytest.fixture
def says(page: Document, tmp_path: Path) -> Callable[..., list[str]]:
    """Compare a message with the row of the case on the page, or keep it for a new page."""

    def check(family: str, case: str, message: str | list[str]) -> list[str]:
        cells = cells_of(message, tmp_path) if isinstance(message, str) else message
        GATHERED.rows[family][case] = cells
        if not WRITING:
            assert page.rows[family].get(case) == cells, REGENERATE
        return cells

    return check


@pytest.fixture
def brain() -> Callable[..., Path]:
    """``brain(path)`` writes an ellipsoid of noise as a small NIfTI file; ``change`` edits its voxels."""

    def write(path: Path, *, seed: int = 0, change: Callable[[np.ndarray], None] | None = None) -> Path:
        shape = (14, 16, 12)
        axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
        inside = (axes**2).sum(axis=0) < 0.8
        voxels = np.where(inside, np.random.default_rng(seed).uniform(90, 110, shape), 0).astype(np.float32)
        if change:
            change(voxels)
        path.parent.mkdir(parents=True, exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(voxels, np.diag([10.0, 10, 12, 1])), path)
        return path

    return write


@pytest.fixture
def cohort(tmp_path: Path, brain: Callable[..., Path]) -> Callable[..., Path]:
    """``cohort(healthy=8)`` writes a folder of subjects with T1, FLAIR and labels."""

    def write(*, healthy: int = 0, abnormal: int = 0) -> Path:
        root = tmp_path / "scans"
        names = [f"healthy_{n}" for n in range(healthy)] + [f"abnormal_{n}" for n in range(abnormal)]
        for number, name in enumerate(names):
            for offset, modality in enumerate(("t1", "flair")):
                brain(root / name / f"{modality}.nii.gz", seed=2 * number + offset)
        rows = "".join(f"{name},{name.partition('_')[0]}\n" for name in names)
        (root / "labels.csv").write_text("subject,label\n" + rows)
        return root

    return write


@pytest.fixture
def folder_dataset(tmp_path: Path) -> list[str]:
    """Overrides that read ``tmp_path/scans`` and keep everything in ``tmp_path``."""
    return [
        "dataset=folder", f"dataset.root={tmp_path / 'scans'}", f"cache={tmp_path / 'cache'}", "workers=1",
        "trainer=cpu", "trainer.progress=false",
    ]  # fmt: skip
