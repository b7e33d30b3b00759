"""Versions, hardware and folders for a bug report."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from brain_cae import __version__
from brain_cae.cli import info
from brain_cae.cli.info import EXTRAS, lines

ROOT = Path(__file__).parents[2]


def test_it_names_versions_hardware_and_folders_without_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("BRAIN_CAE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rows = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines())
    assert rows["brain_cae"] == __version__ and rows["torch"][0].isdigit()
    assert rows["cache"] == "~/cache" and rows["outputs"].startswith("~/outputs")
    assert {"Python", "CPU", "memory", "GPU"} <= rows.keys()
    assert str(tmp_path) not in "\n".join(lines())


def test_an_optional_package_that_is_missing_is_named_with_the_extra_that_installs_it(monkeypatch):
    def installed(name):
        if name == "highdicom":
            raise PackageNotFoundError(name)
        return "1.2.3"

    monkeypatch.setattr(info, "version", installed)
    rows = dict(re.split(r"\s{2,}", line, maxsplit=1) for line in lines())
    assert rows["highdicom"] == "not installed: pip install 'brain-cae[export]'"
    assert rows["onnx"] == rows["wandb"] == "1.2.3"


def test_the_extras_are_those_of_the_package_and_all_is_all_of_them():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {
        extra: tuple(re.match(r"[\w-]+", entry)[0] for entry in entries)
        for extra, entries in project["optional-dependencies"].items()
    }
    (every,) = project["optional-dependencies"]["all"]
    assert every == f"brain-cae[{','.join(EXTRAS)}]"
    assert {name: declared[name] for name in declared.keys() - {"all", "dev", "docs"}} == EXTRAS


@pytest.mark.parametrize("script", ["train.py", "evaluate.py"])
def test_the_version_is_shown_without_loading_torch(script, tmp_path):
    code = f"""
import runpy, sys
sys.argv = [{script!r}, "--version"]
runpy.run_path({str(ROOT / script)!r}, run_name="__main__")
print(*(name for name in ("torch", "matplotlib", "sklearn") if name in sys.modules))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("brain_cae") and done.stdout.splitlines()[-1] == ""
    assert not list(tmp_path.iterdir())
