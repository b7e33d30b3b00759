"""Preparation and scoring killed at any moment, or done twice at the same time, end as if nothing had happened."""

import errno
import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import yaml

from brain_cae.configuration import Config
from brain_cae.detector.findings_cache import VERSION
from brain_cae.detector.storage import load
from brain_cae.errors import StorageError
from brain_cae.workflows import evaluation, training

from .cases import cases
from .conftest import compose_evaluate
from .program import count, evaluate, train, visible

MANY = 9
"""Subjects that are prepared in several processes; fewer stay in one."""
SHAPE = (24, 28, 20)
STRIPPER = """#!{python} -IS
import array, gzip, sys
raw = gzip.open(sys.argv[sys.argv.index("-i") + 1]).read()
header, voxels = bytearray(raw[:352]), array.array("h", raw[352:])
header[70:74] = b"\\x02\\x00\\x08\\x00"  # the mask's type: uint8
gzip.open("mask.nii.gz", "w").write(bytes(header) + bytes(value > 50 for value in voxels))
"""
HEADS = (
    "dataset=folder",
    "dataset.skull=on",
    "preprocess.skull_strip=synthstrip",
    "split.validation=0.5",
    "split.validation_minimum=0",
    "scoring.alpha=0.9",
    "trainer.progress=false",
)


def write_heads(root: Path, subjects: int) -> Path:
    """Write T1 and FLAIR, 10 mm apart, of ellipsoids; return the root."""
    axes = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in SHAPE], indexing="ij"))
    radius = (axes**2).sum(axis=0)
    for number in range(subjects):
        for offset, modality in enumerate(("t1", "flair")):
            noise = np.random.default_rng(2 * number + offset).integers(0, 30, SHAPE)
            values = np.where(radius < 0.8, np.where(radius < 0.4, 150, 90) + noise, 0).astype(np.int16)
            affine = np.diag([7.0, 7, 8, 1])
            affine[0, 3] = 10 * offset
            path = root / f"s{number}" / f"{modality}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values, affine), path)
    rows = "".join(f"s{number},healthy\n" for number in range(subjects))
    (root / "labels.csv").write_text("subject,label\n" + rows)
    return root


