import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from brain_cae.errors import RunError
from brain_cae.files.run_folder import RunFolder, is_running, newest_run

ROOT = Path(__file__).parents[2]


def test_status_follows_the_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.status():
        assert json.loads((folder / "status.json").read_text())["status"] == "running"
        with folder.stage("work"):
            pass
    written = json.loads((folder / "status.json").read_text())
    assert written["status"] == "finished"
    assert list(written["seconds"]) == ["work"]


def test_a_failure_stores_its_first_line_and_is_raised(tmp_path):
    folder = RunFolder(tmp_path)
    with pytest.raises(ValueError), folder.status():
        raise ValueError("first\nsecond")
    assert json.loads((folder / "status.json").read_text())["error"] == "first"


def test_a_second_run_cannot_use_the_same_folder(tmp_path):
    with RunFolder(tmp_path).status():
        pass
    with pytest.raises(RunError, match="another run") as raised, RunFolder(tmp_path).status():
        pass
    assert "resume=" not in raised.value.advice
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(RunError, match=f"resume={tmp_path}"), RunFolder(tmp_path).status():
        pass
    (tmp_path / "metrics.json").touch()
    with pytest.raises(RunError, match=r"empty folder\.$"), RunFolder(tmp_path).status():
        pass


def test_a_failed_write_keeps_the_old_file_and_leaves_no_temporary_file(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "table.csv").write_text("old")

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError):
        folder.write("table.csv", fail)
    assert (tmp_path / "table.csv").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_nan_is_not_written_to_json(tmp_path):
    with pytest.raises(ValueError):
        RunFolder(tmp_path).write_json("metrics.json", {"value": float("nan")})
    assert not (tmp_path / "metrics.json").exists()


def test_the_newest_run_with_a_model_is_chosen(tmp_path):
    for number, name in enumerate(("a", "b")):
        path = tmp_path / "day" / name / "model" / "config.yaml"
        path.parent.mkdir(parents=True)
        path.write_text("")
        os.utime(path, (number, number))
    (tmp_path / "day" / "c").mkdir()
    assert newest_run(tmp_path).name == "b"


RUN = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from brain_cae.files.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).status():
    print("running", flush=True)
    time.sleep(60)
"""


def test_a_run_that_is_killed_is_running_no_more_and_asking_changes_nothing(tmp_path):
    folder = tmp_path / "run"
    assert not is_running(folder)
    assert not folder.exists()
    command = [sys.executable, "-c", RUN, str(folder), str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "running\n"
        assert is_running(folder)
        process.kill()
    assert not is_running(folder)
    assert json.loads((folder / "status.json").read_text()) == {"status": "running"}
    assert [path.name for path in folder.iterdir()] == ["status.json"]


def test_a_run_that_has_ended_is_running_no_more(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.status():
        assert is_running(tmp_path)
    assert not is_running(tmp_path)


@pytest.mark.parametrize("name", ["../outside.csv", "maps/../../outside.csv", "/outside.csv"])
def test_nothing_is_written_outside_of_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="is not a file of"):
        RunFolder(tmp_path / "run").write(name, lambda path: path.write_text("x"))
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_not_utf8_do_not_cost_a_table(tmp_path):
    RunFolder(tmp_path).write_csv("paths.csv", pd.DataFrame({"path": [os.fsdecode(b"M\xfcller/t1.nii")]}))
    assert (tmp_path / "paths.csv").read_text() == "path\nM\\udcfcller/t1.nii\n"
