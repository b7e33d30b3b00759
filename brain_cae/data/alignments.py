"""The cache of alignments: each pair of scans is registered once, whatever else is configured."""

import json
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd

from brain_cae.data import registration
from brain_cae.data.registration import Alignment, align
from brain_cae.errors import ScanError
from brain_cae.executor import HERE, Executor, refusals
from brain_cae.files.atomic import LEFTOVER_AGE_S, remove_leftovers, write_bytes
from brain_cae.files.locks import exclusive

Alignments = dict[str, Alignment]
"""Alignments of one subject's scans, by modality; the reference has none."""


@dataclass(frozen=True)
class Pair:
    """A scan and the reference scan of the same subject, and the file of their alignment."""

    subject: str
    modality: str
    reference: Path
    scan: Path
    stored: Path


@dataclass(frozen=True)
class AlignmentStore:
    """Alignments on disk, keyed by the content of both scans and the version of the registration.

    Args:
        folder: Folder of the files, outside any run folder.
        reference: Modality whose place is kept.
        executor: Where pairs are registered.
    """

    folder: Path
    reference: str
    executor: Executor = HERE

    def load_all(self, index: pd.DataFrame, *, progress: bool) -> tuple[dict[str, Alignments], dict[str, str]]:
        """Return the alignments by subject, and the reason for each subject whose scans cannot be brought together.

        Args:
            index: One row per scan with subject, modality and path.
            progress: Draw a progress bar if the output is a terminal.
        """
        alignments: dict[str, Alignments] = {str(name): {} for name in index["subject"].unique()}
        pairs = self._pairs(index)
        remove_leftovers(self.folder, age_s=LEFTOVER_AGE_S)
        with exclusive(self.folder / ".lock"):  # of parallel jobs in a sweep, one registers and the others wait
            missing = [pair for pair in pairs if not _is_whole(pair.stored)]
            known = len(pairs) - len(missing)
            refused = refusals(_register, missing, known=known, executor=self.executor, task="align", bar=progress)
        for pair in pairs:
            if pair.subject not in refused:
                alignments[pair.subject][pair.modality] = _read(pair.stored)
        return {name: found for name, found in alignments.items() if name not in refused}, refused

    def _pairs(self, index: pd.DataFrame) -> list[Pair]:
        references = index[index["modality"] == self.reference].set_index("subject")["path"]
        pairs = []
        for row in index[index["modality"] != self.reference].itertuples():
            reference, scan = Path(str(references.loc[str(row.subject)])), Path(str(row.path))
            # The file name of a stored scan is a hash of its voxels and affine.
            name = f"{reference.stem}_{scan.stem}_{registration.VERSION}.json"
            pairs.append(Pair(str(row.subject), str(row.modality), reference, scan, self.folder / name))
        return pairs


def _read(path: Path) -> Alignment:
    return Alignment.from_dict(json.loads(path.read_text(encoding="utf-8")))


def _is_whole(path: Path) -> bool:
    """Return whether an alignment is stored; a power cut may leave its file empty."""
    try:
        _read(path)
    except (FileNotFoundError, ValueError, TypeError):
        return False
    return True


def _register(pair: Pair) -> ScanError | None:
    """Register one pair and store the result; return the error instead of raising it in another process."""
    try:
        alignment = align(_load(pair.reference), _load(pair.scan))
    except ScanError as error:
        return ScanError(
            error.reason,
            expected=error.expected,
            found=error.found,
            where=f"subject {pair.subject}, {pair.modality}, {pair.scan}",
            advice=error.advice,
        )
    write_bytes(pair.stored, json.dumps(alignment.to_dict()).encode())
    return None


def _load(path: Path) -> nibabel.Nifti1Image:
    image = nibabel.load(path)
    return nibabel.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine)  # type: ignore[attr-defined]
