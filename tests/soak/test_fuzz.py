"""Fuzzing: corrupt files and invalid settings give a named reason or a complete result, never a crash."""

import dataclasses
import gzip
import math
import random
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from brain_cae.configuration import Config, conf_folder, validate
from brain_cae.configuration.checks import RANGES, WORDS
from brain_cae.detector.build import make_network, make_reshape
from brain_cae.errors import ConfigurationError
from brain_cae.scans.index import make_index
from brain_cae.scans.sources.base import SeriesLocation
from brain_cae.scans.store import import_series

from .cases import cases

STACK = np.random.default_rng(1).integers(0, 2000, size=(12, 10, 7))
SERIES_PER_CASE = 20
SPARE_MEMORY = 4 << 30  # bytes; a corrupt header may declare any volume size, and the import must not allocate it


@pytest.fixture(autouse=True, scope="module")
def little_memory() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_MEMORY, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module")
def smallest_series(small_cohort: Path) -> list[bytes]:
    """The files of the series with the fewest bytes."""
    series = [[path.read_bytes() for path in sorted(folder.iterdir())] for folder in small_cohort.glob("train/*/*")]
    return min(series, key=lambda files: (sum(map(len, files)), files))


def write_series(folder: Path, contents: list[bytes]) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"Image-{number + 1}.dcm" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


