"""A bundle scores like its run, always has the same bytes, names nobody, and is refused with anything else in it."""

import io
import json
import pickle
import shutil
import stat
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brain_cae.detector import bundle
from brain_cae.detector.bundle import MANIFEST, digest, pack, unpacked, without_names
from brain_cae.detector.findings import examine
from brain_cae.detector.storage import load, save
from brain_cae.errors import DatasetError, RunError
from brain_cae.vocabulary import Serious

NAMES = ["Jane Roe", "12", "p-7"]


@pytest.fixture(scope="module")
def stored(make_detector, tmp_path_factory) -> Path:
    """A run whose cautions name subjects and folders, with the tables that know the names; and its bundle."""
    tmp_path, detector = tmp_path_factory.mktemp("stored"), make_detector()
    detector.cautions = ["12 subjects have no role: 12, Jane Roe, p-7.", "Calibrated with scans of /home/roe/scans."]
    detector.cautions.append(Serious("The network has not learnt."))
    detector.config = replace(detector.config, cache="/home/roe/cache")
    detector.prints = np.ones((3, 512), np.float32)
    folder = tmp_path / "run"
    save(detector, folder / "model")
    pd.DataFrame({"subject": NAMES, "role": ["train", "validation", "test"]}).to_csv(folder / "splits.csv", index=False)
    pack(load(folder), folder, tmp_path / "model.zip")
    return tmp_path


@pytest.fixture
def run(stored: Path) -> Path:
    return stored / "run"


