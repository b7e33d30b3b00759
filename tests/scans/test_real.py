"""Real scans of several scanners are read or refused as documented beside them."""

from pathlib import Path

import numpy as np
import pytest

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_folder, read_series
from brain_cae.scans.file import open_dicom
from brain_cae.scans.nifti import read_nifti
from brain_cae.scans.pixels import read_pixels
from brain_cae.scans.volume import content_hash


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def reasons(folder: Path) -> dict[str, int]:
    reading = read_folder(files_of(folder))
    assert reading.volume is None
    counts: dict[str, int] = {}
    for one in reading.refused:
        counts[one.reason] = counts.get(one.reason, 0) + one.files
    return counts


def test_a_mixed_folder_is_split_and_its_gaps_are_detected(real_data):
    counts = reasons(real_data / "dicom" / "siemens-trio-mixed-folder")
    assert counts == {"gap between slices": 175 + 55, "mosaic": 2, "not DICOM": 3}


def test_jitter_of_positions_is_not_a_gap(real_data):
    volume = read_series(files_of(real_data / "dicom" / "ge-signa-pd"))
    assert volume.array.shape == (256, 256, 20)
    assert volume.acquisition["spacing_slice_mm"] == pytest.approx(7.0, abs=0.01)
    assert np.linalg.norm(volume.affine[:3, 2]) == pytest.approx(7.0, abs=0.01)
    assert volume.acquisition["manufacturer"] == "GE Medical Systems"


def test_enhanced_multi_frame(real_data):
    volume = read_series(files_of(real_data / "dicom" / "siemens-xa30-enhanced-t1"))
    assert volume.array.shape == (128, 128, 96)
    assert np.linalg.norm(volume.affine[:3, :3], axis=0) == pytest.approx([2, 2, 2])
    facts = {"repetition_time_ms": 1800.0, "echo_time_ms": 2.41, "inversion_time_ms": 900.0, "sequence": "IR"}
    assert facts | {"orientation": "sagittal", "field_strength_t": 3.0} | volume.acquisition == volume.acquisition
    # Frames run right to left; the centre of the head is near the scanner's centre either way.
    centre = volume.affine @ [*(np.array(volume.array.shape) / 2), 1]
    assert abs(centre[0]) < 10


def test_encodings_of_one_crop_agree_bit_for_bit(real_data):
    folder = real_data / "dicom" / "philips-emri-small"
    plain = read_pixels(open_dicom(folder / "emri_small.dcm"))
    assert plain.shape == (10, 64, 64)
    for name in ("RLE", "big_endian", "jpeg_2k_lossless", "jpeg_ls_lossless"):
        assert np.array_equal(read_pixels(open_dicom(folder / f"emri_small_{name}.dcm")), plain), name
    with pytest.raises(ScanError) as raised:
        read_pixels(open_dicom(folder / "emri_small_jpeg_2k_lossless_too_short.dcm"))
    assert raised.value.reason == "truncated file"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("siemens-mosaic-compressed", {"mosaic": 4}),
        ("siemens-dual-echo", {"mixed echo times": 36, "not DICOM": 1}),
        ("ge-3plane-localizer", {"mixed orientation": 21}),
        ("single-slices", {"single slice": 2, "no slice position": 1}),
    ],
)
def test_other_images_are_refused_with_their_reason(real_data, folder, expected):
    assert reasons(real_data / "dicom" / folder) == expected


def test_every_axis_order_gives_the_same_hash(real_data):
    volumes = [read_nifti(path) for path in files_of(real_data / "nifti" / "orientations")]
    assert len(volumes) == 16
    assert len({content_hash(volume.array, volume.affine) for volume in volumes}) == 1
    assert len({volume.acquisition["orientation"] for volume in volumes}) == 3
