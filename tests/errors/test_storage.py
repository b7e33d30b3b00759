"""Storage errors: a full disk, a read-only folder, or a file where a folder is needed."""

import json
import subprocess

import pytest

from brain_cae.errors import StorageError
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.system_errors import explain

from .stages import at, fill_the_disk, locked


def test_an_output_folder_that_cannot_be_created_is_named(run, says, tmp_path, folder_dataset):
    (tmp_path / "taken").write_text("a file")
    done = run("train", "hydra.run.dir=taken/run", *folder_dataset)
    assert done.code == 1
    says("storage", "`hydra.run.dir=` is inside a file", done.error)
    with locked(tmp_path / "locked"):
        done = run("train", "hydra.run.dir=locked/run", *folder_dataset)
    assert done.code == 1
    says("storage", "`hydra.run.dir=` is in a read-only folder", done.error)
    assert "locked/run" in done.error


def test_a_cache_that_cannot_be_written_is_named(run, says, tmp_path, cohort, folder_dataset):
    cohort(healthy=2)
    (tmp_path / "cache").write_text("a file")
    done = run("train", "stop_after=import", *folder_dataset)
    assert done.code == 1
    says("storage", "`cache=` is a file", done.error)


@pytest.mark.parametrize(("stage", "file"), [("import", "imported"), ("prepare", "prepared")])
def test_a_full_disk_is_explained_and_leaves_no_partial_files(run, says, tmp_path, cohort, folder_dataset, stage, file):
    cohort(healthy=8)
    with at(stage, fill_the_disk):
        done = run("train", "hydra.run.dir=run", *folder_dataset)
    assert done.code == 1
    says("storage", f"a full disk during {stage}", done.error)
    assert str(tmp_path / "cache" / file) in done.error
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["status"], status["error"]) == ("failed", "There is no room to write a file.")
    assert not [path for path in tmp_path.rglob("*.part*") if path.is_file()]


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 64 KiB; the test is skipped if it cannot be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk can only be mounted by root on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_the_status_is_correct_on_a_completely_full_disk(small_disk):
    folder = RunFolder(small_disk / "run")
    with pytest.raises(StorageError, match="no room"), folder.status():
        with pytest.raises(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        folder.write("report.html", lambda path: path.write_bytes(bytes(9000)))
    status = json.loads((folder / "status.json").read_text())
    assert (status["status"], status["error"]) == ("failed", "There is no room to write a file.")


def test_other_system_errors_keep_their_traceback():
    assert explain(FileNotFoundError(2, "No such file or directory", "x")) is None
    assert "x" in str(explain(PermissionError(13, "Permission denied", "x")))
