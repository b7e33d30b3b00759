"""Maps, clusters and scores as a BIDS derivative data set, which passes the BIDS validator.

Of the names that BIDS gives to derivatives, a map of z-scores is an image derived from the reference scan
(``desc-anomaly_FLAIR``), and clusters are a mask and a discrete segmentation. There is no ``probseg``: a z-score is not
the probability of a lesion, and nothing here calibrates one for a voxel.
"""

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd

from brain_cae import __version__
from brain_cae.exports import Export
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.tables import to_tsv
from brain_cae.scans.sources.base import agreeing, some
from brain_cae.stages.anomalies import Anomaly, for_each_anomaly

log = logging.getLogger(__name__)

OF = "results"
VERSION = "1.10.0"
LONGEST = 64
"""Letters of a label; longer ones are cut, and get a hash."""
SUFFIXES = {"flair": "FLAIR", "t1": "T1w", "t2": "T2w", "t1ce": "T1w"}
CONTRAST_AGENT = {"t1ce": "_ce-gadolinium"}

Write = Callable[[str, Callable[[Path], Any]], None]
"""Writes a file of the data set: its path in it, and what writes it (see ``RunFolder.write``)."""

README = f"""\
Anomaly maps, clusters and scores of brain_cae {__version__}. For research only: not a medical device.

*_desc-anomaly_T1w.nii.gz, _T2w or _FLAIR: z against healthy brains at the same place, on the grid of this scan, for
every brain that was scored. It is not the scan, and not a probability.
*_desc-anomaly_dseg.nii.gz: numbered clusters of the flagged brains, described in the table beside it.
*_desc-anomaly_mask.nii.gz: the same clusters as one mask. A brain without these two files is not flagged.
participants.tsv: score, p-value and decision for each brain; participants.json explains the columns.
"""

COLUMNS: dict[str, dict[str, Any]] = {
    "original_id": {"Description": "Name of the subject in the evaluation, if its label here is another one."},
    "score": {"Description": "Score of the whole brain; higher is less like healthy brains.", "Units": "arbitrary"},
    "p_value": {"Description": "Conformal p-value: share of healthy calibration brains with at least this score."},
    "rate_bound": {"Description": "Upper bound of the rate of healthy brains with at least this score."},
    "threshold": {"Description": "The brain is flagged above this score.", "Units": "arbitrary"},
    "flagged": {
        "Description": "Whether the score exceeds the threshold; n/a if too few brains calibrate to flag any.",
        "Levels": {"true": "flagged", "false": "not flagged"},
    },
    "out_of_calibration": {
        "Description": "Whether protocol, dimensions or skull state were not among the brains that calibrate.",
        "Levels": {"true": "p-value and decision are doubtful", "false": "calibrated"},
    },
}
CLUSTER_COLUMNS: dict[str, dict[str, Any]] = {
    "volume_ml": {"Description": "Volume.", "Units": "mL"},
    "mass": {"Description": "Sum of what exceeds the voxel threshold, times the volume of a voxel.", "Units": "mL"},
    "peak_z": {"Description": "Largest z of the cluster."},
    "p_value": {"Description": "Share of healthy calibration brains with a cluster of at least this mass."},
    **{f"{axis}_mm": {"Description": f"Centre in the scan, RAS+ {axis}.", "Units": "mm"} for axis in "xyz"},
    **{f"mni_{axis}_mm": {"Description": f"Centre in MNI152, RAS+ {axis}.", "Units": "mm"} for axis in "xyz"},
    "hemisphere": {"Description": "left, right or midline."},
    "tissue": {"Description": "Tissue of the template that it covers most."},
}


@dataclass(frozen=True)
class Brain:
    """One brain of the data set.

    Attributes:
        label: Of the subject, without ``sub-``.
        session: Label of the session, without ``ses-``; may be empty.
        reference: Modality of the scan whose grid the maps have.
        stripped: Whether the map covers the brain only.
    """

    label: str
    session: str
    reference: str
    stripped: bool

    @property
    def stem(self) -> str:
        """Path of its files in the data set, up to the entity ``desc``."""
        session = f"ses-{self.session}" if self.session else ""
        folder = "/".join(filter(None, (f"sub-{self.label}", session, "anat")))
        return f"{folder}/{'_'.join(filter(None, (f'sub-{self.label}', session)))}"

    @property
    def map_name(self) -> str:
        """Path of the map in the data set, without its ending."""
        return f"{self.stem}{CONTRAST_AGENT.get(self.reference, '')}_desc-anomaly_{SUFFIXES[self.reference]}"


def export(work: Export) -> list[Path]:
    """Write maps, clusters and scores of the scored brains to ``export/bids/``.

    A brain whose images cannot be written is named with the reason; its row in ``participants.tsv`` is complete.
    """
    assessment, folder = work.assessment, work.folder
    assert assessment is not None
    cohort, table = assessment.cohort, assessment.table.rename_axis("subject").reset_index()
    names = labels(str(name) for name in table["subject"])
    skull = cohort.skull
    brains = {
        row["subject"]: Brain(
            label=names[row["subject"]],
            session=labels([row["session"]])[row["session"]] if row["session"] else "",
            reference=cohort.reference,
            stripped=skull[row["subject"]] != "on",
        )
        for row in table.to_dict("records")
    }
    lost = for_each_anomaly(assessment, _Writer(brains, folder), executor=work.executor)
    write_description(sorted(set(table["source"])), table, names, _Writer(brains, folder).write)
    if lost:
        shown = some([f"{name} ({reason})" for name, reason in lost.items()])
        log.warning("%s: %s.", agreeing(len(lost), "{subject lacks|subjects lack} images in export/bids"), shown)
    return [folder / "export/bids"]


