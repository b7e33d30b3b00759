"""Objects that are written are read again with pydicom alone, and compared with the pixels of the source files."""

import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from brain_cae import exports
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.exports import dicom
from brain_cae.exports.dicom import Segment, parametric_map, segmentation
from brain_cae.files.tables import read_csv
from brain_cae.scans import archives
from brain_cae.scans.archives import members
from brain_cae.scans.dicom import read_folder
from brain_cae.scans.identifiers import read_series

from ..scans.synthesise import AXIAL, CORONAL, SAGITTAL, turned, voxels, write_enhanced, write_series
from .conftest import HOSTILE, renamed, work_of

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
    return write_series(folder, marked_stack(), orientation=orientation, **{"change": whose} | options)


def alone(header, number):
    whose(header)
    header.SeriesInstanceUID = f"1.2.3.5.{number}"


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
    "a series UID in every file": lambda folder: classic(folder, AXIAL, change=alone),
    "enhanced": enhanced,
    "in a zip": zipped,
}


def objects(files):
    """Both objects of a scan: the map is 4.5 in the marked cube; a second cluster is in the corner of its slices."""
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
    return {str(one.SOPInstanceUID): one for one in (dcmread(archives.source(path)) for path in files)}


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
        assert {
            item.ReferencedSOPInstanceUID: one.SeriesInstanceUID
            for one in written.ReferencedSeriesSequence
            for item in one.ReferencedInstanceSequence
        } == {uid: source.SeriesInstanceUID for uid, source in sources.items()}
        assert written.FrameOfReferenceUID == "1.2.3.77" and written.StudyInstanceUID == first.StudyInstanceUID
        assert written.PatientID == "0017" and written.PatientName == "Secret^Person"


def test_frames_of_a_real_multi_frame_file_are_its_frames(real_data, tmp_path):
    files = sorted((real_data / "dicom" / "siemens-xa30-enhanced-t1").glob("*.dcm"))
    reading = read_folder(files)
    series = read_series(reading.slices, reading.volume.affine, reading.volume.array.shape)
    written = parametric_map(series, reading.volume.array.astype(np.float32), threshold=3, head=True, model="a")
    sources = sources_by_uid(files)
    for pixels, group, _ in frames_of(written):
        source, position = source_frame(group, sources)
        assert np.array_equal(pixels, source)
        assert np.allclose(group.PlanePositionSequence[0].ImagePositionPatient, position, atol=1e-4)
    assert written.RecognizableVisualFeatures == "YES" and written.NumberOfFrames == reading.volume.array.shape[2]


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


def test_maps_and_clusters_of_a_run_agree_with_its_other_files(work, tiny_run):
    """The scans of the phantom are axial, coronal and sagittal, by protocol."""
    (folder,) = dicom.export(work)
    table = read_csv(folder / "objects.csv", dtype=str, keep_default_na=False).set_index("subject")
    flagged = work.assessment.table["flagged"]
    assert set(table.index) == set(flagged.index) and set(table["reason"]) == {""}
    assert {path.name for path in folder.glob("*.dcm")} == set(table["map"]) | set(table["clusters"]) - {""}
    assert [bool(table.at[name, "clusters"]) for name in flagged.index] == flagged.tolist() and flagged.sum() == 2
    lesions = read_csv(tiny_run / "lesions.csv", dtype={"subject": str}).set_index(["subject", "lesion"])
    for name in table.index:
        image = nibabel.load(tiny_run / "anomaly_maps" / f"{name}_all.nii.gz")
        seen = values_at(dcmread(folder / table.at[name, "map"]))
        there = np.rint(np.linalg.solve(image.affine, [*seen[0].T * [[-1], [-1], [1]], np.ones(len(seen[0]))])[:3])
        assert np.allclose(image.get_fdata()[tuple(there.astype(int))], seen[1], atol=0.011) and seen[1].max() > 1
        if table.at[name, "clusters"]:
            clusters = dcmread(folder / table.at[name, "clusters"])
            assert clusters.PatientID == name
            voxel_ml = np.prod(image.header.get_zooms()) / 1000
            for segment in clusters.SegmentSequence:
                voxels = sum(
                    int(pixels.sum())
                    for pixels, group, shared in frames_of(clusters)
                    if number_of(group, shared) == segment.SegmentNumber
                )
                assert voxels * voxel_ml == pytest.approx(
                    lesions.at[(name, segment.SegmentNumber), "volume_ml"], abs=6e-4
                )