@pytest.fixture
def packed(stored: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be changed."""
    return Path(shutil.copy(stored / "model.zip", tmp_path))


def test_a_bundle_scores_like_its_run_with_the_same_maps(run, packed, ill) -> None:
    with unpacked(packed) as folder:
        detector = load(folder)
    assert not folder.exists()
    (before, maps, joint), (again, same_maps, same_joint) = examine(load(run), ill), examine(detector, ill)
    assert (again.scores, again.p_values, again.features) == (before.scores, before.p_values, before.features)
    assert (maps == same_maps).all() and (joint == same_joint).all()


def test_a_serious_caution_stays_serious_in_a_bundle(packed) -> None:
    with unpacked(packed) as folder:
        cautions = load(folder).cautions
    assert [isinstance(caution, Serious) for caution in cautions] == [False, False, True]


def test_the_same_model_gives_the_same_bytes_and_a_bundle_of_a_bundle_the_same_model(run, packed, tmp_path) -> None:
    pack(load(run), run, tmp_path / "again.zip")
    assert digest(tmp_path / "again.zip") == digest(packed)
    with unpacked(packed) as folder:
        pack(load(folder), packed, tmp_path / "handed on.zip")
    assert bundle.read(tmp_path / "handed on.zip") == bundle.read(packed)


def test_no_name_and_no_path_of_the_run_is_handed_on(packed, stored) -> None:
    with zipfile.ZipFile(packed) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
        assert {entry.date_time for entry in archive.infolist()} == {bundle.EPOCH}
    assert not [name for name, data in content.items() if b"Roe" in data or b"p-7" in data or b"/home" in data]
    assert str(stored).encode() not in b"".join(content.values())
    assert "12 subjects have no role: …, …, …." in content["card.md"].decode()
    assert yaml.safe_load(content["model/config.yaml"])["dataset"]["root"] == bundle.OMITTED


def test_no_picture_of_a_brain_is_handed_on_however_coarse(run, packed) -> None:
    assert load(run).prints.shape == (3, 512)
    with unpacked(packed) as folder:
        assert load(folder).prints.shape == (0, 512)


def test_numbers_before_words_are_not_taken_for_names() -> None:
    assert without_names("Only 12 healthy brains, 12 % of s12; see C:\\scans\\x and ~/y.", ["12", "s1"]) == (
        "Only 12 healthy brains, 12 % of s12; see … and …."
    )


def test_another_file_is_not_replaced(run, packed, tmp_path) -> None:
    pack(load(run), run, packed)
    other = tmp_path / "scans.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.dcm", "scan")
    before = other.read_bytes()
    with pytest.raises(RunError, match="exists and is not a bundle"):
        pack(load(run), run, other)
    assert other.read_bytes() == before


# Each change makes of a good bundle one that must be refused: (change of its content by name, what is found).


class Canary:
    """A pickle that leaves a trace if it is loaded."""

    def __reduce__(self):
        return (open, (str(Path.cwd() / "canary"), "w"))


def pickled(content: dict[str, bytes]) -> None:
    content["model/network.ckpt"] = pickle.dumps(Canary())


def pickled_beside(content: dict[str, bytes]) -> None:
    content["model/more.pkl"] = pickle.dumps(Canary())


def pickled_arrays(content: dict[str, bytes]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("facts.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (), }"
                         + b" " * 61 + b"\n" + pickle.dumps(Canary()))  # fmt: skip
    content["model/calibration.npz"] = stream.getvalue()


def foreign_class(content: dict[str, bytes]) -> None:
    config = yaml.safe_load(content["model/config.yaml"])
    config["model"]["network"] = {"_target_": "os.system", "command": "touch canary"}
    content["model/config.yaml"] = yaml.safe_dump(config).encode()


def foreign_reshape(content: dict[str, bytes]) -> None:
    config = yaml.safe_load(content["model/config.yaml"])
    config["reshape"]["_target_"] = "subprocess.Popen"
    content["model/config.yaml"] = yaml.safe_dump(config).encode()


def leaves_the_archive(content: dict[str, bytes]) -> None:
    content["model/../../canary"] = b"x"


def absolute(content: dict[str, bytes]) -> None:
    content["/tmp/canary.yaml"] = b"x"


def other_files(content: dict[str, bytes]) -> None:
    content["model/run.py"] = b"print()"


def other_version(content: dict[str, bytes]) -> None:
    content[MANIFEST] = b'{"format": "brain_cae bundle", "version": 2, "files": {}}'


def no_manifest(content: dict[str, bytes]) -> None:
    content[MANIFEST] = b"[1, 2]"


def write(path: Path, content: dict[str, bytes]) -> None:
    """Write a bundle whose manifest is right for its content, or the given one."""
    if MANIFEST not in content:
        path.write_bytes(bundle._archive(content))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (pickled, r"network\.ckpt"),
        (pickled_beside, r"more\.pkl"),
        (pickled_arrays, r"calibration\.npz"),
        (foreign_class, r"os\.system"),
        (foreign_reshape, r"subprocess\.Popen"),
        (leaves_the_archive, r"\.\./"),
        (absolute, "canary"),
        (other_files, r"run\.py"),
        (other_version, "version 2"),
        (no_manifest, "other content"),
    ],
)
def test_a_bundle_with_anything_that_is_not_ours_is_refused_and_nothing_in_it_runs(
    packed, tmp_path, monkeypatch, change: Callable[[dict[str, bytes]], None], found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = bundle.read(packed)
    change(content)
    write(packed, content)
    with pytest.raises(RunError, match=found) as refused, unpacked(packed) as folder:
        load(folder)
    assert (refused.value.where or "").startswith(str(packed)), "the bundle is named, not a temporary folder"
    assert not list(tmp_path.rglob("canary*"))


def test_a_link_is_refused(packed) -> None:
    with zipfile.ZipFile(packed, "a") as archive:
        entry = zipfile.ZipInfo("model/classifier.skops")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(RunError, match="a link: model/classifier"):
        bundle.read(packed)


def test_a_bomb_is_refused_before_anything_is_unpacked(packed, monkeypatch) -> None:
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("something was unpacked"))
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model/zeros.npz", bytes(100 << 20), compresslevel=1)
    with pytest.raises(RunError, match="at most 200 times"):
        bundle.read(packed)
    monkeypatch.setattr(bundle, "LIMITS", replace(bundle.LIMITS, bytes=1 << 20))
    with pytest.raises(RunError, match="at most 1 MiB"):
        bundle.read(packed)


def test_a_truncated_bundle_and_a_changed_byte_are_refused(packed) -> None:
    whole = packed.read_bytes()
    packed.write_bytes(whole[:-2000])
    with pytest.raises(RunError, match="damaged, truncated"):
        bundle.read(packed)
    place = whole.index(b"model/network.ckpt") + 400
    packed.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(RunError, match=r"damaged|another content"):
        bundle.read(packed)


def test_a_file_that_the_manifest_does_not_list_is_refused(packed) -> None:
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("model/more.json", json.dumps({}))
    with pytest.raises(RunError, match=r"a difference: model/more\.json"):
        bundle.read(packed)


def test_two_files_of_one_name_are_refused(packed) -> None:
    with zipfile.ZipFile(packed, "a") as archive, warnings.catch_warnings(action="ignore"):
        archive.writestr("model/config.yaml", "{}")
    with pytest.raises(RunError, match=r"several: model/config\.yaml"):
        bundle.read(packed)


def test_a_bundle_has_no_subjects_of_its_own() -> None:
    with pytest.raises(DatasetError, match="no subjects"):
        bundle.require_run(Path("model.zip"))
    bundle.require_run(Path("outputs/a"))
