"""The preview of a run, from headers alone."""

import io
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from brain_cae.configuration import EvaluateConfig, dataset_option
from brain_cae.data import strippers
from brain_cae.errors import DatasetError, RunError
from brain_cae.stages import stripping
from brain_cae.workflows import inspection

ROOT = Path(__file__).parents[2]


def text_of(preview):
    console = Console(width=200, file=io.StringIO())
    inspection.show(preview, console)
    return console.file.getvalue()


def write(path, shape=(12, 14, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(np.random.default_rng(0).integers(1, 99, shape).astype(np.int16), np.diag([9, 9, 3, 1]))
    nibabel.save(image, path)
    return path


@pytest.fixture
def scans(tmp_path):
    """Ten healthy subjects and four with a tumour: one without FLAIR, one with a truncated T1, one unlabelled."""
    root = tmp_path / "scans"
    for number in range(14):
        for modality in ("t1", "flair"):
            write(root / f"{number:02d}" / f"{modality}.nii.gz")
    (root / "03" / "flair.nii.gz").unlink()
    truncated = root / "04" / "t1.nii.gz"
    truncated.write_bytes(truncated.read_bytes()[:400])
    write(root / "05" / "t2.nii.gz")
    labels = [f"{number:02d},{'healthy' if number < 10 else 'abnormal'}\n" for number in range(13)]
    (root / "labels.csv").write_text("subject,label\n" + "".join(labels))
    return root


@pytest.fixture
def inspect(make_config, scans):
    return lambda *overrides: inspection.inspect_training(
        make_config("inspect=true", "dataset=folder", f"dataset.root={scans}", "workers=1", *overrides)
    )


def test_subjects_dimensions_and_exclusions_are_counted(inspect, scans):
    preview = inspect()
    assert preview.located.groupby("modality")["subject"].nunique().to_dict() == {"t1": 14, "flair": 13, "t2": 1}
    assert sorted(set(preview.usable["subject"])) == [f"{n:02d}" for n in range(14) if n not in (3, 4)]
    excluded = preview.report[preview.report["status"] != "imported"].set_index("subject")["reason"].to_dict()
    assert excluded == {"03": "no files", "04": "truncated file"}
    text = text_of(preview)
    assert f"folder, {scans}:" in text and "12 x 14 x 10" in text and "9 x 9 x 3" in text
    assert "2: 03, 04" in text


def test_cross_fitting_says_what_it_costs_and_how_many_brains_calibrate(inspect):
    split, crossed = inspect(), inspect("calibration=crossfit", "calibration.folds=3")
    assert crossed.roles.equals(split.roles) and not crossed.problems
    assert crossed.outlook[0].brains == crossed.roles["role"].isin(["train", "validation"]).sum()
    assert split.outlook[0].brains == (split.roles["role"] == "validation").sum()
    text = text_of(crossed)
    assert "False alarms by scoring.guarantee (probable or average), with scoring.alpha=0.1" in text
    assert "trains 3 times" in text and "cross-conformal" in text and "cross-conformal" not in text_of(split)
    assert "too few healthy brains for the folds" in text_of(inspect("calibration=crossfit", "calibration.folds=9"))


def test_a_table_of_paths_is_named_where_there_is_no_folder(inspect, scans, tmp_path):
    table = tmp_path / "scans.csv"
    table.write_text(
        "subject,modality,path\n" + "".join(f"a,{name},{scans}/00/{name}.nii.gz\n" for name in ("t1", "flair"))
    )
    assert f"folder, {table}: t1, flair" in text_of(inspect("dataset.root=null", f"dataset.table={table}"))


def test_roles_are_those_that_the_run_would_draw(inspect, make_config):
    preview = inspect()
    healthy = preview.labels == "healthy"
    roles = preview.roles.set_index("subject")["role"]
    assert healthy.sum() == 8
    assert roles[healthy.index[healthy]].value_counts().to_dict() == {
        "train": 3, "validation": 4, "test": 1,
    }  # fmt: skip
    assert "The network learns from 3 healthy brains (minimum 20)" in text_of(preview)
    assert "No brain is flagged" in text_of(preview)
    assert "No brain is flagged" not in text_of(inspect("scoring.alpha=0.2", "scoring.guarantee=average"))


def test_too_few_healthy_brains_are_listed_as_a_problem(inspect, scans):
    (scans / "labels.csv").write_text("subject,label\n00,abnormal\n")
    preview = inspect()
    assert preview.roles is None
    assert "There is no healthy brain to train on." in text_of(preview)


def test_a_modality_without_scans_is_a_problem_and_the_others_are_shown(inspect):
    preview = inspect("modality.names=[t1,t1ce]", "modality.reference=t1")
    assert set(preview.located["modality"]) == {"t1", "flair", "t2"}
    assert preview.usable.empty
    text = text_of(preview)
    assert "no scan of the modality `t1ce`" in text
    assert "No subject has every modality in use: t1, t1ce." in text


def test_a_missing_folder_raises_the_same_error_as_the_run(inspect, scans):
    shutil.rmtree(scans)
    with pytest.raises(DatasetError, match="does not exist"):
        inspect()


def test_a_phantom_is_not_simulated_for_an_inspection(make_config, tmp_path):
    with pytest.raises(DatasetError, match="not been written yet"):
        inspection.inspect_training(make_config("inspect=true", f"cache={tmp_path / 'cache'}"))
    assert not (tmp_path / "cache").exists()


def test_headers_agree_with_the_import(make_config, tiny_overrides, tiny_run):
    preview = inspection.inspect_training(make_config(*tiny_overrides, "inspect=true", "workers=1"))
    index = pd.read_csv(tiny_run / "index.csv", dtype={"subject": str})
    columns = ["subject", "modality", "rows", "columns", "slices", "spacing_slice_mm", "repetition_time_ms", "model"]
    pd.testing.assert_frame_equal(preview.usable[columns], index[columns], check_dtype=False)
    splits = pd.read_csv(tiny_run / "splits.csv", dtype=str)
    pd.testing.assert_frame_equal(preview.roles, splits, check_dtype=False)
    assert "TR" in text_of(preview)


def test_new_subjects_from_an_uncalibrated_protocol_are_reported(tiny_run, scans, tmp_path):
    config = EvaluateConfig(
        run=str(tiny_run),
        cache=str(tmp_path),
        workers=1,
        inspect=True,
        dataset=dataset_option("folder", root=str(scans)),
    )
    preview = inspection.inspect_evaluation(config)
    assert preview.roles is None
    text = text_of(preview)
    assert "Nothing is promised about false alarms for 12 of 12 subjects" in text
    assert "Nobody was scored" in text and "stop_after" not in text, "a key of train.py alone"
    with pytest.raises(DatasetError, match="nowhere"):
        inspection.inspect_evaluation(replace(config, calibrate=str(tmp_path / "nowhere")))
    said = text_of(inspection.inspect_evaluation(replace(config, dataset=None, calibrate=str(scans))))
    assert f"calibrate={scans}: Only 8 healthy brains calibrate" in " ".join(said.split())
    with pytest.raises(RunError, match="no model"):
        inspection.inspect_evaluation(EvaluateConfig(run=str(tmp_path), cache="", workers=1, inspect=True))


@pytest.mark.parametrize(("tool", "expected"), [("none", True), ("deepbet", False)])
def test_new_subjects_with_another_skull_state_than_the_calibration_brains_are_named(
    tiny_run, scans, tmp_path, monkeypatch, tool, expected
):
    def stripping(config):
        return replace(config, preprocess=replace(config.preprocess, skull_strip=tool))

    monkeypatch.setattr(inspection, "with_stripper", stripping)
    dataset = dataset_option("folder", root=str(scans), skull="on")
    config = EvaluateConfig(run=str(tiny_run), cache=str(tmp_path), workers=1, inspect=True, dataset=dataset)
    text = text_of(inspection.inspect_evaluation(config))
    assert ("In 12 of these subjects the skull is on, but in the calibration brains it is stripped" in text) == expected
    assert ("skull state (12)" in text) == expected


def test_an_inspection_writes_nothing_and_loads_no_torch(scans, tmp_path):
    code = (
        "import sys; sys.argv[1:] = {arguments!r}\n"
        "from brain_cae.cli.commands import train_command; train_command()\n"
        "print('loaded', sorted({{'torch', 'monai', 'sklearn', 'nilearn'}} & set(sys.modules)))"
    ).format(arguments=["inspect=true", "dataset=folder", f"dataset.root={scans}", "workers=1"])
    folder = tmp_path / "empty"
    folder.mkdir()
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "loaded []" in result.stdout
    assert "Roles" in result.stdout
    assert not list(folder.iterdir())


def test_a_missing_skull_stripper_is_a_problem(inspect, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    problems = inspect("preprocess.skull_strip=synthstrip").problems
    assert len(problems) == 1 and "no command `mri_synthstrip` on the PATH" in problems[0]


def test_heads_that_would_not_be_stripped_are_a_caution_or_a_problem(inspect, monkeypatch):
    for module in (strippers, stripping):
        monkeypatch.setattr(module, "deepbet_installed", lambda: False)
    preview = inspect("dataset.skull=on")
    assert preview.problems == []
    assert any(caution.startswith("The skull is on in 12 subjects") for caution in preview.cautions)
    (problem,) = inspect("dataset.skull=on", "preprocess.skull_strip=deepbet").problems
    assert "Scans with a skull must be stripped, but deepbet is not installed" in problem
    assert not any("skull" in caution for caution in inspect("dataset.skull=stripped").cautions)
