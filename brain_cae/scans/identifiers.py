"""Identifiers of a scan's slices, for objects that refer to them: read when one is made, and kept nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage, generate_uid
from pydicom.valuerep import DA, TM

from brain_cae.errors import ScanError
from brain_cae.scans.assembly import Slice
from brain_cae.scans.elements import decimals
from brain_cae.scans.file import DicomFile, open_dicom
from brain_cae.scans.silence import silence

# What tells PACS and viewers whose study this is. All other text of the header stays where it is.
PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber")
COMPRESSION = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
# These must be there, and may be empty.
EMPTY = (*PATIENT[:2], *PATIENT[3:], *STUDY[1:])
VALUES = {"PatientSex": ("M", "F", "O"), "LossyImageCompression": ("00", "01")}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True)
class Series:
    """The slices of a scan, as the objects need them.

    Attributes:
        headers: One for each slice, in the order of the volume: patient, study, position. Its SOPInstanceUID stands for
            the slice, since slices of a multi-frame file share one.
        images: The slice that a SOPInstanceUID of ``headers`` stands for.
    """

    headers: list[Dataset]
    images: Mapping[str, "Image"]


@dataclass(frozen=True)
class Image:
    """A slice as others refer to it; ``frame`` is None in a file of one."""

    series: str
    sop_class: str
    instance: str
    frame: int | None


def read_series(slices: Sequence[Slice], affine: np.ndarray, shape: Sequence[int]) -> Series:
    """Read the identifiers of a scan's slices; pixels are not read.

    Args:
        slices: Slices of the volume, in its order.
        affine: (4, 4), RAS+ mm, of the volume (columns, rows, slices).
        shape: (3,), columns, rows and slices.

    Raises:
        ScanError: no frame of reference, no study, more than one of them, or no SOPInstanceUID of each file.
        OSError: A file cannot be read.
    """
    files = {path: open_dicom(path, pixels=False) for path in dict.fromkeys(one.path for one in slices)}
    with silence():
        uids = {path: {name: _text(file.header, name) for name in UIDS} for path, file in files.items()}
    where = str(slices[0].path.parent)
    for name, what in (("FrameOfReferenceUID", "frame of reference"), ("StudyInstanceUID", "study")):
        _check_one(what, [known[name] for known in uids.values()], where)
    instances = [known["SOPInstanceUID"] for known in uids.values()]
    if len(set(instances)) < len(instances) or not all(UID(name).is_valid for name in instances):
        raise ScanError("no SOPInstanceUID of each file", where=where)
    first = slices[0]
    shared = _whose(files[first.path])
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    shared.Columns, shared.Rows = int(shape[0]), int(shape[1])
    # The slices of a scan may differ by the rounding of their headers; the objects have one orientation.
    shared.ImageOrientationPatient = [_decimal(value) for value in first.orientation]
    shared.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    shared.SpacingBetweenSlices = _decimal(spacing[2])
    shared.SliceThickness = _decimal(_thickness(files[first.path]) or spacing[2])
    shared.SOPClassUID, shared.Modality = MRImageStorage, "MR"
    shared.SeriesInstanceUID = uids[first.path]["SeriesInstanceUID"]
    shared.FrameOfReferenceUID, shared.PositionReferenceIndicator = uids[first.path]["FrameOfReferenceUID"], ""
    headers, images = [], {}
    for one in slices:
        header, known = Dataset(), uids[one.path]
        header.update(shared)
        header.SOPInstanceUID = generate_uid()
        header.ImagePositionPatient = [_decimal(value) for value in one.position]
        headers.append(header)
        images[str(header.SOPInstanceUID)] = Image(
            series=known["SeriesInstanceUID"],
            sop_class=files[one.path].sop_class,
            instance=known["SOPInstanceUID"],
            frame=one.frame if files[one.path].elements.whole("NumberOfFrames", 1) > 1 else None,
        )
    return Series(headers, images)


def _check_one(what: str, uids: list[str], where: str) -> None:
    if not all(UID(uid).is_valid for uid in uids):
        raise ScanError(f"no {what}", expected="its UID in every file", found="a file without", where=where)
    if len(set(uids)) > 1:
        raise ScanError(f"more than one {what}", expected="one", found=str(len(set(uids))), where=where)


def _whose(file: DicomFile) -> Dataset:
    """Return what says whose scan this is; what is malformed is left empty, as DICOM permits."""
    header = Dataset()
    with silence():
        for name in (*PATIENT, *STUDY, *COMPRESSION):
            text = _text(file.header, name)
            if text or name in EMPTY:
                setattr(header, name, text)
    return header


def _text(header: Dataset, name: str) -> str:
    try:
        value = str(header.get(name) or "")
        if name in VALUES and value not in VALUES[name]:
            return ""
        {"DA": DA, "TM": TM}.get(dictionary_VR(name), str)(value)
    except Exception:  # whatever pydicom objects to in a malformed value
        return ""
    return value


def _thickness(file: DicomFile) -> float:
    with silence():
        numbers = decimals(_text(file.header, "SliceThickness").encode())
    return numbers[0] if len(numbers) == 1 and numbers[0] > 0 else 0.0


def _decimal(value: float) -> float:
    """Return a number with as many digits as a decimal string of DICOM holds."""
    return float(f"{value:.10g}")
