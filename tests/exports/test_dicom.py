"""Objects that are written are read again with pydicom alone, and compared with the pixels of the source files."""

import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from brain_cae.exports.dicom import Segment, parametric_map, segmentation
from brain_cae.scans.archives import members
from brain_cae.scans.dicom import read_folder
from brain_cae.scans.identifiers import read_series
from tests.scans.synthesise import AXIAL, CORONAL, SAGITTAL, remove, turned, voxels, write_enhanced, write_series

MARKED = 3000
SHAPE = (9, 8, 7)


def whose(header, number=0):
    header.FrameOfReferenceUID, header.PatientID = "1.2.3.77", "0017"
    header.StudyDate, header.StudyTime, header.StudyID, header.AccessionNumber = "20190304", "", "1", ""


def marked_stack():
    """Pixels (slices, rows, columns) with a marked cube that no axis maps onto itself when it is flipped or swapped."""
    stack = voxels(SHAPE)
    stack[2:5, 1:3, 4:6] = MARKED
    return stack


def classic(folder, orientation, **options):
    return write_series(folder, marked_stack(), orientation=orientation, change=whose, **options)


def enhanced(folder):
    path = write_enhanced(folder / "a.dcm", marked_stack(), order=[3, 1, 0, 2, 4, 5, 8, 7, 6])
    header = dcmread(path)
    whose(header)
    header.save_as(path)
    return [path]


def zipped(folder):
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for path in classic(folder / "in", AXIAL):
            archive.write(path, f"DICOM/{path.name}")
    return [path for path, _ in members(folder / "export.zip")[0]]


SOURCES = {
    "axial": lambda folder: classic(folder, AXIAL, names=[f"{9 - n}" for n in range(9)]),
    "sagittal": lambda folder: classic(folder, SAGITTAL, spacing=(2.0, 1.5)),
    "coronal, tilted": lambda folder: classic(folder, turned(CORONAL, 17, 0), spacing=(2.0, 1.5)),
    "oblique": lambda folder: classic(folder, turned(turned(AXIAL, 40, 0), 25, 2)),
    "enhanced": enhanced,
    "in a zip": zipped,
}


def objects(files):
    """Both objects of a scan: the map is 4.5 in the marked cube; there is a second cluster in the corner of its slices."""
    reading = read_folder(files)
    volume = reading.volume
    series = read_series(reading.slices, volume.affine, volume.array.shape)
    cube = volume.array == volume.array.max()  # the reader has applied slope and intercept
    numbers = cube.astype(int)
    numbers[0, 0, np.flatnonzero(cube.any(axis=(0, 1)))] = 2
    values = np.where(cube, np.float32(4.5), 0)
    segments = [Segment(12.3, 7.1, 0.02), Segment(1.0, 5.0, None)]
    found = parametric_map(series, values, threshold=3.2, head=False, model="ab" * 16)
    return found, segmentation(series, numbers, segments, model="ab" * 16)


def reread(dataset, path):
    dataset.save_as(path, enforce_file_format=True)
    return dcmread(path)


def frames_of(dataset):
    """Yield pixels, functional groups and shared groups of each frame."""
    pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    return [(p, group, shared) for p, group in zip(pixels, dataset.PerFrameFunctionalGroupsSequence, strict=True)]


def sources_by_uid(files):
    read = [dcmread(path) if path.is_file() else dcmread(zipfile.ZipFile(path.parents[1]).open(f"DICOM/{path.name}")) for path in files]
    return {str(one.SOPInstanceUID): one for one in read}


def source_frame(group, sources):
    """Pixels and position of the frame that a frame refers to."""
    (item,) = group.DerivationImageSequence[0].SourceImageSequence
    source = sources[item.ReferencedSOPInstanceUID]
    assert item.ReferencedSOPClassUID == source.SOPClassUID
    if "NumberOfFrames" not in source:
        assert "ReferencedFrameNumber" not in item
        return source.pixel_array, source.ImagePositionPatient
    place = source.PerFrameFunctionalGroupsSequence[item.ReferencedFrameNumber - 1]
    return source.pixel_array[item.ReferencedFrameNumber - 1], place.PlanePositionSequence[0].ImagePositionPatient


