"""What docs/security.md promises and no test of one module shows."""

import ast
import gzip
import hashlib
import io
import os
import re
import subprocess
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from nibabel.nifti1 import Nifti1Extension

from brain_cae.configuration import Config, EvaluateConfig
from brain_cae.data.preprocess import prepare_subject
from brain_cae.errors import ScanError
from brain_cae.scans.nifti import read_nifti
from brain_cae.workflows import evaluation, training

from .conftest import TINY_NETWORK
from .scans.synthesise import write_series

ROOT = Path(__file__).parents[1]
SOURCES = [*sorted((ROOT / "brain_cae").rglob("*.py")), ROOT / "train.py", ROOT / "evaluate.py"]
FAST = [
    "modality=t1_flair", "debug=fast", "trainer=cpu", "trainer.progress=false", "workers=1",
    "preprocess.align=affine_only", "preprocess.skull_strip=none", "preprocess.space=box", "evaluation.views=2",
    "evaluation.resamples=50", "evaluation.permutations=2", "trainer.max_epochs=1", *TINY_NETWORK,
]  # fmt: skip


def test_every_test_that_the_document_names_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"))
    assert len(named) > 30
    for file, name in named:
        path = ROOT / file
        assert path.is_file() and f"def {name or 'test_'}" in path.read_text(encoding="utf-8"), f"{file}::{name}"


# Calls that can run code from a file, or write files where an archive says.
FORBIDDEN = (
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "joblib.load", "joblib.dump",
    "pd.read_pickle", "pd.eval", "pandas.read_pickle", "dill.loads", "cloudpickle.loads", "marshal.loads",
    "shelve.open", "yaml.unsafe_load", "yaml.full_load", "OmegaConf.load", "shutil.unpack_archive",
)  # fmt: skip
ONLY_THERE = {
    "pickle.loads": "executor/jobs.py",  # what a job of the same run wrote, in a folder of this user only
    "yaml.load": "files/documents.py",  # with a loader of plain values
    "yaml.safe_load": "configuration/options.py",  # the configuration of this package
    "skops.io.load": "transfer/pipeline.py",  # with a fixed list of types
}
SAFE = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "np.save": ("allow_pickle", False)}


