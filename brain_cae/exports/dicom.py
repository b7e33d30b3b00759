"""A map and its clusters as DICOM objects of the scan's study: Parametric Map and Segmentation, written by highdicom.

Each frame has the position of the slice that it belongs to, and refers to it (DICOM PS3.3, A.75 and A.51). The objects
carry patient and study of the scan, since a viewer finds them by these: the identifiers are read when an object is made,
and go nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, MRImageStorage, generate_uid
from pydicom.valuerep import DA, TM

from brain_cae import __version__
from brain_cae.errors import ConfigurationError, ScanError
from brain_cae.scans import archives
from brain_cae.scans.assembly import Slice
from brain_cae.scans.silence import silence

INSTALL = "pip install '.[export]'"

# What tells PACS and viewers whose study this is. All other text of the header stays where it is.
PATIENT = ("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex")
STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber")
PLACE = ("SeriesInstanceUID", "SOPClassUID", "SOPInstanceUID", "NumberOfFrames", "SliceThickness")
FRAME = ("FrameOfReferenceUID", "PositionReferenceIndicator")
COMPRESSION = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
READ = (*PATIENT, *STUDY, *PLACE, *FRAME, *COMPRESSION, "SpecificCharacterSet")
# Above the numbers that scanners count up, so that the objects come last in a list of the study's series.
MAP_NUMBER, CLUSTERS_NUMBER = 9801, 9802
UTF8 = "ISO_IR 192"
# Red, orange, yellow, green, blue, purple in CIELab: neighbouring clusters differ.
COLOURS = ((53, 80, 67), (67, 43, 74), (92, -10, 85), (60, -55, 55), (45, 10, -60), (40, 50, -45))


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


@dataclass(frozen=True)
class Segment:
    """What a segment says of a cluster: volume in mL, largest z, p-value of the cluster (None if not known)."""

    volume_ml: float
    peak_z: float
    p_value: float | None

    @property
    def label(self) -> str:
        """Text of at most 64 characters, the limit of DICOM."""
        p_value = "" if self.p_value is None else f", p = {self.p_value:.3f}"
        return f"{self.volume_ml:.1f} mL, peak z = {self.peak_z:.1f}{p_value}"


def require_highdicom() -> None:
    """Check that highdicom is installed; call this before work starts.

    Raises:
        ConfigurationError: It is not installed.
    """
    if find_spec("highdicom") is None:
        raise ConfigurationError(
            "`export=dicom` needs a package that is not installed.",
            expected="highdicom",
            where="export",
            advice=f"Install it: {INSTALL}",
        )


def read_series(slices: Sequence[Slice], affine: np.ndarray, shape: Sequence[int]) -> Series:
    """Read the identifiers of a scan's slices; pixels are not read.

    Args:
        slices: Slices of the volume, in its order.
        affine: (4, 4), RAS+ mm, of the volume (columns, rows, slices).
        shape: (3,), columns, rows and slices.

    Raises:
        ScanError: There is no FrameOfReferenceUID, or more than one study or frame of reference.
        OSError: A file cannot be read.
    """
    files = {path: _read(path) for path in dict.fromkeys(one.path for one in slices)}
    where = str(slices[0].path.parent)
    for name in ("FrameOfReferenceUID", "StudyInstanceUID", "SOPInstanceUID"):
        _check(name, [str(file.get(name, "")) for file in files.values()], where)
    first = files[slices[0].path]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    headers, images = [], {}
    for one in slices:
        file, stand_in = files[one.path], generate_uid()
        several = int(file.get("NumberOfFrames") or 1) > 1
        images[stand_in] = Image(
            series=str(file.get("SeriesInstanceUID", "")),
            sop_class=str(file.get("SOPClassUID") or MRImageStorage),
            instance=str(file.SOPInstanceUID),
            frame=one.frame if several else None,
        )
        header = _whose(first)
        header.SOPClassUID, header.SOPInstanceUID = MRImageStorage, stand_in
        header.SeriesInstanceUID, header.Modality = images[next(iter(images))].series, "MR"
        header.Columns, header.Rows = int(shape[0]), int(shape[1])
        header.ImagePositionPatient = [float(f"{value:.10g}") for value in one.position]
        # The slices of a scan may differ by the rounding of their headers; the objects have one orientation.
        header.ImageOrientationPatient = [float(f"{value:.10g}") for value in slices[0].orientation]
        header.PixelSpacing = [float(f"{spacing[1]:.8g}"), float(f"{spacing[0]:.8g}")]
        header.SpacingBetweenSlices = float(f"{spacing[2]:.8g}")
        header.SliceThickness = file.get("SliceThickness") or header.SpacingBetweenSlices
        headers.append(header)
    return Series(headers, images)


def parametric_map(series: Series, values: np.ndarray, *, threshold: float, head: bool, model: str) -> Dataset:
    """Return a map as a Parametric Map of 32-bit floats.

    Args:
        series: Slices of the scan.
        values: (columns, rows, slices), z against healthy brains, 0 outside of the brain.
        threshold: Voxel threshold, the centre of the window in which viewers show the map at first.
        head: Whether the map covers the head and not only the brain.
        model: Hash of the model, the serial number of the device.
    """
    with silence():
        import highdicom
        from pydicom.sr.codedict import codes

        frames = np.ascontiguousarray(values.T, dtype=np.float32)
        limit = float(threshold) if np.isfinite(threshold) and threshold > 0 else 3.0
        mapping = highdicom.pm.RealWorldValueMapping(
            lut_label="z",
            lut_explanation="z against healthy brains at the same place",
            unit=codes.UCUM.NoUnits,
            value_range=(float(frames.min()), float(frames.max())),
            slope=1.0,
            intercept=0.0,
            quantity_definition=codes.DCM.ZScore,
        )
        dataset = highdicom.pm.ParametricMap(
            series.headers,
            frames,
            **_shared(series, model),
            series_number=MAP_NUMBER,
            series_description="Anomaly map, for research only",
            contains_recognizable_visual_features=head,
            real_world_value_mappings=[mapping],
            voi_lut_transformations=[highdicom.VOILUTTransformation(window_center=limit, window_width=2 * limit)],
            content_label="ANOMALY_MAP",
            content_description="z against healthy brains at the same place",
        )
        return _referring(dataset, series)


def segmentation(series: Series, numbers: np.ndarray, segments: Sequence[Segment], *, model: str) -> Dataset:
    """Return clusters as a binary Segmentation with one segment each.

    Args:
        series: Slices of the scan.
        numbers: (columns, rows, slices), the number of the cluster from 1, 0 outside.
        segments: What is said of the clusters, in the order of their numbers.
        model: Hash of the model, the serial number of the device.
    """
    with silence():
        import highdicom
        from pydicom.sr.codedict import codes

        algorithm = highdicom.AlgorithmIdentificationSequence(
            name="brain_cae", version=__version__, family=codes.DCM.ArtificialIntelligence
        )
        descriptions = [
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=f"Cluster {number}: {segment.label}",
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=codes.SCT.Lesion,
                algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=algorithm,
                tracking_id=f"cluster {number}",
                tracking_uid=generate_uid(),
                anatomic_regions=[codes.SCT.Brain],
                display_color=highdicom.color.CIELabColor(*COLOURS[(number - 1) % len(COLOURS)]),
            )
            for number, segment in enumerate(segments, start=1)
        ]
        dataset = highdicom.seg.Segmentation(
            series.headers,
            np.ascontiguousarray(numbers.T, dtype=np.uint16),
            highdicom.seg.SegmentationTypeValues.BINARY,
            descriptions,
            **_shared(series, model),
            series_number=CLUSTERS_NUMBER,
            series_description="Anomaly clusters, for research only",
            content_label="ANOMALY_CLUSTERS",
            content_description="Clusters of voxels that are unlike healthy brains",
        )
        return _referring(dataset, series)


def _shared(series: Series, model: str) -> dict[str, Any]:
    ascii_only = str(series.headers[0]).isascii()
    return {
        "series_instance_uid": generate_uid(),
        "sop_instance_uid": generate_uid(),
        "instance_number": 1,
        "manufacturer": "brain_cae",
        "manufacturer_model_name": "brain_cae",
        "software_versions": __version__,
        "device_serial_number": model,
        "specific_character_set": None if ascii_only else UTF8,
    }


def _read(path: Any) -> Dataset:
    with silence():
        dataset = dcmread(archives.source(path), stop_before_pixels=True, force=True, specific_tags=list(READ))
        dataset.decode()
    return dataset


def _check(name: str, values: list[str], where: str) -> None:
    if not all(UID(value).is_valid for value in values):
        raise ScanError(f"no {name}", expected="a UID in every file", found="a file without", where=where)
    different = len(set(values))
    if different > 1 and name != "SOPInstanceUID":
        raise ScanError(f"several {name}s", expected="one", found=str(different), where=where)
    if different < len(values) and name == "SOPInstanceUID":
        raise ScanError(f"repeated {name}", expected="one for each file", found=str(different), where=where)


def _whose(first: Dataset) -> Dataset:
    """Return what says whose scan this is; a date or time that is not one is left empty, as DICOM permits."""
    header = Dataset()
    for name in (*PATIENT, *STUDY):
        value = first.get(name)
        if name == "IssuerOfPatientID" and not value:
            continue
        setattr(header, name, "" if value is None or not _is_valid(name, str(value)) else value)
    header.FrameOfReferenceUID = first.FrameOfReferenceUID
    header.PositionReferenceIndicator = first.get("PositionReferenceIndicator") or ""
    for name in COMPRESSION:
        if name in first:
            setattr(header, name, first.get(name))
    return header


def _is_valid(name: str, text: str) -> bool:
    if name == "PatientSex":
        return text in ("M", "F", "O", "")
    kind = DA if name.endswith("Date") else TM if name.endswith("Time") else str
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _referring(dataset: Dataset, series: Series) -> Dataset:
    """Return the object with the files and frames of the scan in place of the UIDs that stood for its slices."""
    dataset.BodyPartExamined = "BRAIN"
    for group in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for item in derivation.SourceImageSequence:
                image = series.images[item.ReferencedSOPInstanceUID]
                item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.instance
                if image.frame is not None:
                    item.ReferencedFrameNumber = image.frame
    instances = {image.instance: image for image in series.images.values()}
    dataset.SourceImageSequence = [_reference(image) for image in instances.values()]
    by_series: dict[str, list[Dataset]] = {}
    for image in instances.values():
        by_series.setdefault(image.series, []).append(_reference(image))
    dataset.ReferencedSeriesSequence = []
    for name, references in by_series.items():
        item = Dataset()
        item.SeriesInstanceUID, item.ReferencedInstanceSequence = name, references
        dataset.ReferencedSeriesSequence.append(item)
    return dataset


def _reference(image: Image) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class, image.instance
    return item
