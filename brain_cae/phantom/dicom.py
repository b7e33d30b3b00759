"""Write a simulated subject as DICOM: MR Image Storage, explicit VR little endian, one file per slice."""

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from brain_cae.phantom.subject import Series, Subject

FOLDERS = {"flair": "FLAIR", "t1": "T1w", "t1ce": "T1wCE", "t2": "T2w"}
_ROOT = "1.2.826.0.1.3680043.8.498."
# Elements that differ between slices; all others are the same in a series and are encoded once.
PER_SLICE = tuple(
    sorted(
        Tag(name) for name in ("SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "SliceLocation", "PixelData")
    )
)
_SEQUENCES = {"SE": "SE", "GRE": "GR", "IR": ["SE", "IR"]}


def write_series(subject: Subject, series: Series, folder: Path, entropy: str) -> None:
    """Write ``Image-<n>.dcm`` for every slice of a series.

    Args:
        subject: The subject of the series.
        series: The pixels and their settings.
        folder: Existing output folder.
        entropy: Text that determines the UIDs, the same for every series of the subject.
    """
    shared = _series_dataset(subject, series, entropy)
    before = {tag: _encoded(shared[start:tag]) for start, tag in pairwise((0x00080000, *PER_SLICE))}
    any_uid = _uid(entropy, series.modality)
    head = _file_head(any_uid)
    slices = series.pixels.shape[0]
    numbers = _numbers(slices, subject.protocol.numbering)
    step = series.grid.affine[:3, 2]
    first = series.grid.affine[:3, 3]
    for position in range(slices):
        number = int(numbers[position])
        uid = _uid(entropy, series.modality, str(position))
        place = first + position * step
        along = float(np.dot(place, step / np.linalg.norm(step)))
        texts = (uid, str(number), "\\".join(_decimal(_lps(place))), _decimal([along])[0])
        pixels = series.pixels[position].astype("<u2").tobytes()
        elements = [_element(tag, text) for tag, text in zip(PER_SLICE, texts, strict=False)]
        elements.append(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, len(pixels)) + pixels)
        content = b"".join(before[tag] + element for tag, element in zip(PER_SLICE, elements, strict=True))
        # UIDs with the same prefix have the same length, so one file header serves all.
        (folder / f"Image-{number}.dcm").write_bytes(head.replace(any_uid.encode(), uid.encode()) + content)


def _element(tag: BaseTag, text: str) -> bytes:
    """Return an element of text; with pydicom, these few would be a quarter of a simulation."""
    vr = dictionary_VR(tag).encode()
    value = text.encode("ascii")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag.group, tag.element, vr, len(value)) + value


def _encoded(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def _file_head(instance: UID) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_ROOT + "1")
    meta.ImplementationVersionName = "BRAIN_CAE"
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    write_file_meta_info(buffer, meta)
    return bytes(128) + b"DICM" + buffer.getvalue()


def _numbers(slices: int, numbering: str) -> np.ndarray:
    numbers = np.arange(1, slices + 1)
    if numbering == "descending":
        return numbers[::-1]
    if numbering == "shuffled":  # interleaved export: odd positions first
        return np.argsort(np.concatenate([numbers[::2], numbers[1::2]])) + 1
    return numbers


def _uid(*entropy: str) -> UID:
    return generate_uid(prefix=_ROOT, entropy_srcs=list(entropy))


def _lps(vector: np.ndarray) -> list[float]:
    return [-float(vector[0]), -float(vector[1]), float(vector[2])]


def _decimal(values: list[float]) -> list[str]:
    # DICOM's decimal strings have at most 16 characters; adding 0.0 turns -0.0 into 0.0.
    return [f"{round(v, 6) + 0.0:.6f}"[:16] for v in values]


def _series_dataset(subject: Subject, series: Series, entropy: str) -> Dataset:
    protocol, settings = subject.protocol, series.settings
    dataset = Dataset()
    dataset.SOPClassUID = MRImageStorage
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.StudyDate = f"{subject.year}{1 + subject.number % 12:02d}{1 + subject.number % 28:02d}"
    dataset.StudyTime = "120000"
    dataset.AccessionNumber = ""
    dataset.Modality = "MR"
    dataset.Manufacturer = protocol.manufacturer
    dataset.ManufacturerModelName = protocol.model
    dataset.SeriesDescription = f"{FOLDERS[series.modality]} {settings.plane}"
    dataset.PatientName = f"Phantom^{subject.identifier}"
    dataset.PatientID = subject.identifier
    dataset.PatientBirthDate = ""
    dataset.PatientSex = subject.sex
    dataset.PatientAge = f"{subject.age:03d}Y"
    dataset.PatientPosition = "HFS"
    dataset.StudyInstanceUID = _uid(entropy, "study")
    dataset.SeriesInstanceUID = _uid(entropy, series.modality)
    dataset.FrameOfReferenceUID = _uid(entropy, "frame")
    dataset.PositionReferenceIndicator = ""
    dataset.StudyID = "1"
    dataset.SeriesNumber = list(FOLDERS).index(series.modality) + 1
    _add_acquisition(dataset, subject, series)
    _add_geometry(dataset, series)
    return dataset


def _add_acquisition(dataset: Dataset, subject: Subject, series: Series) -> None:
    settings = series.settings
    dataset.ScanningSequence = _SEQUENCES[settings.sequence]
    dataset.SequenceVariant = "SP" if settings.sequence == "GRE" else "SK"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = settings.dimensionality
    dataset.RepetitionTime = settings.tr_ms
    dataset.EchoTime = settings.te_ms
    dataset.FlipAngle = settings.flip_angle_deg
    dataset.EchoTrainLength = 1 if settings.sequence == "GRE" else 16
    dataset.MagneticFieldStrength = subject.protocol.field_t
    if settings.ti_ms is not None:
        dataset.InversionTime = settings.ti_ms
    if series.modality == "t1ce":
        dataset.ContrastBolusAgent = "gadolinium chelate"


def _add_geometry(dataset: Dataset, series: Series) -> None:
    settings, affine = series.settings, series.grid.affine
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    dataset.SliceThickness = settings.thickness_mm
    dataset.SpacingBetweenSlices = settings.slice_step_mm
    dataset.PixelSpacing = [settings.pixel_mm, settings.pixel_mm]
    dataset.ImageOrientationPatient = _decimal(_lps(directions[:, 0]) + _lps(directions[:, 1]))
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = series.pixels.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.RescaleSlope, dataset.RescaleIntercept = series.rescale
    dataset.RescaleType = "US"