@pytest.fixture
def stripper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small program in place of SynthStrip on the PATH."""
    path = tmp_path / "bin" / "mri_synthstrip"
    path.parent.mkdir()
    path.write_text(STRIPPER.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent), prepend=":")


@pytest.fixture(scope="session")
def complete_preparation(
    make_config: Callable[..., Config], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], Path]:
    """Return a folder with scans, run and cache of an uninterrupted preparation of some subjects."""
    known: dict[int, Path] = {}

    def prepared(subjects: int) -> Path:
        if subjects not in known:
            folder = tmp_path_factory.mktemp("prepared")
            root = write_heads(folder / "scans", subjects)
            training.run(make_config(*overrides(root, folder / "cache")), folder / "run")
            known[subjects] = folder
        return known[subjects]

    return prepared


def overrides(root: Path, cache: Path) -> list[str]:
    return [*HEADS, f"dataset.root={root}", f"cache={cache}", "stop_after=prepare", "workers=1"]


def stored(cache: Path) -> dict[str, Any]:
    """Files of the cache by name; of prepared subjects only their content, as their names depend on the folder."""
    files = visible(cache)
    subjects = {path.name: visible(path) for path in (cache / "prepared").glob("[!.]*")}
    others = {name: content for name, content in files.items() if not name.startswith("prepared/")}
    return others | {f"prepared {sorted(content.items())!r}": b"" for content in subjects.values()}


def tables(run: Path, cache: Path) -> list[str]:
    return [(run / name).read_text().replace(str(cache), "<cache>") for name in ("index.csv", "import_report.csv")]


@pytest.mark.usefixtures("stripper")
@pytest.mark.parametrize("case", cases(20, always=1))
def test_a_killed_preparation_is_resumed(
    case: int, complete_preparation: Callable[[int], Path], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    moment = random.Random(f"preparation {case}")
    subjects = MANY if case % 2 else 4
    whole, cache, run = complete_preparation(subjects), tmp_path / "cache", tmp_path / "run"
    arguments = overrides(whole / "scans", cache)
    done = moment.randrange(3 * subjects - 1)
    with train(*arguments, f"workers={1 + case % 2}", f"hydra.run.dir={run}", cwd=tmp_path) as program:
        program.stop(
            lambda: (
                count(cache, "aligned/[!.]*", "brain_masks/[!.]*", "prepared/[!.]*") >= done
                and (cache / "aligned").exists()
            ),
            delay=moment.uniform(0, 0.2),
            number=signal.SIGKILL,
        )
    complete, left = stored(whole / "cache"), stored(cache)
    assert {name: complete.get(name) for name in left} == left
    training.run(make_config(*arguments), tmp_path / "again")
    assert tables(tmp_path / "again", cache) == tables(whole / "run", whole / "cache")
    assert stored(cache) == complete


@pytest.mark.usefixtures("stripper")
@pytest.mark.parametrize("stage", ["import", pytest.param("prepare", marks=pytest.mark.soak)])
def test_two_runs_at_the_same_time_share_one_store(
    stage: str, complete_preparation: Callable[[int], Path], tmp_path: Path
) -> None:
    whole, cache = complete_preparation(4), tmp_path / "cache"
    arguments = [*overrides(whole / "scans", cache), f"stop_after={stage}"]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with (
        train(*arguments, "hydra.run.dir=run", cwd=tmp_path / "a") as first,
        train(*arguments, "hydra.run.dir=run", cwd=tmp_path / "b") as second,
    ):
        assert [one.process.wait(timeout=240) for one in (first, second)] == [0, 0], first.text + second.text
    assert tables(tmp_path / "a" / "run", cache) == tables(tmp_path / "b" / "run", cache)
    complete = stored(whole / "cache")
    if stage == "prepare":
        assert tables(tmp_path / "a" / "run", cache) == tables(whole / "run", whole / "cache")
        assert stored(cache) == complete
    else:
        assert visible(cache / "imported") == visible(whole / "cache" / "imported")
    assert not list(cache.rglob(".*.part-*"))


@contextmanager
def full_disk(*names: str) -> Iterator[None]:
    """Let no file of these names, or in folders of these names, come into place: the disk is full."""
    usual = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if set(names) & set(Path(target).parts):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return usual(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", refuse)
        yield


def check_full_disk(start: Callable[[Path], Any], folder: Path, name: str, *places: Path) -> None:
    """Check that a run on a full disk ends with one message, says so in its status and leaves no temporary files."""
    with full_disk(name), pytest.raises(StorageError, match="There is no room to write a file") as caught:
        start(folder)
    assert name in Path(str(caught.value.where)).parts
    status = json.loads((folder / "status.json").read_text())
    assert (status["status"], status["error"]) == ("failed", "There is no room to write a file.")
    assert [path for place in (folder, *places) for path in place.rglob(".*.part-*")] == []


@pytest.mark.usefixtures("stripper")
@pytest.mark.soak
@pytest.mark.parametrize("name", ("imported", "seen", "aligned", "brain_masks", "prepared"))
def test_a_preparation_on_a_full_disk_is_resumed(
    name: str, complete_preparation: Callable[[int], Path], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    whole, cache = complete_preparation(4), tmp_path / "cache"
    config = make_config(*overrides(whole / "scans", cache))
    check_full_disk(lambda folder: training.run(config, folder), tmp_path / "run", name, cache)
    training.run(config, tmp_path / "again")
    assert tables(tmp_path / "again", cache) == tables(whole / "run", whole / "cache")
    assert stored(cache) == stored(whole / "cache")


@pytest.mark.soak
@pytest.mark.usefixtures("stripper")
@pytest.mark.parametrize("name", ("imported", "aligned", "brain_masks", "prepared"))
def test_a_preparation_whose_cache_cannot_be_written_is_resumed(
    name: str, complete_preparation: Callable[[int], Path], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    whole, cache = complete_preparation(4), tmp_path / "cache"
    cache.mkdir()
    (cache / name).write_text("a file")
    config = make_config(*overrides(whole / "scans", cache))
    with pytest.raises(StorageError, match="A file stands where a folder is needed") as caught:
        training.run(config, tmp_path / "run")
    assert Path(str(caught.value.where)).is_relative_to(cache / name)
    status = json.loads((tmp_path / "run" / "status.json").read_text())
    assert (status["status"], status["error"]) == ("failed", "A file stands where a folder is needed.")
    (cache / name).unlink()
    training.run(config, tmp_path / "again")
    assert tables(tmp_path / "again", cache) == tables(whole / "run", whole / "cache")


VARIANTS = ((), ("classifier=svm",))
"""A run's subjects are scored with maps; with another classifier their findings are enough, and come from the cache."""


