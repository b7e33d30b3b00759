"""The commands as typed by a user."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from brain_cae.cli.commands import at_home, foreign_names, sweep_first

ROOT = Path(__file__).parents[2]


def run(*arguments: str, cwd: Path, script: str = "train.py") -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments], cwd=cwd, env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("script", ["train.py", "evaluate.py"])
def test_help_is_a_page_about_the_program(tmp_path, script):
    done = run("--help", cwd=tmp_path, script=script)
    assert done.returncode == 0
    assert "== Choices" in done.stdout
    assert "dataset: bids, brats, combined, dicom, folder, ixi, phantom, rsna_miccai" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_help_of_which_only_the_first_lines_are_read_ends_quietly(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, str(ROOT / "train.py"), "--help"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""


@pytest.mark.parametrize(("argument", "expected"), [("+seeed=3", "Did you mean `seed`?"), ("reshape=foo", "clustered")])
def test_an_invalid_argument_gets_advice_and_no_traceback(tmp_path, argument, expected):
    done = run(argument, cwd=tmp_path)
    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_an_unknown_key_is_compared_with_the_keys_of_the_chosen_option(tmp_path):
    done = run("dataset=bids", "dataset.rot=/scans", cwd=tmp_path)
    assert done.returncode == 1
    assert "label_column" in done.stderr and "Did you mean `dataset.root`?" in done.stderr


def test_the_switch_of_a_sweep_may_stand_between_other_arguments(tmp_path):
    assert sweep_first(["b=1", "--multirun", "a=0,1"]) == ["--multirun", "b=1", "a=0,1"]
    done = run("dataset=folder", "-m", "dataset.root=/no/such,/no/other", cwd=tmp_path)
    assert done.returncode == 1 and "unrecognized" not in done.stderr
    assert len(list(tmp_path.glob("multirun/*/*/summary.csv"))) == 1


def test_the_home_folder_is_that_of_the_user_in_every_key(tmp_path, monkeypatch):
    home = tmp_path / "home of mine"
    monkeypatch.setenv("HOME", str(home))
    typed = ["hydra.run.dir=~/runs", 'run="~/a (1)"', "-m", "dataset.root=~/b,'~/c'", "~split", "audit.table=x~/y"]
    assert at_home(["--config-dir=~/conf"]) == [f"--config-dir={home}/conf"]
    assert at_home(typed) == [
        f'hydra.run.dir="{home}/runs"', f'run="{home}/a (1)"', "-m", f'dataset.root="{home}/b","{home}/c"', "~split",
        "audit.table=x~/y",
    ]  # fmt: skip
    done = run("run=/no/such", "hydra.run.dir=~/runs", cwd=tmp_path, script="evaluate.py")
    assert "no such folder" in done.stderr
    assert (home / "runs" / ".hydra").is_dir() and not (tmp_path / "~").exists()


def test_an_inspection_of_a_sweep_is_refused_as_such(tmp_path):
    done = run("-m", "inspect=true", "modality=flair,t1", cwd=tmp_path)
    assert done.returncode == 1 and "`inspect=true` cannot be used with a sweep" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path):
    done = run("dataset=folder", "dataset.root=/no/such/place", cwd=tmp_path)
    assert done.returncode == 1
    assert "/no/such/place" in done.stderr
    assert "Traceback" not in done.stderr
    status = next(tmp_path.glob("outputs/*/*/status.json")).read_text()
    assert '"failed"' in status


def test_without_a_run_evaluate_says_what_to_do(tmp_path):
    done = run(cwd=tmp_path, script="evaluate.py")
    assert done.returncode == 1
    assert "There is no run with a model." in done.stderr
    assert "train.py" in done.stderr


def test_runs_and_sweeps_started_in_the_same_second_have_different_folders(tmp_path):
    folders = []
    for _ in range(2):
        done = run("--cfg", "hydra", "--resolve", cwd=tmp_path)
        hydra = yaml.safe_load(done.stdout)["hydra"]
        folders += [hydra["run"]["dir"], hydra["sweep"]["dir"]]
    assert len(set(folders)) == 4
    # Not only the second at which they started tells them apart.
    assert len({folder.rpartition("-")[2] for folder in folders[::2]}) == 2


def test_an_environment_that_misreads_names_of_files_is_named(tmp_path):
    assert foreign_names(sys.getfilesystemencoding()) == ""
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, str(ROOT / "train.py"), "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert "names of files as ascii" in done.stderr and "PYTHONUTF8=1" in done.stderr and done.returncode == 0