@dataclass(frozen=True)
class _Writer:
    """Writes the images of one brain, in any process."""

    brains: Mapping[str, Brain]
    folder: RunFolder

    def __call__(self, found: Anomaly) -> None:
        brain = self.brains[found.subject]
        write_map(brain, found.map, self.write)
        if found.numbers is not None:
            write_clusters(brain, found.numbers, found.clusters, self.write)

    def write(self, name: str, writer: Callable[[Path], Any]) -> None:
        self.folder.write(f"export/bids/{name}", writer)


def labels(names: Iterable[str]) -> dict[str, str]:
    """Return the BIDS label of each name: letters and digits, different for each, also where case does not count.

    A label that needs it ends with a short hash of the name.

    Example:
        >>> labels(["p-3f9a", "sub-01", "01"])
        {'p-3f9a': 'p3f9a', 'sub-01': '01938d8a63', '01': '01938db8c9'}
    """
    plain = {name: re.sub("[^0-9A-Za-z]", "", name.removeprefix("sub-")) for name in names}
    digits = {name: 0 if 0 < len(label) <= LONGEST else 8 for name, label in plain.items()}
    while True:
        found = {name: f"{label[:LONGEST]}{_hash(name, digits[name])}" for name, label in plain.items()}
        count = Counter(label.lower() for label in found.values())
        repeated = [name for name, label in found.items() if count[label.lower()] > 1]
        if not repeated:
            return found
        digits |= {name: digits[name] + 8 for name in repeated}


def _hash(name: str, digits: int) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def write_map(brain: Brain, image: nibabel.Nifti1Image, write: Write) -> None:
    """Write the map of z-scores, an image on the grid of the scan."""
    name = brain.map_name
    _write_json(
        f"{name}.json",
        {
            "Description": "Anomaly map: z against healthy brains at the same place, 0 outside. Not a probability.",
            "Units": "z",
            "SkullStripped": brain.stripped,
            "SpatialReference": "orig",
        },
        write,
    )
    _write_image(f"{name}.nii.gz", np.asarray(image.dataobj, np.float32), image, write)


def write_clusters(brain: Brain, numbers: nibabel.Nifti1Image, clusters: pd.DataFrame, write: Write) -> None:
    """Write clusters as mask and as segmentation with a table.

    Args:
        brain: The brain.
        numbers: Number of the cluster of each voxel, from 1, 0 outside.
        clusters: Rows of ``lesions.csv``; ``number`` as in the image.
        write: Writes a file.
    """
    name = f"{brain.stem}_desc-anomaly"
    values = np.asarray(numbers.dataobj)
    about = {
        "Description": "Clusters of voxels above the voxel threshold that were found in a flagged brain.",
        "SpatialReference": "orig",
        "Sources": [f"bids::{brain.map_name}.nii.gz"],
        "Manual": False,
    }
    table = clusters.rename(columns={"lesion": "index"}).assign(name=[f"cluster {n}" for n in clusters["lesion"]])
    _write_json(f"{name}_mask.json", about | {"Type": "ROI"}, write)
    _write_image(f"{name}_mask.nii.gz", (values > 0).astype(np.uint8), numbers, write)
    _write_json(f"{name}_dseg.json", about | CLUSTER_COLUMNS, write)
    _write_table(f"{name}_dseg.tsv", table[["index", "name", *CLUSTER_COLUMNS]], write)
    _write_image(f"{name}_dseg.nii.gz", values.astype(np.uint16), numbers, write)


def write_description(
    sources: Sequence[str], participants: pd.DataFrame, names: Mapping[str, str], write: Write
) -> None:
    """Write ``dataset_description.json``, ``README`` and ``participants.tsv`` with its sidecar.

    Args:
        sources: Names of the data sets that the scans come from.
        participants: Rows of ``predictions.csv``.
        names: Label of each subject.
        write: Writes a file.
    """
    _write_json(
        "dataset_description.json",
        {
            "Name": "Anomaly maps of brain_cae",
            "BIDSVersion": VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "brain_cae", "Version": __version__}],
            # The place of the scans may hold names; which data set it is, is no secret.
            "SourceDatasets": [{"Version": f"dataset={source}"} for source in sources],
        },
        write,
    )
    write("README", lambda path: path.write_text(README, encoding="utf-8"))
    subjects = [str(name) for name in participants["subject"]]
    table = pd.DataFrame({"participant_id": [f"sub-{names[name]}" for name in subjects]})
    if any(names[name] != name.removeprefix("sub-") for name in subjects):
        table["original_id"] = subjects
    for column in COLUMNS:
        if column in participants:
            table[column] = participants[column].to_numpy()
    for column in ("flagged", "out_of_calibration"):
        table[column] = [None if pd.isna(value) else str(bool(value)).lower() for value in table[column]]
    _write_table("participants.tsv", table.sort_values("participant_id"), write)
    _write_json("participants.json", {name: COLUMNS[name] for name in table if name in COLUMNS}, write)


def _write_json(name: str, content: Any, write: Write) -> None:
    write(name, lambda path: path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8"))


def _write_table(name: str, table: pd.DataFrame, write: Write) -> None:
    write(name, lambda path: path.write_text(to_tsv(table), encoding="utf-8", newline=""))


def _write_image(name: str, values: np.ndarray, like: nibabel.Nifti1Image, write: Write) -> None:
    image = nibabel.Nifti1Image(values, like.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(like.affine, code="scanner")
    image.set_qform(like.affine, code="scanner")
    write(name, partial(nibabel.save, image))
