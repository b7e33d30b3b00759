"""The wheel and the source distribution hold the whole program, and the wheel runs where no checkout is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[2]
PARTS = ("brain_cae", "conf", "pyproject.toml", "setup.py", "README.md", "LICENSE")
OFFLINE = ("--no-deps", "--no-index", "--disable-pip-version-check")


def run(*words: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def build_wheel(source: Path, target: Path) -> Path:
    run(sys.executable, "-m", "pip", "wheel", source, *OFFLINE, "--no-build-isolation", "-w", target, cwd=source)
    (wheel,) = target.glob("*.whl")
    return wheel


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with one package more: what an earlier build has left here could hide a gap."""
    folder = tmp_path_factory.mktemp("source")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    new = folder / "brain_cae" / "scans" / "new"
    (new / "tables").mkdir(parents=True)
    (new / "__init__.py").write_text("")
    (new / "tables" / "values.csv").write_text("a,b\n")
    return folder


@pytest.fixture(scope="module")
def expected(source: Path) -> set[str]:
    """Each file of the source at its place in a wheel; taken before a build leaves files there."""
    places = {"brain_cae": source / "brain_cae", "brain_cae/conf": source / "conf"}
    return {
        f"{place}/{path.relative_to(folder).as_posix()}"
        for place, folder in places.items()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def wheel(source: Path, expected: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs' folder of a new environment: the wheel, and beside it this environment's other packages."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    python = Path(paths["scripts"]) / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", *OFFLINE, wheel, cwd=folder)
    # After the wheel, and without the files `.pth` there: an editable install must not answer in its place.
    (Path(paths["purelib"]) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return Path(paths["scripts"])


def test_the_wheel_holds_each_file_of_the_package_and_of_the_configuration(wheel, expected):
    assert "brain_cae/conf/train.yaml" in expected and "brain_cae/scans/new/tables/values.csv" in expected
    assert files_of(wheel) == expected


def test_the_source_distribution_makes_the_same_wheel(source, expected, tmp_path):
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    run(sys.executable, "-c", code, tmp_path, cwd=source)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    assert files_of(build_wheel(tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "again")) == expected


def test_the_installed_program_finds_its_configuration_away_from_the_checkout(installed, tmp_path):
    code = (
        "import brain_cae, hydra; from brain_cae.configuration import conf_folder\n"
        "with hydra.initialize_config_module('brain_cae.conf', version_base='1.3'):\n"
        "    print(brain_cae.__file__, conf_folder(), hydra.compose('train').dataset.name, sep='\\n')"
    )
    module, folder, dataset = run(installed / "python", "-c", code, cwd=tmp_path).splitlines()
    environment = installed.parent.resolve()
    assert Path(module).resolve().is_relative_to(environment)
    assert Path(folder).resolve().is_relative_to(environment)
    assert dataset == "phantom"


@pytest.mark.parametrize("name", ["brain-cae-train", "brain-cae-evaluate"])
def test_the_commands_are_there(installed, tmp_path, name):
    assert "== Choices" in run(installed / name, "--help", cwd=tmp_path)


def test_the_installed_program_looks_at_a_folder_of_scans(installed, tmp_path):
    for number in range(3):
        path = tmp_path / "scans" / f"subject{number}" / "t1.nii.gz"
        path.parent.mkdir(parents=True)
        values = np.random.default_rng(number).integers(1, 99, (12, 14, 10)).astype(np.int16)
        nibabel.save(nibabel.Nifti1Image(values, np.diag([9, 9, 3, 1])), path)
    given = ("inspect=true", "dataset=folder", f"dataset.root={tmp_path / 'scans'}", "modality=t1")
    shown = run(installed / "brain-cae-train", *given, cwd=tmp_path)
    assert "12 x 14 x 10" in shown, shown
