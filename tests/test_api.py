"""The Python interface gives the results of the commands, from paths, arrays, runs and bundles."""

import doctest
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest

import brain_cae
from brain_cae import api
from brain_cae.api import Detector, composed
from brain_cae.cli.resume import with_stored_choices
from brain_cae.configuration import read_stored
from brain_cae.errors import ConfigurationError, LeakageError, ScanError
from brain_cae.phantom import PhantomSettings
from brain_cae.scans.dicom import read_series
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.workflows import table_audit

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "python.md"


def test_importing_the_package_is_quick_and_its_names_are_found() -> None:
    code = "import sys, brain_cae; print(*[name for name in ('torch', 'pandas', 'hydra') if name in sys.modules], '|')"
    code += "; print(brain_cae.__version__, brain_cae.audit_table.__name__, 'torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["|", brain_cae.__version__, "audit_table", "False"], done.stderr
    assert {"fit", "Detector", "simulate", "audit_table"} <= set(dir(brain_cae))
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        brain_cae.train  # noqa: B018


def test_a_user_without_a_name_as_in_a_container_is_no_obstacle() -> None:
    code = "import pwd; pwd.getpwuid = {}.__getitem__; import brain_cae, monai.config; print(monai.config.USE_COMPILED)"
    names = ("LOGNAME", "USER", "LNAME", "USERNAME")
    environment = {key: value for key, value in os.environ.items() if key not in names} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_choices_are_those_of_the_command() -> None:
    config = composed("phantom", {"modality": "flair", "dataset__subjects": 40, "model__network__channels": [4, 8, 8]})
    assert (config.modality.names, config.dataset.subjects) == (["flair"], 40)
    assert config.model.network["channels"] == [4, 8, 8]
    assert composed("/scans (1)", {}).dataset.root == "/scans (1)"
    with pytest.raises(ConfigurationError, match="Did you mean `modality=flair`"):
        composed("phantom", {"modality": "flairr"})
    with pytest.raises(ConfigurationError, match=r"There is no key `trainer\.max_epoch`"):
        composed("phantom", {"trainer__max_epoch": 3})


