"""A map and its clusters as DICOM objects of the scan's study: Parametric Map and Segmentation, written by highdicom.

Each frame has the position of the slice that it belongs to, and refers to it (DICOM PS3.3, A.75 and A.51). The objects
carry patient and study of the scan, since a viewer finds them by these: the identifiers are read when an object is
made, and go nowhere else.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from brain_cae import __version__
from brain_cae.errors import ConfigurationError, DatasetError, ScanError
from brain_cae.exports import Export
from brain_cae.files.names import file_names
from brain_cae.files.run_folder import RunFolder
from brain_cae.reporting import formatting
from brain_cae.scans.dicom import read_folder
from brain_cae.scans.formats import is_half, is_nifti
from brain_cae.scans.identifiers import Image, Series, read_series
from brain_cae.scans.silence import silence
from brain_cae.scans.sources.base import SeriesLocation, agreeing, some
from brain_cae.scans.volume import content_hash
from brain_cae.stages.anomalies import Anomaly, for_each_anomaly
from brain_cae.stages.cohort import Cohort

log = logging.getLogger(__name__)

OF = "results"
INSTALL = "pip install 'brain-cae[export]'"

# Above the numbers that scanners count up, so that the objects come last in a list of the study's series.
MAP_NUMBER, CLUSTERS_NUMBER = 9801, 9802
UTF8 = "ISO_IR 192"
# Red, orange, yellow, green, blue, purple in CIELab: neighbouring clusters differ.
COLOURS = ((53, 80, 67), (67, 43, 74), (92, -10, 85), (60, -55, 55), (45, 10, -60), (40, 50, -45))


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
        return f"{formatting.volume(self.volume_ml)} mL, peak z = {self.peak_z:.1f}{p_value}"


def export(work: Export) -> list[Path]:
    """Write the map of every brain, the clusters of those that are flagged, and a table of both to ``export/dicom/``.

    A brain whose objects cannot be written is named with the reason, in the table and on the terminal.

    Raises:
        DatasetError: No brain came as DICOM, or none could be written.
    """
    assessment, folder = work.assessment, work.folder
    assert assessment is not None
    cohort = assessment.cohort
    check(cohort)
    log.warning(
        "export=dicom: name and number of the patient are in the DICOM objects, since these belong to the patient's "
        "study. Treat the folder export/dicom as you treat the scans."
    )
    files = file_names(dict.fromkeys(cohort.index["subject"]))
    writer = _Writer(_scans(cohort), files, folder, work.detector.fingerprint())
    lost = for_each_anomaly(assessment, writer, executor=work.executor)
    table = pd.DataFrame(
        [
            [name, *(_existing(folder, path) for path in _paths(files[name])), lost.get(name, "")]
            for name in assessment.table.index
        ],
        columns=["subject", "map", "clusters", "reason"],
    )
    folder.write_csv("export/dicom/objects.csv", table)
    if lost:
        shown = some([f"{name} ({reason})" for name, reason in lost.items()])
        log.warning("%s: %s.", agreeing(len(lost), "{subject has|subjects have} no DICOM objects"), shown)
    if len(lost) == len(assessment.table):
        raise DatasetError(
            "No DICOM object could be written.",
            expected="DICOM scans as they were imported",
            found=some(sorted(set(lost.values()))),
            where="export/dicom/objects.csv",
            advice="export=bids writes maps and clusters as NIfTI, whatever the scans are.",
        )
    return [folder / "export/dicom"]


def check(cohort: Cohort) -> None:
    """Check what can be known before subjects are scored.

    Raises:
        ConfigurationError: highdicom is not installed.
        DatasetError: No scan of the reference modality came as DICOM.
    """
    require_highdicom()
    if not any(_is_dicom(scan.location) for scan in _scans(cohort).values()):
        raise DatasetError(
            "`export=dicom` refers to the files of the scans, and these are not DICOM.",
            expected=f"DICOM files of {cohort.reference}",
            found="NIfTI files",
            where="export",
            advice="Choose export=bids: it writes maps and clusters as NIfTI.",
        )


@dataclass(frozen=True)
class _Scan:
    """Files of a subject's reference scan, and the hash of its content when it was imported."""

    location: SeriesLocation
    series_hash: str


def _scans(cohort: Cohort) -> dict[str, _Scan]:
    rows = cohort.index[cohort.index["modality"] == cohort.reference]
    hashes = {(row["subject"], row["session"]): row["series_hash"] for row in rows.to_dict("records")}
    return {
        one.subject: _Scan(one, hashes[one.subject, one.session])
        for one in cohort.locations
        if one.modality == cohort.reference and (one.subject, one.session) in hashes
    }


def _is_dicom(location: SeriesLocation) -> bool:
    return not all(is_nifti(path) or is_half(path) for path in location.files)


def _paths(file: str) -> tuple[str, str]:
    return f"export/dicom/{file}_map.dcm", f"export/dicom/{file}_clusters.dcm"


def _existing(folder: RunFolder, name: str) -> str:
    return Path(name).name if (folder / name).is_file() else ""


@dataclass(frozen=True)
class _Writer:
    """Writes the objects of one brain, in any process."""

    scans: Mapping[str, _Scan]
    files: Mapping[str, str]
    folder: RunFolder
    model: str

    def __call__(self, found: Anomaly) -> None:
        scan = self.scans[found.subject]
        if not _is_dicom(scan.location):
            raise ScanError("not DICOM")
        with silence():
            reading = read_folder(scan.location.files, scan.location.chosen)
        volume = reading.volume
        if volume is None or content_hash(volume.array, volume.affine) != scan.series_hash:
            raise ScanError("changed since the import")
        if not np.allclose(volume.affine, found.map.affine, atol=1e-2):
            raise ScanError("changed since the import")
        series = read_series(reading.slices, volume.affine, volume.array.shape)
        map_file, cluster_file = _paths(self.files[found.subject])
        values = np.asarray(found.map.dataobj)
        head = scan.location.skull == "on" and scan.location.brain_mask is None
        objects = {map_file: parametric_map(series, values, threshold=found.threshold, head=head, model=self.model)}
        if found.numbers is not None:
            segments = [
                Segment(row["volume_ml"], row["peak_z"], None if pd.isna(row["p_value"]) else row["p_value"])
                for row in found.clusters.to_dict("records")
            ]
            numbers = np.asarray(found.numbers.dataobj).astype(np.uint16)
            objects[cluster_file] = segmentation(series, numbers, segments, model=self.model)
        for name, dataset in objects.items():
            with silence():
                self.folder.write(name, partial(dataset.save_as, enforce_file_format=True))


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


def _referring(dataset: Dataset, series: Series) -> Dataset:
    """Return the object with the files and frames of the scan in place of the UIDs that stood for its slices."""
    dataset.BodyPartExamined = "BRAIN"
    for group in dataset.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for item in derivation.SourceImageSequence:
                image = series.images.get(item.ReferencedSOPInstanceUID)
                if image is None:
                    continue  # frames of several clusters in one slice share their item
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
