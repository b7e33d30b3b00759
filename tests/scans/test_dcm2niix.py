"""dcm2niix, the standard converter, gives the same voxels and affines."""

import subprocess
from collections import defaultdict
from pathlib import Path

import dcm2niix
import nibabel
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_cae.scans.dicom import read_series
from brain_cae.scans.file import open_dicom
from brain_cae.scans.frames import read_frames
from brain_cae.scans.volume import Volume

from .synthesise import AXIAL, CORONAL, SAGITTAL, turned, voxels, write_enhanced, write_series


def convert(files: list[Path], folder: Path) -> nibabel.Nifti1Image:
    """Return the volume that dcm2niix makes from the files: uncompressed, scaled only by the standard rescale."""
    source, target = folder / "source", folder / "target"
    for path in (source, target):
        path.mkdir(parents=True)
    for number, path in enumerate(files):
        (source / f"{number:04d}").symlink_to(path.absolute())
    # -p n: not Philips' private scaling; -x n: nothing is cropped or turned.
    options = ["-z", "n", "-b", "n", "-p", "n", "-x", "n", "-f", "volume"]
    done = subprocess.run([dcm2niix.bin, *options, "-o", target, source], capture_output=True, text=True)
    made = list(target.glob("*.nii"))
    assert len(made) == 1, done.stdout
    return nibabel.load(made[0])


def assert_same(volume: Volume, peer: nibabel.Nifti1Image) -> None:
    ours = nibabel.as_closest_canonical(nibabel.Nifti1Image(volume.array.astype(np.float32), volume.affine))
    theirs = nibabel.as_closest_canonical(peer)
    assert ours.shape == theirs.shape
    assert np.abs(ours.affine - theirs.affine).max() < 1e-3
    assert np.array_equal(np.asarray(ours.dataobj), theirs.get_fdata(dtype=np.float32))


@settings(max_examples=12)
@given(
    plane=st.sampled_from([AXIAL, CORONAL, SAGITTAL]),
    tilt=st.tuples(*[st.floats(-35, 35)] * 3),
    backwards=st.booleans(),
    kind=st.sampled_from(["int16", "uint16"]),
)
def test_synthesised_series_in_any_plane(tmp_path_factory, plane, tilt, backwards, kind):
    folder = tmp_path_factory.mktemp("series")
    orientation = plane
    for axis, degrees in enumerate(tilt):
        orientation = turned(orientation, degrees, axis)
    stack = voxels((7, 12, 10)).astype(kind)
    files = write_series(
        folder / "dicom", stack, orientation=orientation, distance=-2.5 if backwards else 2.5, origin=(31.5, -42.25, 7)
    )
    assert_same(read_series(files), convert(files, folder))


def test_rescale_and_negative_values(tmp_path):
    def rescale(header, number):
        header.RescaleSlope, header.RescaleIntercept = 2, -1000

    files = write_series(tmp_path / "dicom", voxels((7, 12, 10)), orientation=SAGITTAL, change=rescale)
    assert_same(read_series(files), convert(files, tmp_path))


def test_an_enhanced_file(tmp_path):
    files = [write_enhanced(tmp_path / "one", voxels((7, 12, 10)), order=[6, 5, 4, 3, 2, 1, 0])]
    assert_same(read_series(files), convert(files, tmp_path))


def test_a_real_enhanced_series(real_data, tmp_path):
    files = sorted((real_data / "dicom" / "siemens-xa30-enhanced-t1").iterdir())
    assert_same(read_series(files), convert(files, tmp_path))


def test_a_real_oblique_series_with_jitter_follows_its_positions(real_data, tmp_path):
    """dcm2niix uses the distance of the first two slices, 7.07 mm, for all; the mean, 7.00 mm, fits every slice."""
    files = sorted((real_data / "dicom" / "ge-signa-pd").iterdir())
    volume, peer = read_series(files), nibabel.as_closest_canonical(convert(files, tmp_path))
    ours = nibabel.as_closest_canonical(nibabel.Nifti1Image(volume.array, volume.affine))
    assert np.array_equal(np.asarray(ours.dataobj), np.asarray(peer.dataobj))
    assert np.abs(ours.affine - peer.affine)[:, [0, 1, 3]].max() < 1e-3
    positions = np.array([read_frames(open_dicom(path))[0].position for path in files]) * [-1, -1, 1]
    positions = positions[np.argsort(positions[:, 2])]
    assert placed_off(volume.affine, positions) < 0.1
    # The canonical axes of the peer run the other way in the plane: its first row is our last.
    assert placed_off(peer.affine @ nibabel.affines.from_matvec(np.diag([-1, -1, 1]), [255, 255, 0]), positions) > 1.2


def placed_off(affine, positions) -> float:
    """Return the largest distance in mm between the first pixel of a slice and its position in the header."""
    corners = affine[:3, 3] + np.outer(np.arange(len(positions)), affine[:3, 2])
    return float(np.linalg.norm(corners - positions, axis=1).max())


def test_regular_parts_of_refused_real_series(real_data, tmp_path):
    """Series with gaps or several orientations contain regular stacks, on which both readers must agree."""
    parts = 0
    for name in ("siemens-trio-mixed-folder", "ge-3plane-localizer"):
        series = defaultdict(list)
        for path in sorted((real_data / "dicom" / name).iterdir()):
            if path.suffix in (".md", ".stl"):
                continue
            file = open_dicom(path)
            if "MOSAIC" not in file.elements.texts("ImageType"):
                frame = read_frames(file)[0]
                series[file.series, tuple(np.round(frame.orientation, 3))].append((frame, path))
        for (_, orientation), slices in series.items():
            normal = np.cross(orientation[:3], orientation[3:])
            slices.sort(key=lambda one: float(normal @ one[0].position))
            for run in regular_runs(slices, normal):
                parts += 1
                assert_same(read_series(run), convert(run, tmp_path / str(parts)))
    assert parts == 7


def regular_runs(slices, normal) -> list[list[Path]]:
    along = np.array([float(normal @ frame.position) for frame, _ in slices])
    steps = np.diff(along)
    cuts = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1
    return [[path for _, path in run] for run in np.split(np.array(slices, dtype=object), cuts)]