def values_at(dataset):
    """Places (n, 3) in LPS+ mm and values (n,) of all voxels, as PS3.3 C.7.6.2.1.1 says."""
    places, values = [], []
    rows, columns = np.indices((dataset.Rows, dataset.Columns))
    for pixels, group, _ in frames_of(dataset):
        orientation, spacing = orientation_and_spacing(dataset)
        along_row, along_column = np.reshape(orientation, (2, 3)).astype(float)
        start = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        places.append(start + columns[..., None] * spacing[1] * along_row + rows[..., None] * spacing[0] * along_column)
        values.append(pixels)
    return np.reshape(places, (-1, 3)), np.ravel(values)


def number_of(group, shared):
    place = group if "SegmentIdentificationSequence" in group else shared
    return place.SegmentIdentificationSequence[0].ReferencedSegmentNumber


def test_a_scan_that_changed_or_vanished_costs_its_objects_and_names_stay_in_the_folder(
    scored, tiny_run, tmp_path, caplog
):
    names = dict(zip(scored.table.index, HOSTILE, strict=True))
    hostile = renamed(scored, names)
    cohort = hostile.cohort
    locations = [one for one in cohort.locations if one.modality == cohort.reference]
    changed, vanished, kept = (next(one for one in locations if one.subject == name) for name in HOSTILE)
    copies = tuple(Path(shutil.copy(path, tmp_path / path.name)) for path in changed.files)
    header = dcmread(copies[3])
    header.PixelData = bytes(len(header.PixelData))
    header.save_as(copies[3])
    gone = tuple(tmp_path / "gone" / path.name for path in vanished.files)
    locations = [replace(changed, files=copies), replace(vanished, files=gone), kept]
    hostile = replace(hostile, cohort=replace(cohort, locations=locations))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    (folder,) = dicom.export(work_of(hostile, tiny_run, tmp_path / "out"))
    table = read_csv(folder / "objects.csv", keep_default_na=False).set_index("subject")
    assert table["reason"].tolist() == ["changed since the import", "changed since the import", ""]
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(folder) for path in written)
    assert {path.name for path in written} == {"objects.csv", *table.loc["P 1", ["map", "clusters"]]} - {""}
    assert "2 subjects have no DICOM objects" in caplog.text and "Phantom^" not in caplog.text


def test_scans_that_are_not_dicom_are_refused_before_anything_is_scored(scored):
    def as_nifti(location):
        return replace(location, files=(Path("/scans/a.nii.gz"),))

    nifti = replace(scored.cohort, locations=[as_nifti(one) for one in scored.cohort.locations])
    with pytest.raises(DatasetError, match="export=bids"):
        exports.check("dicom", nifti)
    exports.check("dicom", scored.cohort)
    exports.check("bids", nifti)


def test_the_command_that_installs_highdicom_is_named(scored, monkeypatch):
    monkeypatch.setattr(dicom, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'brain-cae\[export\]'"):
        exports.check("dicom", scored.cohort)


def test_a_patient_is_in_the_objects_and_in_no_other_file_and_no_log(work, tmp_path, caplog):
    """The phantom calls its patients `Phantom^<number>`."""
    with caplog.at_level(0):
        dicom.export(work)
    others = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".dcm"]
    assert others and not any(b"Phantom^" in path.read_bytes() for path in others)
    assert "Phantom^" not in caplog.text and "name and number of the patient are in the DICOM objects" in caplog.text
