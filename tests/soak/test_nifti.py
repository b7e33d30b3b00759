"""Thousands of damaged NIfTI files: each gives a volume or a reason with advice, in bounded time and memory."""

import gzip
import random
import time
import tracemalloc
import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from brain_cae.errors import ScanError
from brain_cae.errors.reasons import advice_for
from brain_cae.scans.extent import has_head_size
from brain_cae.scans.nifti import nifti_files, read_nifti
from brain_cae.scans.volume import Volume

from .cases import cases

FILES_PER_CASE = 150
SECONDS, BYTES = 2.0, 64 << 20
"""What one file may take. The largest of these files holds 16 kB, compressed voxels up to a thousand times that."""
VOXELS = np.random.default_rng(1).integers(0, 2000, size=(12, 13, 8))
AFFINE = np.array([[9.0, 0, 1, -50], [0, 10, 0, -60], [-1, 0, 12, -40], [0, 0, 0, 1]])
EXTREMES = (
    0, 1, -1, 2, 3, 7, 8, 127, 255, -128, 347, 348, 352, 353, 544, 4096, 32767, -32768, 65536, 2**31 - 1, -(2**31),
)  # fmt: skip
FLOATS = (
    *EXTREMES, np.nan, np.inf, -np.inf, 0.5, 1e-45, 1e-30, -1e-3, 1.0000002, 1.01, 1e6, 1e30, -3e38, 1e300, 5e-324,
)  # fmt: skip
KINDS = ("flip", "fields", "fields", "fields", "flip header", "cut", "zeros", "append", "insert", "twice")
NUMBERS = {
    kind: [name for name in kind.template_dtype.names if kind.template_dtype[name].base.kind in "iuf"]
    for kind in (Nifti1Header, Nifti2Header)
}


def write(folder: Path, chance: random.Random) -> tuple[Path, type[Nifti1Header]]:
    """Write one intact scan: NIfTI-1 or NIfTI-2, little or big endian, one file or a pair, compressed or not."""
    single, pair = chance.choice(
        [(nibabel.Nifti1Image, nibabel.Nifti1Pair), (nibabel.Nifti2Image, nibabel.nifti2.Nifti2Pair)]
    )
    kind = chance.choice([single, single, single, pair])
    header = kind.header_class(endianness=chance.choice("<<>"))
    header.set_data_dtype(chance.choice([np.int16, np.uint8, np.int32, np.float32, np.float64]))
    image = kind(VOXELS % 256, AFFINE, header)
    image.header.set_xyzt_units(chance.choice(["mm", "mm", "unknown"]))
    image.set_sform(AFFINE, chance.choice([0, 1, 2]))
    image.set_qform(AFFINE, chance.choice([0, 1, 1]))
    if chance.random() < 0.2:
        image.header.set_slope_inter(chance.uniform(0.1, 9), chance.uniform(-9, 9))
    path = folder / (("a.hdr" if kind is pair else "a.nii") + chance.choice(["", ".gz"]))
    image.to_filename(path)
    return path, Nifti2Header if issubclass(kind, nibabel.nifti2.Nifti2Pair | nibabel.Nifti2Image) else Nifti1Header


def flip(content: bytearray, chance: random.Random, within: int) -> None:
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(min(len(content), within))] = chance.randrange(256)


def set_fields(content: bytearray, chance: random.Random, kind: type[Nifti1Header]) -> None:
    """Set up to three numbers of the header to extreme values."""
    header = kind(bytes(content[: kind.sizeof_hdr]), check=False)
    for _ in range(chance.randint(1, 3)):
        field = header.structarr[chance.choice(NUMBERS[kind])]
        position = chance.randrange(max(field.size, 1))
        with np.errstate(all="ignore"):
            value = np.array(chance.choice(FLOATS if field.dtype.kind == "f" else EXTREMES)).astype(field.dtype)
        field.reshape(-1)[position] = value
    content[: kind.sizeof_hdr] = header.binaryblock


def damage(path: Path, chance: random.Random, kind: type[Nifti1Header]) -> str:
    """Damage one file of a scan, before or after compression; return what was done."""
    content = bytearray(path.read_bytes())
    packed = path.suffix == ".gz"
    inside = packed and chance.random() < 0.7
    if inside:
        content = bytearray(gzip.decompress(content))
    what = chance.choice(KINDS)
    start = chance.randrange(len(content))
    if what == "fields" and (not packed or inside) and ".img" not in path.name:
        set_fields(content, chance, kind)
    elif what in ("flip", "fields"):
        flip(content, chance, len(content))
    elif what == "flip header":
        flip(content, chance, kind.sizeof_hdr + 4)
    elif what == "cut":
        del content[start:]
    elif what == "zeros":
        end = min(len(content), start + chance.choice([4, 64, 1 << 20]))
        content[start:end] = bytes(end - start)
    elif what == "append":
        content += chance.randbytes(chance.randint(1, 600))
    elif what == "insert":
        content[start:start] = chance.randbytes(chance.randint(1, 64))
    else:
        content = content * 2
    path.write_bytes(gzip.compress(content) if inside else content)
    return f"{what} in {path.name}{', before compression' if inside else ''}"


def outcome(path: Path, *, pixels: bool) -> Volume | str:
    """Return the volume or the reason; fails if it takes too long or too much memory."""
    start = time.monotonic()
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read_nifti(path, pixels=pixels)
    except ScanError as error:
        assert advice_for(error.reason), error.reason
        assert str(path.parent) in str(error.where)
        return error.reason
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < BYTES, f"{peak / 2**20:.0f} MiB"
        assert time.monotonic() - start < SECONDS


def check(path: Path) -> str:
    """Read a scan with and without voxels and check that the two agree; return the reason, or ``imported``."""
    header, whole = outcome(path, pixels=False), outcome(path, pixels=True)
    if isinstance(whole, str):
        return whole
    assert isinstance(header, Volume), header
    assert whole.array.shape == header.array.shape and np.array_equal(whole.affine, header.affine)
    assert has_head_size(whole.array.shape, whole.affine) and np.isfinite(whole.affine).all()
    assert whole.array.dtype in (np.int16, np.float32) and np.isfinite(whole.array).all()
    assert whole.array.min() < whole.array.max()
    return "imported"


@pytest.mark.parametrize("case", cases(20, always=1))
def test_a_damaged_file_gives_a_volume_or_a_reason_with_advice(case: int, tmp_path: Path) -> None:
    chance = random.Random(f"nifti files {case}")
    outcomes = []
    for number in range(FILES_PER_CASE):
        folder = tmp_path / str(number)
        folder.mkdir()
        path, kind = write(folder, chance)
        done = damage(chance.choice(nifti_files(path)), chance, kind)
        if chance.random() < 0.05:
            path = path.rename(path.with_name(chance.choice(["b.nii", "b.nii.gz", "b.hdr", "b.img.gz"])))
        try:
            outcomes.append(check(path))
        except BaseException as error:
            error.add_note(f"file {number}: {done}")
            raise
    # Neither is everything refused, nor is any kind of damage overlooked.
    assert outcomes.count("imported") > FILES_PER_CASE / 10
    assert len({reason.partition(":")[0] for reason in outcomes}) > 5