def flip(content: bytes, chance: random.Random, *, within: int | None = None) -> bytes:
    """Change up to eight bytes, anywhere or among the first ``within``."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        changed[chance.randrange(min(len(changed), within or len(changed)))] = chance.randrange(256)
    return bytes(changed)


def damage(path: Path, chance: random.Random, *, header: int) -> str:
    """Damage one file; return the kind of damage."""
    content = path.read_bytes()
    kind = chance.choice(["flip", "flip in header", "flip in header", "truncate", "empty", "delete", "fill", "append"])
    if kind == "delete":
        path.unlink()
        return kind
    start = chance.randrange(len(content))
    path.write_bytes(
        {
            "flip": lambda: flip(content, chance),
            "flip in header": lambda: flip(content, chance, within=header),
            "truncate": lambda: content[:start],
            "empty": lambda: b"",
            "fill": lambda: content[:start] + bytes(len(content) - start),
            "append": lambda: content + chance.randbytes(chance.randint(1, 64)),
        }[kind]()
    )
    return kind


def check_import(location: SeriesLocation, store: Path, story: str) -> str:
    """Import one series, check that its index row is correct or the report gives a reason, and return the status."""
    result = import_series([location], store, progress=False)
    pd.testing.assert_frame_equal(make_index(result.index.to_dict("records")), result.index)
    first = result.report.iloc[0]
    if result.index.empty:
        assert first["status"] in ("refused", "missing"), story
        assert first["reason"] and not first["reason"].startswith("cannot be read"), f"{story}: {first['reason']}"
        return str(first["status"])
    assert first["status"] == "imported", story
    row = result.index.iloc[0]
    volume = nibabel.load(row["path"])
    array = np.asarray(volume.dataobj)
    assert sorted(array.shape) == sorted(int(row[name]) for name in ("rows", "columns", "slices")), story
    assert np.isfinite(array).all() and array.min() < array.max(), story
    assert abs(np.linalg.det(volume.affine[:3, :3])) > 0, story
    if len(location.files) > 1:
        # A slice that is not in the volume must be in the report, unless the file was missing from the start.
        left_out = result.report["status"].eq("refused").any()
        assert left_out or int(row["slices"]) == len(location.files), story
    again = import_series([location], store, progress=False)
    pd.testing.assert_frame_equal(again.index, result.index)
    return "imported"


@pytest.mark.parametrize("case", cases(40, always=1))
def test_damaged_dicom_is_imported_completely_or_refused_with_a_reason(
    case: int, smallest_series: list[bytes], tmp_path: Path
) -> None:
    chance = random.Random(f"dicom {case}")
    for number in range(SERIES_PER_CASE):
        files = write_series(tmp_path / str(number) / "t1", smallest_series)
        chosen = chance.sample(files, chance.choice([1, 1, 1, 2, 3]))
        done = [f"{path.name}: {damage(path, chance, header=900)}" for path in chosen]
        left = tuple(path for path in files if path.exists())
        check_import(SeriesLocation("00001", "t1", left), tmp_path / "store", f"series {number}: {', '.join(done)}")


@pytest.mark.parametrize("case", cases(40, always=1))
def test_damaged_nifti_is_imported_completely_or_refused_with_a_reason(case: int, tmp_path: Path) -> None:
    chance = random.Random(f"nifti {case}")
    for number in range(SERIES_PER_CASE):
        array = STACK.astype(chance.choice([np.int16, np.float32]))
        plain = nibabel.Nifti1Image(array, np.diag([12.0, 12, 9, 1])).to_bytes()
        path = tmp_path / str(number) / f"t1.nii{chance.choice(['', '.gz'])}"
        path.parent.mkdir()
        if path.suffix == ".gz" and chance.random() < 0.5:
            # Damage before compression: the gzip checksum is right, but the content is not.
            path.write_bytes(gzip.compress(flip(plain, chance, within=348)))
            done = "flip in header before gzip"
        else:
            path.write_bytes(gzip.compress(plain) if path.suffix == ".gz" else plain)
            done = damage(path, chance, header=348)
        files = (path,) if path.exists() else ()
        check_import(SeriesLocation("00001", "t1", files), tmp_path / "store", f"file {number} ({path.name}): {done}")


def test_an_undamaged_series_is_imported(smallest_series: list[bytes], tmp_path: Path) -> None:
    files = tuple(write_series(tmp_path / "t1", smallest_series))
    assert check_import(SeriesLocation("00001", "t1", files), tmp_path / "store", "undamaged") == "imported"


INVALID = (
    "-1", "0", "1", "2", "0.5", "-0.5", "1e9", "1e-9", "1e400", "-inf", "nan", "true", "no", "null", "abc", "''", "'3'",
    "[]", "[1]", "[1,2,3]", "[8,8,8]", "[0,0,0]", "[-1,2]", "[a,b]", "[null]", "{}", "{a:1}", "{a:{b:[1]}}",
    "99999999999999999999", "1_0", "???", "/no/such/file", "${seed}", "${nothing}", "ä", "0x10", "1+1",
)  # fmt: skip


def keys(composed: Any, prefix: str = "") -> Iterator[str]:
    """Every dotted key of the composed configuration, including sections."""
    for name, value in composed.items():
        yield f"{prefix}{name}"
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")


@pytest.fixture(scope="module")
def known_keys(make_config: Callable[..., Config]) -> list[str]:
    return sorted(set(keys(dataclasses.asdict(make_config()))) - {"cache"})


def override(chance: random.Random, known: list[str]) -> str:
    """Draw one command-line override, usually an invalid one."""
    key, kind = chance.choice(known), chance.random()
    if kind < 0.1:
        letters = list(key)
        letters.insert(chance.randrange(len(letters) + 1), chance.choice("abcxyz_"))
        return f"{chance.choice(['', '+', '++'])}{''.join(letters)}={chance.choice(INVALID)}"
    if kind < 0.15:
        return f"~{key}"
    if kind < 0.25:
        group = chance.choice(
            ["dataset", "reshape", "model", "trainer", "scoring", "classifier", "balancing", "experiment"]
        )
        return f"{group}={chance.choice(['nothing', 'fixed', 'cpu', 'svm', 'smote', 'none', 'null', 'folder'])}"
    if kind < 0.5:
        key = chance.choice(list(RANGES))
        low, high, _ = RANGES[key]
        return f"{key}={chance.choice([low - 1, high * 2, low, high, -low])!r}"
    if kind < 0.55:
        key = chance.choice(list(WORDS))
        return f"{key}={chance.choice([*WORDS[key], WORDS[key][0].upper(), WORDS[key][0][:-1]])}"
    return f"{key}={chance.choice(INVALID)}"


def compose_or_refuse(overrides: list[str]) -> Config | None:
    """Return the configuration, or None if it was rejected with a message; any other exception is a bug."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        try:
            composed = compose("train", overrides=overrides)
        except (HydraException, OmegaConfBaseException):
            return None  # the command line shows these without a traceback, with the valid keys
        except (TypeError, ValueError):
            return None  # Hydra's message for an option of the wrong type
    try:
        return validate(composed)
    except ConfigurationError as error:
        assert str(error).strip()
        return None


def values(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from values(value, f"{prefix}{name}.")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from values(value, f"{prefix}{number}.")
    else:
        yield prefix.rstrip("."), node


def complaint(overrides: list[str]) -> str | None:
    """Describe what goes wrong with these overrides; None if they are rejected or give a usable configuration."""
    try:
        config = compose_or_refuse(overrides)
        if config is None:
            return None
        not_finite = [
            key for key, v in values(dataclasses.asdict(config)) if isinstance(v, float) and not math.isfinite(v)
        ]
        if not_finite:
            return f"{overrides} was accepted with a number that is not finite"
        make_network(config)
        make_reshape(config, 8)
    except ConfigurationError:
        return None
    except Exception as error:
        return f"{overrides}: {type(error).__name__}: {str(error).splitlines()[0]}"
    return None


@pytest.mark.parametrize("case", cases(40, always=1))
def test_invalid_overrides_are_rejected_or_give_a_usable_configuration(case: int, known_keys: list[str]) -> None:
    chance = random.Random(f"configuration {case}")
    drawn = [[override(chance, known_keys) for _ in range(chance.choice([1, 1, 2, 3]))] for _ in range(15)]
    assert [text for overrides in drawn if (text := complaint(overrides))] == []