def test_the_examples_of_the_docstrings_hold(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for module in (api, table_audit):
        failed, tried = doctest.testmod(module)
        assert tried and not failed


def scans_of(run: Path, role: str) -> dict[str, Path]:
    """Return the scans of a run's first subject in a role: folders of DICOM by contrast."""
    roles = pd.read_csv(run / "splits.csv", dtype=str).set_index("subject")["role"]
    report = pd.read_csv(run / "import_report.csv", dtype=str).set_index("subject")
    rows = report.loc[roles.index[roles == role][0]]
    chosen = read_stored(run)["dataset"]
    keys = {field.name: chosen[field.name] for field in fields(PhantomSettings)}
    cohort = Path(chosen["root"]) / PhantomSettings(**keys | {"subjects": len(report.index.unique())}).key() / "train"
    return {row["modality"]: cohort / Path(row["path"]).parent for _, row in rows.iterrows()}


@pytest.fixture(scope="module")
def scans(tiny_run) -> dict[str, Path]:
    return scans_of(tiny_run, "test")


@pytest.mark.extras
def test_scores_and_maps_are_those_of_the_command_whatever_holds_the_voxels(tiny_run, scans, tmp_path) -> None:
    subject = next(iter(scans.values())).parent.name
    row = pd.read_csv(tiny_run / "predictions.csv", dtype={"subject": str}).set_index("subject").loc[subject]
    detector = Detector.load(tiny_run)
    found = detector.score({name: str(path) for name, path in scans.items()})
    assert (found.score, found.p_value, found.flagged) == (row["score"], row["p_value"], row["flagged"])
    stored = nibabel.load(tiny_run / "anomaly_maps" / f"{subject}_all.nii.gz")
    np.testing.assert_array_equal(found.map.get_fdata(), stored.get_fdata())
    np.testing.assert_array_equal(found.map.affine, stored.affine)
    assert list(found.maps) == detector.contrasts and found.clusters

    volumes = {name: read_series(sorted(path.iterdir())) for name, path in scans.items()}
    arrays = {name: (volume.array, volume.affine) for name, volume in volumes.items()}
    files = {}
    for name, (array, affine) in arrays.items():
        files[name] = tmp_path / f"{name}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(array, affine), files[name])
    in_memory, on_disk = detector.score(arrays), detector.score(files)
    assert in_memory.score == on_disk.score == pytest.approx(found.score, rel=1e-4)
    np.testing.assert_array_equal(in_memory.map.get_fdata(), on_disk.map.get_fdata())

    bundle = detector.save(tmp_path / "model.zip")
    again = Detector.load(bundle).score(files)
    assert (again.score, again.p_value, again.probability) == (on_disk.score, on_disk.p_value, on_disk.probability)
    np.testing.assert_array_equal(again.map.get_fdata(), on_disk.map.get_fdata())
    strict = Detector.load(bundle, alpha=0.001)
    assert strict.score(files).flagged is None and "No brain is flagged" in strict.model.cautions[-1]


def test_what_cannot_be_scored_is_named(tiny_run, scans, tmp_path) -> None:
    detector = Detector.load(tiny_run)
    with pytest.raises(ConfigurationError, match="t1, flair"):
        detector.score({"t1": scans["t1"]})
    with pytest.raises(ConfigurationError, match="Found: list"):
        detector.score([scans["t1"], scans["flair"]])
    with pytest.raises(ConfigurationError, match="zip file"):
        detector.save(tmp_path / "model")
    with pytest.raises(ConfigurationError, match=r"scoring\.alpha"):
        Detector.load(tiny_run, alpha=2)
    empty = (np.zeros((40, 40, 20), np.int16), np.diag([4.0, 4, 6, 1]))
    with pytest.raises(ScanError):
        detector.score({"t1": empty, "flair": empty})
    with pytest.raises(LeakageError, match="trained on some of these"):
        detector.score(scans_of(tiny_run, "train"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"alpha": "high"}, r"scoring\.alpha"),
        ({"confidence": [0.9]}, r"scoring\.confidence"),
        ({"alpha": object()}, r"wrong type[\s\S]*Found: object"),
        ({"extensions": "package"}, "extensions"),
        ({"path": None}, "not the path of a run"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(tiny_run, values, reason) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        Detector.load(**{"path": tiny_run, **values})


def test_values_of_numpy_and_text_are_taken_as_the_command_takes_them(tiny_run) -> None:
    assert Detector.load(tiny_run, alpha="0.1").model.config.scoring.alpha == 0.1
    assert Detector.load(tiny_run, alpha=np.float64(0.2)).model.config.scoring.alpha == 0.2
    choices = {"seed": np.int64(3), "transfer__compare": ("knn", "svm"), "split__file": Path("split.csv")}
    config = composed("phantom", choices)
    assert (config.seed, config.transfer.compare, config.split.file) == (3, ["knn", "svm"], "split.csv")


@pytest.mark.parametrize("choice", [{"inspect": True}, {"stop_after": "import"}])
def test_what_fits_no_detector_is_refused_before_the_run(tmp_path, choice) -> None:
    with pytest.raises(ConfigurationError, match="only by a whole run"):
        api.fit("phantom", output=tmp_path / "run", **choice)
    assert not (tmp_path / "run").exists()


def test_an_empty_output_is_not_the_current_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("brain_cae.workflows.training.run", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        api.fit("phantom", output="")
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_a_run_that_was_killed_is_resumed_in_python_and_by_the_command(tmp_path, monkeypatch, make_config) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("brain_cae.workflows.training.run", lambda *_: 1 / 0)
    choices = {"modality": "flair", "trainer__max_epochs": 7, "scoring__sign": {"t1": "both"}, "cache": "~/a, b"}
    with pytest.raises(ZeroDivisionError):
        api.fit("/scans (1)", output="~/run", **choices)
    run = tmp_path / "run"
    typed = with_stored_choices([f"resume={run}"])
    config = make_config(*typed)
    assert (config.dataset.root, config.modality.names, config.cache) == ("/scans (1)", ["flair"], f"{tmp_path}/a, b")
    assert (config.trainer.max_epochs, config.scoring.sign["t1"], config.scoring.sign["t2"]) == (7, "both", "brighter")
    for resumed in (config, composed("/scans (1)", choices | {"resume": str(run)})):
        assert last_checkpoint(resumed) is None  # no epoch was completed


@pytest.mark.parametrize(("path", "found"), [("", "an empty path"), ("gone.nii.gz", "no such file or folder")])
def test_a_path_without_a_scan_is_refused_by_the_name_of_its_contrast(tmp_path, path, found) -> None:
    with pytest.raises(ConfigurationError, match=rf"not a scan[\s\S]*Found: {found}[\s\S]*In: flair"):
        api._file(path, tmp_path / "flair.nii")


def test_what_is_not_a_scan_is_refused_by_the_name_of_its_contrast(tmp_path) -> None:
    array, affine = np.ones((3, 4, 5)), np.diag([4.0, 4, 6, 1])
    texts, flat, unknown = np.full((3, 4, 5), "1"), np.zeros((4, 4)), np.full((4, 4), np.nan)
    for scan in (array, None, (array,), (array, np.eye(3)), (array, flat), (array, unknown), (texts, affine)):
        with pytest.raises(ConfigurationError, match=r"not a scan[\s\S]*In: flair"):
            api._file(scan, tmp_path / "flair.nii")
    for dtype in (bool, np.float16, np.int64, np.longdouble):
        written = nibabel.load(api._file((array.astype(dtype), affine.tolist()), tmp_path / "flair.nii"))
        np.testing.assert_array_equal(written.get_fdata(), array)
        np.testing.assert_array_equal(written.affine, affine)


def test_the_cautions_of_a_brain_are_those_of_the_report(tiny_run, scans) -> None:
    detector = Detector.load(tiny_run)
    cautions = detector.score(scans).cautions
    assert any(caution.startswith("The network learnt from") for caution in cautions)
    of_heads = Detector(replace(detector.model, skull=["on"]), detector.path)
    cautions = of_heads.score(scans, skull="stripped").cautions
    assert any("scores and p-values are meaningless" in caution for caution in cautions)


@pytest.mark.extras
def test_the_examples_of_the_document_run_from_top_to_bottom(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 4
    (tmp_path / "example.py").write_text(
        "if __name__ == '__main__':\n" + "".join(f"    {line}\n" for line in "".join(blocks).splitlines())
    )
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
