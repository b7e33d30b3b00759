"""Writes small trees of DICOM as archives and viewers export them, with names that must never leave them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.scans.synthesise import make_header, set_pixels

CANARIES = {
    "PatientName": "Canary^Wilhelmina",
    "PatientID": "CANARY-4711-{patient}",
    "PatientBirthDate": "19470611",
    "InstitutionName": "Canarian University Hospital",
    "ReferringPhysicianName": "Finch^Gustav",
    "StudyDescription": "headache since canary season",
    "SeriesDescription": "canary {name} series",
    "AccessionNumber": "ACC8812345",
    "PatientAddress": "Aviary Lane 12",
    "PatientComments": "sings at night",
}
# One exam as three vendors acquire it: TR, TE, TI (ms), flip angle, ScanningSequence, 2D or 3D, slices.
EXAM: dict[str, dict[str, Any]] = {
    "localizer": {
        "times": (8.6, 4.0, None, 20),
        "codes": "GR",
        "kind": "2D",
        "slices": 3,
        "type": ["ORIGINAL", "PRIMARY", "LOCALIZER"],
    },
    "t1": {"times": (2300.0, 2.98, 900.0, 9), "codes": ["GR", "IR"], "kind": "3D", "slices": 12},
    "t2": {"times": (5000.0, 93.0, None, 150), "codes": "SE", "kind": "2D", "slices": 11},
    "flair": {"times": (9000.0, 81.0, 2500.0, 150), "codes": ["SE", "IR"], "kind": "2D", "slices": 11},
    "t1ce": {
        "times": (2300.0, 2.98, 900.0, 9),
        "codes": ["GR", "IR"],
        "kind": "3D",
        "slices": 12,
        "ContrastBolusAgent": "Gadovist",
    },
    "swi": {"times": (28.0, 20.0, None, 15), "codes": "GR", "kind": "3D", "slices": 11},
}
PHYSICS = ("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle")


def write_exam(
    root: Path,
    patient: str = "1",
    *,
    date: str = "20190304",
    study: str | None = None,
    exam: dict[str, dict[str, Any]] | None = None,
    place: Callable[[str, int, int], str] | None = None,
    change: Callable[[Any, str], None] | None = None,
    size: int = 16,
) -> dict[str, list[Path]]:
    """Write one study of one patient; return the files of each series by its name in ``EXAM``.

    Args:
        root: Folder of the tree.
        patient: Number of the patient.
        date: Date of the study.
        study: End of the UID of the study.
        exam: Series, in the form of ``EXAM``.
        place: Returns the path of a file below the root from name of the series, its number and that of the slice.
        change: Edits each header.
        size: Rows and columns.
    """
    study = study or date
    written: dict[str, list[Path]] = {}
    for number, (name, facts) in enumerate((exam or EXAM).items(), start=1):
        seed = abs(hash((patient, study, name))) % 2**32
        stack = np.random.default_rng(seed).integers(1, 900, (facts["slices"], size, size)).astype(np.int16)
        for position, pixels in enumerate(stack):
            uid = f"1.2.9.{patient}.{study}.{number}"
            header = make_header(uid, f"{uid}.{position + 1}")
            header.StudyInstanceUID, header.StudyDate = f"1.2.9.{patient}.{study}", date
            for key, value in CANARIES.items():
                setattr(header, key, value.format(patient=patient, name=name))
            header.SeriesNumber, header.InstanceNumber = 100 * number + 1, position + 1
            header.ImageType = facts.get("type", ["ORIGINAL", "PRIMARY", "M", "ND"])
            header.ScanningSequence, header.MRAcquisitionType = facts["codes"], facts["kind"]
            for key, value in zip(PHYSICS, facts["times"], strict=True):
                if value is None:
                    header.pop(key, None)
                else:
                    setattr(header, key, value)
            if "ContrastBolusAgent" in facts:
                header.ContrastBolusAgent = facts["ContrastBolusAgent"]
            header.ImagePositionPatient = [-80.0, -90.0, 12.0 * position]
            header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            header.PixelSpacing, header.SliceThickness = [10.0, 10.0], 12.0
            set_pixels(header, pixels)
            if change:
                change(header, name)
            path = root / (place or nested(patient, date))(name, number, position)
            path.parent.mkdir(parents=True, exist_ok=True)
            header.save_as(path, enforce_file_format=True)
            written.setdefault(name, []).append(path)
    return written


def nested(patient: str, date: str) -> Callable[[str, int, int], str]:
    """Return places as an archive exports them: folders with the name of the patient, the date and the description."""
    return lambda name, number, position: (
        f"CANARY^WILHELMINA {patient}/Headache {date}/canary {name} series - {number}01/IM{position:06d}"
    )


def flat(patient: str) -> Callable[[str, int, int], str]:
    """Return places in one folder, with names that say nothing."""
    return lambda name, number, position: f"IM{int(patient):02d}{number:02d}{position:04d}"
