"""Writes small DICOM series for the tests, independent of the phantom."""

from collections.abc import Callable, Sequence
from pathlib import Path

import gdcm
import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    MRImageStorage,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
PRIVATE = {"PatientName": "Secret^Person", "PatientBirthDate": "19450607", "PatientComments": "confidential remark"}


def voxels(shape: tuple[int, int, int] = (6, 5, 4), seed: int = 0) -> np.ndarray:
    """Return random integers (slices, rows, columns), so that almost all voxels differ."""
    return np.random.default_rng(seed).integers(0, 2000, size=shape).astype(np.int16)


def normal_of(orientation: Sequence[float]) -> np.ndarray:
    """Return the unit normal (3,) of an orientation (6,)."""
    return np.cross(orientation[:3], orientation[3:])


def turned(orientation: Sequence[float], degrees: float, axis: int) -> list[float]:
    """Return an orientation (6,) rotated by an angle about a patient axis."""
    angle = np.radians(degrees)
    u = np.eye(3)[axis]
    cross = np.array([[0, -u[2], u[1]], [u[2], 0, -u[0]], [-u[1], u[0], 0]])
    matrix = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    rows = np.reshape(orientation, (2, 3)) @ matrix.T
    return [float(f"{value:.8f}") for value in rows.ravel()]


def write_series(
    folder: Path,
    stack: np.ndarray | None = None,
    *,
    orientation: Sequence[float] = AXIAL,
    origin: Sequence[float] = (-10.0, -20.0, -30.0),
    spacing: tuple[float, float] = (30.0, 25.0),
    distance: float = 3.0,
    series: str = "1.2.3.1",
    names: Sequence[str] | None = None,
    change: Callable[[FileDataset, int], None] | None = None,
) -> list[Path]:
    """Write a stack (slices, rows, columns) as one file per slice; ``change`` edits each header first."""
    stack = voxels() if stack is None else stack
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, pixels in enumerate(stack):
        header = make_header(series, f"{series}.{number}")
        header.ImagePositionPatient = list(np.asarray(origin) + number * distance * normal_of(orientation))
        header.ImageOrientationPatient = list(orientation)
        header.PixelSpacing = list(spacing)
        header.InstanceNumber = number + 1
        set_pixels(header, pixels)
        if change:
            change(header, number)
        path = folder / (names[number] if names else f"Image-{number + 1}.dcm")
        header.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced(
    path: Path,
    stack: np.ndarray,
    *,
    distance: float = 2.0,
    order: Sequence[int] | None = None,
    change: Callable[[FileDataset], None] | None = None,
) -> Path:
    """Write a stack (slices, rows, columns) as one enhanced multi-frame file, frames in the given order.

    ``change`` edits the header last.
    """
    order = range(len(stack)) if order is None else order
    header = make_header("1.2.3.9", "1.2.3.9.1")
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = EnhancedMRImageStorage
    for name in ("RepetitionTime", "EchoTime", "ScanningSequence", "FlipAngle", "InversionTime"):
        if name in header:
            delattr(header, name)
    set_pixels(header, stack[list(order)])
    header.NumberOfFrames = len(stack)
    header.EchoPulseSequence = "GRADIENT"
    timing, modifier, measures, plane = Dataset(), Dataset(), Dataset(), Dataset()
    timing.RepetitionTime, timing.FlipAngle = 1800.0, 9.0
    modifier.InversionRecovery, modifier.InversionTimes = "YES", [900.0]
    measures.PixelSpacing, measures.SliceThickness = [1.5, 1.0], distance
    plane.ImageOrientationPatient = list(AXIAL)
    shared = Dataset()
    shared.MRTimingAndRelatedParametersSequence = DicomSequence([timing])
    shared.MRModifierSequence = DicomSequence([modifier])
    shared.PixelMeasuresSequence = DicomSequence([measures])
    shared.PlaneOrientationSequence = DicomSequence([plane])
    header.SharedFunctionalGroupsSequence = DicomSequence([shared])
    groups = []
    for number in order:
        position, echo, values, frame = Dataset(), Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0.0, 0.0, number * distance]
        echo.EffectiveEchoTime = 2.41
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 2, -7, "US"
        frame.PlanePositionSequence = DicomSequence([position])
        frame.MREchoSequence = DicomSequence([echo])
        frame.PixelValueTransformationSequence = DicomSequence([values])
        groups.append(frame)
    header.PerFrameFunctionalGroupsSequence = DicomSequence(groups)
    if change:
        change(header)
    header.save_as(path, enforce_file_format=True)
    return path


def make_header(series: str, instance: str) -> FileDataset:
    """Return a header with a full protocol, and with private data that must not be copied from it."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, instance
    header.SeriesInstanceUID, header.StudyInstanceUID, header.Modality = series, "1.2.3", "MR"
    header.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    header.StudyDate, header.SeriesDate = "20190304", "20210101"
    header.PatientAge, header.PatientSex = "045Y", "F"
    header.InstitutionName, header.SeriesDescription = "confidential hospital", "confidential series"
    for name, value in PRIVATE.items():
        setattr(header, name, value)
    header.Manufacturer, header.ManufacturerModelName = "SIEMENS", "Skyra"
    header.MagneticFieldStrength, header.MRAcquisitionType = 3.0, "2D"
    header.ScanningSequence = "SE"
    header.RepetitionTime, header.EchoTime, header.FlipAngle = 5000.0, 90.0, 150.0
    return header


def set_pixels(header: Dataset, pixels: np.ndarray) -> None:
    """Put pixels (rows, columns) or (frames, rows, columns) into a header, signed or unsigned by their type."""
    header.Rows, header.Columns = pixels.shape[-2:]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = pixels.dtype.itemsize * 8
    header.HighBit = header.BitsStored - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    header.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)


def transcode(path: Path, syntax: str) -> Path:
    """Rewrite a file in another transfer syntax, with an encoder independent of the reader under test."""
    header = dcmread(path)
    if syntax == ExplicitVRBigEndian:
        header.PixelData = header.pixel_array.byteswap().tobytes()
        header["PixelData"].VR = "OW"
        header.file_meta.TransferSyntaxUID = syntax
        header.walk(lambda item, element: None)  # parses every element, so that it is written again
        dcmwrite(path, header, implicit_vr=False, little_endian=False, force_encoding=True)
        return path
    if syntax != DeflatedExplicitVRLittleEndian:
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
        change.SetInput(reader.GetImage())
        assert change.Change(), syntax
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(path))
        assert writer.Write()
        # Only the pixels are used: the encoder rewrites the rest of the header.
        header.PixelData = dcmread(path).PixelData
        header["PixelData"].is_undefined_length = True
    header.file_meta.TransferSyntaxUID = syntax
    header.save_as(path, enforce_file_format=True)
    return path


def set_all(**values):
    """Return a change that sets elements of every header."""
    return lambda header, number: [setattr(header, name, value) for name, value in values.items()]


def set_some(number_changed, **values):
    """Return a change that sets elements of one header."""
    return lambda header, number: [
        setattr(header, name, value) for name, value in values.items() if number == number_changed
    ]


def remove(name):
    """Return a change that removes an element from every header."""
    return lambda header, number: delattr(header, name)
