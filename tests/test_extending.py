"""The extensions of docs/extending.md, in a separate package, run from the command line."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = re.findall(r"^```(?:python|yaml) (my_package/\S+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"^```bash my_package\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
SMALL = (
    "split.validation_minimum=4", "scoring.alpha=0.3", "trainer=cpu", "trainer.max_epochs=1",
    "trainer.precision=32-true", "evaluation.resamples=50", "evaluation.permutations=2", "evaluation.views=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """The folder that holds ``my_package`` and small scans."""
    folder = tmp_path_factory.mktemp("extending")
    for name, content in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    for package_folder in (folder / "my_package", folder / "my_package" / "conf"):
        (package_folder / "__init__.py").touch()
    generator = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in (24, 28, 20)], indexing="ij"))
    brain = (grid**2).sum(axis=0) < 0.8
    (folder / "scans").mkdir()
    for number in range(32):
        name = f"{'c' if number < 24 else 'p'}{number:02d}"
        for modality in ("t1", "flair"):
            volume = np.where(brain, 100 + 20 * generator.standard_normal(brain.shape), 0).astype(np.float32)
            image = nibabel.Nifti1Image(volume, np.diag([6.0, 6.0, 8.0, 1.0]))
            image.to_filename(folder / "scans" / f"{name}_{modality}.nii.gz")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / arguments[0]), *arguments[1:], f"cache={folder / 'cache'}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])},
        capture_output=True,
        text=True,
    )


def test_each_extension_is_one_code_file_and_one_configuration_file_in_forty_lines() -> None:
    sections = [section for section in TEXT.split("\n## ")[1:] if section.startswith("A")][:-1]
    assert len(sections) == 6
    for section in sections:
        blocks = re.findall(r"^```(python|yaml) my_package/\S+\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert [language for language, _ in blocks] == ["python", "yaml"], section.splitlines()[0]
        assert sum(len(content.splitlines()) for _, content in blocks) <= 40, section.splitlines()[0]
        compile(blocks[0][1], section.splitlines()[0], "exec")
        assert yaml.safe_load(blocks[1][1])


@pytest.mark.extras
def test_a_package_with_every_extension_trains_and_evaluates(package: Path) -> None:
    train, evaluate = (shlex.split(command.replace("<run folder>", "run"))[1:] for command in COMMANDS[-2:])
    arguments = [word.replace("/scans", str(package / "scans")) for word in train]
    done = run(package, *arguments, *SMALL, "hydra.run.dir=run")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    metrics = json.loads((package / "run" / "metrics.json").read_text())
    assert metrics["reshape"]["strategy"] == "native" and metrics["harmonise"]["name"] == "median"
    assert metrics["detection"]["top_mean"]["auroc"]["n"] > 0 and "top_mean" in metrics["detection"]["difference"]
    test = next(test for test in metrics["audit"]["tests"] if test["name"] == "unknown_field")
    assert test["verdict"] == "concern" and "100%" in test["sentence"]
    assert set(pd.read_csv(package / "run" / "predictions.csv")["source"]) == {"pairs"}
    done = run(package, *evaluate, "hydra.run.dir=again")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    scores = [pd.read_csv(package / name / "predictions.csv")["score"] for name in ("run", "again")]
    np.testing.assert_allclose(*scores, rtol=1e-4)
    # Without extensions=, a stored model that names classes of another package is rejected.
    done = run(package, "evaluate.py", "run=run", "hydra.run.dir=refused")
    assert done.returncode == 1 and "extensions=" in done.stderr and "Traceback" not in done.stderr