def calls(path: Path) -> Iterator[tuple[str, dict[str | None, object]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {one.arg: getattr(one.value, "value", None) for one in node.keywords}


def test_nothing_in_the_source_loads_a_file_in_a_way_that_can_run_code():
    seen = set()
    for path in SOURCES:
        for name, keywords in calls(path):
            where = f"{name} in {path}"
            assert name not in FORBIDDEN and not name.endswith((".extract", ".extractall")), where
            assert name not in ONLY_THERE or path.as_posix().endswith(ONLY_THERE[name]), where
            assert not keywords.get("shell"), where
            if name in SAFE:
                keyword, value = SAFE[name]
                assert keywords.get(keyword) is value, where
            seen |= {name} & {*ONLY_THERE, *SAFE}
    assert seen == {*ONLY_THERE, *SAFE}, "the names are those that the source uses"


def test_pages_load_nothing_and_run_only_the_scripts_of_this_package():
    pages = list((ROOT / "brain_cae" / "reporting" / "templates").glob("*.html.j2"))
    for page in (page for page in pages if page.name != "blocks.html.j2"):
        text = page.read_text(encoding="utf-8")
        # Its own, or that of brain_cae.reporting.page, which allows scripts by their hash only.
        assert (
            "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in text or 'content="{{ policy }}"' in text
        )
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert not re.search(r"\|\s*safe|autoescape|javascript:|\son\w+=", text)
    scripts = re.findall(r"<script[^>]*>.*", text)
    allowed = (
        "<script>{{ text }}</script>",
        '<script type="application/json" id="{{ brain.id }}">{{ brain.data | tojson }}</script>',
        '<script type="text/plain" id="niivue">{{ niivue }}</script>',
    )
    assert set(scripts) <= set(allowed)


def test_a_command_does_not_write_through_a_link_in_the_folder_of_its_run(tmp_path):
    victims = {name: tmp_path / f"victim of {name}" for name in ("train.log", ".hydra")}
    victims["train.log"].write_text("mine")
    victims[".hydra"].mkdir()
    (tmp_path / "run").mkdir()
    for name, victim in victims.items():
        (tmp_path / "run" / name).symlink_to(victim)
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "hydra.run.dir=run", "stop_after=import", f"cache={tmp_path}/cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "A link leads out" in done.stderr and "Traceback" not in done.stderr
    assert victims["train.log"].read_text() == "mine" and not list(victims[".hydra"].iterdir())


def bomb(path: Path, affine: np.ndarray, shape: tuple[int, ...] = (20, 20, 20), *, zeros: int = 0, **header) -> Path:
    """Write a compressed volume of noise, with zeros after it, and a header that says what it likes."""
    image = nibabel.Nifti1Image(np.random.default_rng(0).integers(1, 99, shape).astype(np.uint8), affine)
    for name, value in {"vox_offset": 352, **header}.items():
        image.header[name] = value
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", compresslevel=1) as stream:
        stream.write(image.header.binaryblock + bytes(4) + np.asarray(image.dataobj).tobytes(order="F"))
        for _ in range(zeros >> 20):
            stream.write(bytes(1 << 20))
    path.write_bytes(content.getvalue())
    return path


def test_a_gzip_bomb_takes_time_but_no_memory(tmp_path):
    behind = bomb(tmp_path / "a.nii.gz", np.diag([9.0, 9, 9, 1]), zeros=200 << 20)
    voxels = bomb(tmp_path / "b.nii.gz", np.diag([0.1, 0.1, 0.1, 1]), zeros=400 << 20, dim=[3] + [1100] * 3 + [1] * 4)
    assert behind.stat().st_size < 2 << 20
    tracemalloc.start()
    tracemalloc.reset_peak()
    start = time.monotonic()
    assert read_nifti(behind).array.shape == (20, 20, 20)
    with pytest.raises(ScanError, match="too large: 1100 x 1100 x 1100 voxels"):
        read_nifti(voxels)
    assert tracemalloc.get_traced_memory()[1] < 20 << 20 and time.monotonic() - start < 60
    tracemalloc.stop()


def test_a_mask_cannot_ask_for_any_amount_of_memory(tmp_path):
    scan = tmp_path / "t1.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((20, 20, 20), np.float32), np.diag([9.0, 9, 9, 1])), scan)
    mask = bomb(tmp_path / "mask.nii.gz", np.diag([9.0, 9, 9, 1]), dim=[3] + [30000] * 3 + [1] * 4)
    row = {"subject": "a", "modality": "t1", "path": str(scan), "brain_mask_path": str(mask), "lesion_mask_path": ""}
    tracemalloc.start()
    tracemalloc.reset_peak()
    with pytest.raises(ScanError, match="unreadable brain mask: truncated file"):
        prepare_subject(pd.DataFrame([row]), modalities=["t1"], reference="t1", scaling="median")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


CANARY = "CANARY"
ELEMENTS = {
    "PatientName": "CANARY^Person", "PatientID": "CANARY-ID", "PatientBirthDate": "19011213",
    "OtherPatientIDs": "CANARY-OTHER", "PatientComments": "CANARY comment", "PatientAddress": "CANARY street",
    "StudyDate": "19011214", "SeriesDate": "19011215", "StudyID": "CANARY-S", "AccessionNumber": "CANARY-A",
    "StudyDescription": "CANARY study", "SeriesDescription": "CANARY series", "ProtocolName": "CANARY protocol",
    "InstitutionName": "CANARY hospital", "InstitutionAddress": "CANARY place", "StationName": "CANARY-MR",
    "ReferringPhysicianName": "CANARY^Doctor", "OperatorsName": "CANARY^Operator", "ImageComments": "CANARY image",
    "DeviceSerialNumber": "CANARY-7", "AdditionalPatientHistory": "CANARY history",
}  # fmt: skip
DATES = ("19011213", "19011214", "19011215", "1901-12-13", "1901-12-14", "13.12.1901")


def with_canaries(header, number: int) -> None:
    for name, value in ELEMENTS.items():
        setattr(header, name, value)
    header.private_block(0x0029, "CANARY HEADER", create=True).add_new(0x10, "OB", b"CANARY private")
    header.private_block(0x0051, "SIEMENS MR HEADER", create=True).add_new(0x0F, "LO", "CANARY coil")


def ellipsoid(seed: int, *, bright: bool) -> np.ndarray:
    """Return a brain of noise, (X, Y, Z)."""
    shape = (20, 24, 12)
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
    volume = np.where((axes**2).sum(axis=0) < 0.8, np.random.default_rng(seed).uniform(90, 110, shape), 0)
    volume[6:9, 8:11, 5:7] *= 1.6 if bright else 1
    return volume.astype(np.int16)


@pytest.fixture
def canaries(tmp_path: Path) -> Path:
    """Scans whose headers and tables hold data of patients: FLAIR in DICOM, T1 in NIfTI."""
    root, rows = tmp_path / "scans", []
    affine = np.diag([-7.0, -7, 12, 1])
    affine[:3, 3] = 10, 20, -30  # as the series
    for number in range(24):
        name, bright = f"s{number:02d}", number % 3 == 0
        flair = ellipsoid(2 * number, bright=bright).transpose(2, 1, 0)
        write_series(root / name / "flair", flair, spacing=(7, 7), distance=12, series=f"1.2.{number}",
                     change=with_canaries)  # fmt: skip
        image = nibabel.Nifti1Image(ellipsoid(2 * number + 1, bright=bright), affine)
        for field in ("descrip", "aux_file", "intent_name", "db_name"):
            image.header[field] = b"CANARY"
        dicom = next((root / name / "flair").iterdir()).read_bytes()
        image.header.extensions += [Nifti1Extension(2, dicom), Nifti1Extension("comment", b"CANARY")]
        nibabel.save(image, root / name / "t1.nii.gz")
        rows.append([name, "abnormal" if bright else "healthy", "44", "F", "CANARY Person", "13.12.1901"])
    columns = ["subject", "label", "age", "sex", "name", "birth_date"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "labels.csv", index=False)
    return root


def texts(path: Path) -> Iterator[bytes]:
    """Yield a file, and what is packed in it."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield gzip.decompress(content)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def leaks(files: list[Path]) -> list[str]:
    words = [*(word.encode(code) for word in (CANARY, *DATES) for code in ("utf-8", "utf-16-le"))]
    return [f"{path}: {word!r}" for path in files for text in texts(path) for word in words if word in text]


@pytest.mark.extras
def test_nothing_about_patients_but_what_the_index_lists_leaves_their_scans(
    canaries: Path, tmp_path: Path, make_config: Callable[..., Config], capfd, caplog
) -> None:
    scans = {path: hashlib.sha256(path.read_bytes()).digest() for path in canaries.rglob("*") if path.is_file()}
    assert len(leaks(list(scans))) > len(scans), "the canaries are there, and found"
    dataset = ["dataset=folder", f"dataset.root={canaries}", f"cache={tmp_path / 'cache'}"]
    with caplog.at_level("DEBUG"):
        training.run(make_config(*FAST, *dataset), tmp_path / "run")
        evaluation.run(
            EvaluateConfig(run=str(tmp_path / "run"), cache=str(tmp_path / "cache"), workers=1), tmp_path / "again"
        )
    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(canaries)]
    kinds = {path.suffix for path in written}
    assert {".csv", ".json", ".html", ".gz", ".npz", ".ckpt", ".yaml", ".nii", ".npy", ".skops"} <= kinds
    assert leaks(written) == []
    printed = caplog.text + "".join(capfd.readouterr())
    assert not [word for word in (CANARY, *DATES) if word in printed]
    assert scans == {path: hashlib.sha256(path.read_bytes()).digest() for path in scans}, "scans are only read"