def orientation_and_spacing(header):
    if "SharedFunctionalGroupsSequence" in header:
        shared = header.SharedFunctionalGroupsSequence[0]
        return shared.PlaneOrientationSequence[0].ImageOrientationPatient, shared.PixelMeasuresSequence[0].PixelSpacing
    return header.ImageOrientationPatient, header.PixelSpacing


@pytest.mark.parametrize("name", SOURCES)
def test_each_frame_lies_on_the_slice_that_it_refers_to(tmp_path, name):
    files = SOURCES[name](tmp_path)
    sources = sources_by_uid(files)
    anomaly_map, clusters = (reread(one, tmp_path / f"{n}.out") for n, one in enumerate(objects(files)))
    seen = []
    for pixels, group, _ in frames_of(anomaly_map):
        source, position = source_frame(group, sources)
        assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, position, atol=1e-6)
        assert np.array_equal(pixels, np.where(source == MARKED, np.float32(4.5), 0))
        seen.append(tuple(position))
    assert len(set(seen)) == SHAPE[0], "every slice has its frame"
    marked = 0
    for pixels, group, _ in frames_of(clusters):
        source, position = source_frame(group, sources)
        assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, position, atol=1e-6)
        if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1:
            assert np.array_equal(pixels == 1, source == MARKED)
            marked += int(pixels.sum())
        else:
            assert pixels.sum() == pixels.flat[0] == 1
    assert marked == 12, "the whole cube"
    for written in (anomaly_map, clusters):
        first = next(iter(sources.values()))
        here, there = orientation_and_spacing(written), orientation_and_spacing(first)
        assert np.allclose(here[0], there[0], atol=1e-6) and np.allclose(here[1], there[1], atol=1e-6)
        referenced = written.ReferencedSeriesSequence[0]
        assert referenced.SeriesInstanceUID == first.SeriesInstanceUID
        assert {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence} == set(sources)
        assert written.FrameOfReferenceUID == "1.2.3.77" and written.StudyInstanceUID == first.StudyInstanceUID
        assert written.PatientID == "0017" and written.PatientName == "Secret^Person"


def test_segments_and_values_say_what_they_are(tmp_path):
    anomaly_map, clusters = objects(classic(tmp_path, AXIAL))
    first, second = clusters.SegmentSequence
    assert first.SegmentLabel == "Cluster 1: 12.3 mL, peak z = 7.1, p = 0.020"
    assert second.SegmentLabel == "Cluster 2: 1.0 mL, peak z = 5.0"
    assert first.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Lesion"
    assert first.AnatomicRegionSequence[0].CodeMeaning == "Brain"
    assert first.SegmentAlgorithmType == "AUTOMATIC" and clusters.SegmentationType == "BINARY"
    mapping = anomaly_map.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeMeaning == "Z-score"
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    assert anomaly_map.ContentQualification == "RESEARCH" and "FloatPixelData" in anomaly_map


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="no command dciodvfy (Debian package dicom3tools)")
@pytest.mark.parametrize("name", SOURCES)
def test_dciodvfy_finds_no_error(tmp_path, name):
    for dataset in objects(SOURCES[name](tmp_path)):
        dataset.save_as(tmp_path / "object.out", enforce_file_format=True)
        done = subprocess.run(["dciodvfy", str(tmp_path / "object.out")], capture_output=True, text=True, check=False)
        errors = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert errors == []


def test_nothing_else_of_the_header_is_copied(tmp_path):
    for number, dataset in enumerate(objects(classic(tmp_path, AXIAL))):
        path = tmp_path / f"{number}.out"
        dataset.save_as(path, enforce_file_format=True)
        content = path.read_bytes()
        assert b"Secret^Person" in content and b"19450607" in content, "patient and study must match"
        assert b"confidential" not in content and b"Skyra" not in content and b"SIEMENS" not in content
