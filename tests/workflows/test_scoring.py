"""What scoring leaves in a run's folder."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.configuration import Config, EvaluateConfig
from brain_cae.detector.storage import load
from brain_cae.errors import DatasetError
from brain_cae.executor import HERE
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.tables import read_csv
from brain_cae.stages.cohort import Cohort
from brain_cae.workflows import evaluation, training
from brain_cae.workflows.scoring import score_new, score_unseen

from ..conftest import TINY_NETWORK


def test_each_scored_subject_has_features_and_a_map_in_its_native_space(tiny_run: Path) -> None:
    predictions = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).set_index("subject")
    features = pd.read_csv(tiny_run / "features.csv", dtype={"subject": str}).set_index("subject")
    assert set(features.index) == set(predictions.index)
    index = pd.read_csv(tiny_run / "index.csv", dtype={"subject": str})
    scans = index[index["modality"] == "flair"].set_index("subject")
    for subject in predictions.index[:3]:
        image = nibabel.load(tiny_run / "anomaly_maps" / f"{subject}_all.nii.gz")
        size = scans.loc[subject, ["rows", "columns", "slices"]]
        assert sorted(image.shape) == sorted(size.astype(int))
        assert np.asarray(image.dataobj).max() > 0


def test_without_subjects_nothing_is_written(tiny_run: Path, tmp_path: Path) -> None:
    detector, nobody = load(tiny_run), Cohort(pd.DataFrame(columns=["subject"]), pd.DataFrame(), [], ["t1"], "t1")
    splits = pd.DataFrame({"subject": ["a"], "role": ["train"]})
    for score in (score_new, score_unseen):
        with pytest.raises(DatasetError, match="No subject is left"):
            score(detector, nobody, splits, RunFolder(tmp_path / "out"), cache=str(tmp_path / "cache"), executor=HERE)
    assert not list((tmp_path / "out").glob("*.csv"))


HOSTILE = (
    "../../../outside", "/outside", "2019/123", "..", "p" * 250, "ü" * 120, "x:y*?", "CON", ".hidden", "-rf", "end.",
    "\x1b[2J\x07", 'two\nlines, "quoted"', "\u202egpj", "P1", "p1", "nul.nii", "a\\b", "NA", "007", "$x", "<b>",
)  # fmt: skip


@pytest.fixture
def hostile_table(tmp_path: Path) -> Path:
    """A table of scans whose subjects have names that are no names of files; a path leaves the table's folder."""
    rows = []
    for number in range(30):
        for place, modality in enumerate(("t1", "flair")):
            path = tmp_path / "elsewhere" / f"{number}_{modality}.nii"
            write_ellipsoid(path, seed=2 * number + place, bright=number % 3 == 0)
            subject = HOSTILE[number] if number < len(HOSTILE) else f"subject_{number}"
            label = "abnormal" if number % 3 == 0 else "healthy"
            rows.append([subject, modality, f"../elsewhere/{path.name}", label])
    table = tmp_path / "table" / "scans.csv"
    table.parent.mkdir()
    pd.DataFrame(rows, columns=["subject", "modality", "path", "label"]).to_csv(table, index=False)
    return table


def write_ellipsoid(path: Path, *, seed: int, bright: bool) -> None:
    shape = (20, 24, 18)
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
    voxels = np.where((axes**2).sum(axis=0) < 0.8, np.random.default_rng(seed).uniform(90, 110, shape), 0)
    voxels[6:9, 8:11, 8:11] *= 1.6 if bright else 1
    path.parent.mkdir(exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), np.diag([7.0, 7, 8, 1])), path)


@pytest.mark.extras
def test_all_that_a_run_writes_lies_in_its_folder_whatever_subjects_are_called(
    hostile_table: Path, tmp_path: Path, make_config: Callable[..., Config], caplog: pytest.LogCaptureFixture
) -> None:
    before, at_root = set(tmp_path.rglob("*")), set(Path("/").glob("outside*"))
    output, cache = tmp_path / "a" / "b" / "run", tmp_path / "a" / "cache"
    overrides = [
        "dataset=folder", f"dataset.table={hostile_table}", "modality=t1_flair", "debug=fast", "trainer=cpu",
        "trainer.progress=false", "workers=1", f"cache={cache}", "preprocess.align=affine_only",
        "preprocess.skull_strip=none", "preprocess.space=box", "evaluation.views=2", "evaluation.resamples=50",
        "evaluation.permutations=2", "trainer.max_epochs=1", *TINY_NETWORK,
    ]  # fmt: skip
    training.run(make_config(*overrides), output)
    new = set(tmp_path.rglob("*")) - before
    assert [path for path in new if not path.is_relative_to(output.parent.parent)] == []
    assert set(output.parent.iterdir()) == {output} and set(output.parent.parent.iterdir()) == {output.parent, cache}
    assert set(Path("/").glob("outside*")) == at_root

    predictions = read_csv(output / "predictions.csv", dtype=str, keep_default_na=False)
    index = read_csv(output / "index.csv", dtype=str, keep_default_na=False)
    names = set(HOSTILE) | {f"subject_{number}" for number in range(len(HOSTILE), 30)}
    assert set(index["subject"]) == names and set(predictions["subject"]) <= names

    written = read_csv(output / "anomaly_maps" / "names.csv", dtype=str, keep_default_na=False)
    files = dict(zip(written["subject"], written["file"], strict=True))
    assert not set(files) & {"NA", "007", "$x", "subject_29"} and {"P1", "p1", "..", "p" * 250} <= set(files)
    maps = {path.name for path in (output / "anomaly_maps").glob("*.nii.gz")}
    kinds = ("t1", "flair", "all")
    assert maps == {f"{files.get(name, name)}_{kind}.nii.gz" for name in predictions["subject"] for kind in kinds}
    assert len({name.casefold() for name in maps}) == 3 * len(predictions)
    assert any("unsafe as names of files" in record.getMessage() for record in caplog.records)

    evaluation.run(EvaluateConfig(run=str(output), cache=str(cache), workers=1), tmp_path / "a" / "again")
    again = read_csv(tmp_path / "a" / "again" / "predictions.csv", dtype=str, keep_default_na=False)
    assert list(again["subject"]) == list(predictions["subject"])
