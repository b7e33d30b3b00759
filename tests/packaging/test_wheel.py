"""The wheel and the source distribution hold the whole program, and both run where no checkout is."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from brain_cae import __version__

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[2]
FOLDERS = ("brain_cae", "conf", "tests", "docs", "benchmarks", "mkdocs_hooks")
# Beside the files at the top; MANIFEST.in has to name each of them.
UNPACKED = (".gitignore", ".pre-commit-config.yaml", ".git")
GENERATED = ("PKG-INFO", "setup.cfg", "brain_cae.egg-info")
SCANS = (".nii", ".nii.gz", ".dcm", ".ima", ".mgz", ".npy", ".npz", ".ckpt", ".pt", ".zip", ".ipynb", ".pyc")
OFFLINE = ("--no-deps", "--no-index", "--disable-pip-version-check")


def run(*words: str | Path, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([*map(str, words)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def files_of(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with one package more: what an earlier build has left here could hide a gap."""
    folder = tmp_path_factory.mktemp("source")
    for path in ROOT.iterdir():
        if path.name in FOLDERS:
            shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif path.is_file() and path.name not in UNPACKED:
            shutil.copy(path, folder)
    new = folder / "brain_cae" / "scans" / "new"
    (new / "tables").mkdir(parents=True)
    (new / "__init__.py").write_text("")
    (new / "tables" / "values.csv").write_text("a,b\n")
    return folder


@pytest.fixture(scope="module")
def expected(source: Path) -> set[str]:
    """Each file of the source at its place in a wheel; taken before a build leaves files there."""
    places = {"brain_cae": source / "brain_cae", "brain_cae/conf": source / "conf"}
    return {f"{place}/{name}" for place, folder in places.items() for name in files_in(folder)}


@pytest.fixture(scope="module")
def unbuilt(source: Path) -> set[str]:
    """Each file of the source; taken before a build leaves files there."""
    return files_in(source)


@pytest.fixture(scope="module")
def built(source: Path, expected: set[str], unbuilt: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution, and with the wheel that is made from it."""
    folder = tmp_path_factory.mktemp("built")
    options = ("--no-isolation", "--skip-dependency-check", "--outdir")
    run(sys.executable, "-m", "build", *options, folder, source, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sdist(built: Path) -> Path:
    (archive,) = built.glob("*.tar.gz")
    return archive


def install(package: Path, folder: Path, *options: str, tools: Path | None = None) -> Path:
    """Install one package into a new environment, beside this environment's others; return its programs' folder."""
    venv.create(folder, with_pip=False)
    paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
    python = Path(paths["scripts"]) / "python"
    libraries = Path(paths["purelib"])
    if tools is not None:
        (libraries / "tools.pth").write_text(str(tools))
    run(sys.executable, "-m", "pip", "--python", python, "install", *OFFLINE, *options, package, cwd=folder)
    # Not before: pip would take an editable install there for an old version, and remove it.
    (libraries / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return Path(paths["scripts"])


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(wheel, tmp_path_factory.mktemp("environment"))


@pytest.fixture(scope="module")
def installed_from_source(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    tools = tmp_path_factory.mktemp("tools")  # what builds, and nothing else of this environment
    libraries = Path(sysconfig.get_path("purelib"))
    for path in (*libraries.glob("setuptools"), *libraries.glob("setuptools-*"), *libraries.glob("_distutils_hack")):
        (tools / path.name).symlink_to(path)
    return install(sdist, tmp_path_factory.mktemp("environment"), "--no-build-isolation", tools=tools)


def test_the_wheel_holds_each_file_of_the_package_and_of_the_configuration(wheel, expected):
    assert "brain_cae/conf/train.yaml" in expected and "brain_cae/scans/new/tables/values.csv" in expected
    assert files_of(wheel) == expected


def test_the_source_distribution_holds_the_program_its_tests_and_documents_and_no_scans(sdist, unbuilt, tmp_path):
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    (top,) = tmp_path.iterdir()
    packed_files = {name for name in files_in(top) if not name.startswith(GENERATED)}
    assert packed_files == unbuilt, "MANIFEST.in names what is packed; UNPACKED, here, what is not"
    assert {"LICENSE", "CITATION.cff", "conf/train.yaml", "tests/conftest.py", "constraints.txt"} <= packed_files
    assert not [name for name in packed_files if name.endswith(SCANS)]
    assert sdist.stat().st_size < 5e6, "larger than all of its files should be"


def test_an_index_would_take_both(wheel, sdist):
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist, cwd=wheel.parent)


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


@pytest.mark.parametrize("kind", ["installed", "installed_from_source"])
def test_the_installed_program_says_its_version_and_looks_at_a_folder_of_scans(kind, scans, tmp_path, request):
    programs = request.getfixturevalue(kind)
    shown = run(programs / "brain-cae-train", "--version", cwd=tmp_path)
    assert shown.split()[:2] == ["brain_cae", __version__]
    (package,) = [line.split()[1] for line in shown.splitlines() if line.startswith("package ")]
    assert Path(package).resolve().is_relative_to(programs.parent.resolve())
    given = ("inspect=true", "dataset=folder", f"dataset.root={scans}", "modality=t1")
    assert "12 x 14 x 10" in run(programs / "brain-cae-train", *given, cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scans"], "looking leaves nothing behind"


def test_the_installed_program_trains_in_an_empty_folder(installed, tiny_overrides, tmp_path):
    small = [item for item in tiny_overrides if item.startswith(("model.", "workers=", "cache="))]
    given = ("debug=fast", "trainer.max_epochs=1", "evaluation.maps=false", "hydra.run.dir=run", *small)
    assert "report.html" in run(installed / "brain-cae-train", *given, cwd=tmp_path)
    assert (tmp_path / "run" / "report.html").is_file() and (tmp_path / "run" / "model" / "network.ckpt").is_file()
