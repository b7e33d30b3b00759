"""Every mutated series gives a right volume or a named reason, in bounded time."""

import logging
import random
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from brain_cae.errors.reasons import advice_for
from brain_cae.scans.dicom import FolderReading, read_folder

from .mutations import KINDS, make_series, mutate

SAMPLE = 160
LONGEST_S = 2.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, list[bytes]]:
    return {kind: make_series(tmp_path_factory.mktemp("whole") / "series", kind) for kind in KINDS}


def check_series(number: int, whole: dict[str, list[bytes]], folder: Path) -> str:
    """Mutate and read one series, check what comes of it, and return the reason, ``""`` for a volume."""
    chance, kind = random.Random(f"mutation {number}"), KINDS[number % len(KINDS)]
    files, story = list(whole[kind]), [f"{number} ({kind})"]
    for place in chance.sample(range(len(files)), chance.choice([1, 1, len(files)])):
        files[place], done = mutate(files[place], chance)
        story.append(f"{place}: {done}")
    folder.mkdir()
    paths = [folder / f"IM{place}" for place in range(len(files))]
    for path, content in zip(paths, files, strict=True):
        path.write_bytes(content)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)
        readings = [read_folder(paths, pixels=pixels) for pixels in (True, False)]
    assert time.process_time() - start < 2 * LONGEST_S, story
    for reading in readings:
        check_reading(reading, slices=4, story=story)
    return min(one.reason for one in readings[0].refused) if readings[0].volume is None else ""


def check_reading(reading: FolderReading, *, slices: int, story: list[str]) -> None:
    for one in reading.refused:
        assert advice_for(one.reason), (story, one)
    if reading.volume is None:
        assert reading.refused, story
        return
    shape, affine = reading.volume.array.shape, reading.volume.affine
    # A slice that is not in the volume is named.
    assert shape[2] >= slices or reading.refused, (story, shape)
    assert np.isfinite(reading.volume.array).all(), story
    assert np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0, story


@pytest.mark.parametrize("first", range(0, SAMPLE, 40))
def test_mutated_series_give_a_volume_or_a_reason(first, whole, tmp_path):
    reasons = [check_series(number, whole, tmp_path / str(number)) for number in range(first, first + 40)]
    assert len(set(reasons)) > 3 and "" in reasons


@pytest.mark.soak
@pytest.mark.parametrize("first", range(SAMPLE, 4000, 320))
def test_thousands_of_mutated_series_give_a_volume_or_a_reason(first, whole, tmp_path):
    for number in range(first, first + 320):
        check_series(number, whole, tmp_path / str(number))


def test_the_memory_does_not_follow_the_header(whole, tmp_path):
    """Sizes of 65535 pixels, of two billion frames, and values of 4 GB are declared by files of some kilobytes."""
    for kind in ("explicit", "RLE", "JPEG 2000"):
        content = whole[kind][0]
        for tag in (b"\x28\x00\x10\x00US\x02\0", b"\x28\x00\x11\x00US\x02\0"):
            at = content.index(tag) + len(tag)
            content = content[:at] + b"\xff\xff" + content[at + 2 :]
        frames = b"\x28\x00\x08\x00IS\x0a\x002000000000"
        at = content.index(b"\x28\x00\x10\x00US")
        path = tmp_path / kind.replace(" ", "")
        path.write_bytes(content[:at] + frames + content[at:])
        tracemalloc.start()
        reading = read_folder([path])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert reading.volume is None and peak < 20e6, (kind, peak)