def scored(run: Path) -> dict[str, Any]:
    """Everything that scoring has written, but for times, memory and places."""
    metrics = json.loads((run / "metrics.json").read_text())
    del metrics["seconds"], metrics["peak_memory_mb"], metrics["environment"]["model_run"]
    tables = {name: (run / f"{name}.csv").read_text() for name in ("predictions", "features", "subjects", "index")}
    return {"metrics": metrics, **tables, **visible(run / "anomaly_maps")}


@pytest.fixture(scope="session")
def complete_scoring(
    tiny_run: Path, tiny_overrides: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], dict[str, Any]]:
    """Return what an uninterrupted scoring writes; with maps, it is the one at the end of the training."""
    known: dict[int, dict[str, Any]] = {0: scored(tiny_run)}

    def outcome(variant: int) -> dict[str, Any]:
        if variant not in known:
            folder = tmp_path_factory.mktemp("scored") / "run"
            evaluation.run(compose_evaluate(*again(tiny_run, tiny_overrides, variant)), folder)
            known[variant] = scored(folder)
        return known[variant]

    return outcome


def again(run: Path, training_overrides: list[str], variant: int) -> list[str]:
    cache = next(item for item in training_overrides if item.startswith("cache="))
    return [f"run={run}", cache, "workers=1", *VARIANTS[variant]]


@pytest.fixture
def twin(tiny_run: Path, tmp_path: Path) -> Path:
    """A run as the tiny one, with findings of its own: only the sign of a modality that it does not use is another."""
    run = tmp_path / "twin"
    shutil.copytree(tiny_run, run, ignore=shutil.ignore_patterns("anomaly_maps", "tensorboard"))
    content = yaml.safe_load((run / "model" / "config.yaml").read_text())
    content["scoring"]["sign"]["t2"] = "both"
    (run / "model" / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return run


@pytest.mark.parametrize("case", cases(20, always=1))
def test_a_killed_scoring_is_resumed(
    case: int,
    twin: Path,
    tiny_overrides: list[str],
    complete_scoring: Callable[[int], dict[str, Any]],
    tmp_path: Path,
) -> None:
    moment = random.Random(f"scoring {case}")
    arguments = again(twin, tiny_overrides, case % 2)
    expected = complete_scoring(case % 2)
    examined = Path(arguments[1].partition("=")[2]) / "examined" / f"{VERSION}-{load(twin).fingerprint()}"
    shutil.rmtree(examined, ignore_errors=True)
    run = tmp_path / "run"
    maps = {name: content for name, content in expected.items() if name.endswith(".nii.gz")}
    done = moment.randrange(len(expected["predictions"].splitlines()) - 2)
    with evaluate(*arguments, f"hydra.run.dir={run}", cwd=tmp_path) as program:
        program.stop(
            lambda: count(examined, "[!.]*.json") > done,
            delay=moment.uniform(0, 0.2),
            number=signal.SIGKILL,
        )
    for path in examined.glob("[!.]*.json"):
        json.loads(path.read_text())
    left = visible(run / "anomaly_maps")
    assert {name: maps.get(name) for name in left} == left
    evaluation.run(compose_evaluate(*arguments), tmp_path / "again")
    assert scored(tmp_path / "again") == expected


@pytest.mark.soak
@pytest.mark.parametrize("name", ("examined", "anomaly_maps", "predictions.csv", "metrics.json"))
def test_a_scoring_on_a_full_disk_is_resumed(
    name: str,
    tiny_run: Path,
    tiny_overrides: list[str],
    complete_scoring: Callable[[int], dict[str, Any]],
    tmp_path: Path,
) -> None:
    arguments = again(tiny_run, tiny_overrides, 0)
    examined = Path(arguments[1].partition("=")[2]) / "examined"
    config = compose_evaluate(*arguments)
    check_full_disk(lambda folder: evaluation.run(config, folder), tmp_path / "run", name, examined)
    evaluation.run(config, tmp_path / "again")
    assert scored(tmp_path / "again") == complete_scoring(0)
