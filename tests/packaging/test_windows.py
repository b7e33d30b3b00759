"""What Windows lacks is not needed: modules and functions of Unix are hidden from the program, and it still works.

No test here replaces a machine with Windows; docs/install.md says what was not tried.
"""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
# Libraries have code of their own for Windows and keep all of this; the program does not get it.
HIDE = """
import builtins, os, sys

MODULES = {"fcntl", "grp", "posix", "pwd", "resource", "syslog", "termios"}
FUNCTIONS = ("fork", "getloadavg", "getegid", "geteuid", "getgid", "getuid", "sched_getaffinity", "sysconf")
load = builtins.__import__

def is_ours(names):
    return (names or {}).get("__name__", "").partition(".")[0] == "brain_cae"

def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    if level == 0 and name in MODULES and is_ours(globals):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    return load(name, globals, locals, fromlist, level)

def hidden(name, function):
    def call(*arguments):
        if is_ours(sys._getframe(1).f_globals):
            raise AttributeError(f"module 'os' has no attribute {name!r}")
        return function(*arguments)
    return call

builtins.__import__ = guarded
for name in FUNCTIONS:
    setattr(os, name, hidden(name, getattr(os, name)))
"""
RUN = (
    HIDE
    + """
from brain_cae.cli import commands

{"train": commands.train_command, "evaluate": commands.evaluate_command}[sys.argv.pop(1)]()
"""
)


def hidden(code: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    # The character set of a Windows console whose output goes to a file.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, encoding="cp1252")


def test_scans_are_inspected(scans, tmp_path):
    done = hidden(RUN, "train", "inspect=true", "dataset=folder", f"dataset.root={scans}", "modality=t1", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "12 x 14 x 10" in done.stdout


@pytest.mark.extras
def test_scores_are_audited(tmp_path):
    table = pd.DataFrame({"label": ["healthy", "abnormal"] * 20, "score": range(40), "manufacturer": list("ABBA") * 10})
    table.to_csv(tmp_path / "scores.csv", index=False)
    done = hidden(RUN, "evaluate", "audit.table=scores.csv", "hydra.run.dir=run", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_run_is_running_until_it_ends_and_its_status_can_be_read_and_replaced(tmp_path):
    code = """
import json, subprocess
from pathlib import Path
from brain_cae.files.run_folder import RunFolder, is_running, peak_memory_mb

folder = RunFolder(Path("run"))
ask = "from pathlib import Path; from brain_cae.files.run_folder import is_running; print(is_running(Path('run')))"

def others_say():
    return subprocess.run([sys.executable, "-c", HIDE + ask], capture_output=True, text=True).stdout.strip()

with folder.status():
    print(json.loads((folder / "status.json").read_text("utf-8"))["status"], others_say())
print(json.loads((folder / "status.json").read_text("utf-8"))["status"], others_say(), peak_memory_mb())
"""
    done = hidden(f"{HIDE}\nHIDE = {HIDE!r}\n{code}", cwd=tmp_path)
    assert done.stdout.splitlines() == ["running True", "finished False None"], done.stderr


def test_the_facts_for_a_bug_report_are_printed(tmp_path):
    done = hidden(f"{HIDE}\nfrom brain_cae.cli import info\nprint(*info.lines(), sep='\\n')", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "memory                   unknown; " in done.stdout


@pytest.mark.extras
def test_a_bundle_scores_new_brains(tiny_run, tiny_overrides, tmp_path):
    from brain_cae.api import Detector, simulate

    Detector.load(tiny_run).save(tmp_path / "model.zip")
    scans = simulate(tmp_path / "cohort", subjects=2, seed=7)
    scans.assign(skull="stripped").to_csv(tmp_path / "scans.csv", index=False)
    given = ("run=model.zip", "dataset=folder", "dataset.table=scans.csv", "workers=1", "hydra.run.dir=run")
    done = hidden(RUN, "evaluate", *given, f"cache={tmp_path / 'cache'}", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(pd.read_csv(tmp_path / "run" / "predictions.csv")) == 2
