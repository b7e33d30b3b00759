"""Brain masks for scans that show the skull; scans that came stripped are recognised and left alone."""

import logging
import math
import os
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from nibabel.filebasedimages import ImageFileError

from brain_cae.data import strippers
from brain_cae.data.foreground import VERSION, foreground_mask, measured_state
from brain_cae.data.strippers import DEEPBET, brain_mask
from brain_cae.errors import ScanError
from brain_cae.executor import HERE, Executor, results
from brain_cae.files.atomic import LEFTOVER_AGE_S, remove_leftovers, whole, write_text
from brain_cae.files.locks import exclusive
from brain_cae.progress import counter
from brain_cae.scans.sources.base import counted

log = logging.getLogger(__name__)

KEPT_SHARE = 0.9
"""deepbet keeps 93 to 97 % of a stripped brain, but at most 64 % of a head or of a slab of one."""

AGAIN = (
    "{subject|subjects} came without skull, although dataset.skull says that it is on, and {is|are} not stripped again"
)

STATES = ("stripped", "on")

MIN_SCANS_FOR_PROCESSES = 4
"""deepbet takes about 4 s for a scan, a process about 5 s to start."""


@dataclass(frozen=True)
class Scan:
    """One subject's scan to strip; its skull state may be unknown.

    Attributes:
        subject: Name of the subject.
        path: Its file.
        unknown: Whether its skull state is unknown.
        reference: The reference scan, if this is another one and it is not known to be stripped.
    """

    subject: str
    path: Path
    unknown: bool
    reference: Path | None = None


@dataclass(frozen=True)
class BrainMasks:
    """Masks from one tool (``none``: no tool), one file per stored scan, in a folder that all runs share.

    Attributes:
        folder: Folder of the masks.
        tool: ``none``, ``deepbet``, ``hd_bet`` or ``synthstrip``.
        reference: The modality whose scan is stripped; deepbet strips the T1 of subjects that have one in use.
        executor: Where deepbet runs, each process with one thread and 1.5 GB of memory.
    """

    folder: Path
    tool: str
    reference: str
    executor: Executor = HERE

    def complete(self, index: pd.DataFrame, *, progress: bool) -> tuple[pd.DataFrame, dict[str, str]]:
        """Add a brain mask for every subject that has none and still shows the skull.

        Args:
            index: Rows of the index; not modified.
            progress: Draw a progress bar if the output is a terminal.

        Returns:
            The index with ``brain_mask_path`` filled in in the row of the scan that was stripped, and the subjects
            without a mask with the reason. ``skull`` is ``stripped`` for every subject with a mask, since no later
            stage uses voxels outside it; ``stripped_by`` says by what.

        Raises:
            ConfigurationError: deepbet is needed but not installed.
            DatasetError: A process died; the message names its subjects.
        """
        index, refused, again = index.copy(), dict[str, str](), list[str]()
        _mark(index, index.loc[index["brain_mask_path"] != "", "subject"], "mask")
        rows = self._rows_to_strip(index)
        references = index[(index["modality"] == self.reference) & (index["skull"] != "stripped")]
        paths = references.set_index("subject")["path"].map(Path).to_dict()
        scans = [
            Scan(
                subject=str(row["subject"]),
                path=Path(str(row["path"])),
                unknown=row["skull"] == "unknown",
                reference=None if row["modality"] == self.reference else paths.get(row["subject"]),
            )
            for row in index.loc[rows].to_dict("records")
        ]
        if not scans:
            return index, refused
        remove_leftovers(self.folder, age_s=LEFTOVER_AGE_S)
        # The other tools use several threads, or the only GPU.
        executor = self.executor if self.tool == DEEPBET else HERE
        # Of parallel jobs in a sweep, one strips and the others wait.
        with exclusive(self.folder / ".lock"), counter("strip skulls", len(scans), bar=progress) as advance:
            for number, done in results(
                self._mask_or_error,
                scans,
                executor=executor,
                task="skull stripping",
                name=lambda scan: scan.subject,
                minimum=MIN_SCANS_FOR_PROCESSES,
                threads=1,
            ):
                subject = scans[number].subject
                if isinstance(done, ScanError):
                    refused[subject] = done.reason
                    log.warning("%s is left out: %s", subject, done)
                else:
                    mask, stripper = done
                    index.at[rows[number], "brain_mask_path"] = "" if mask is None else str(mask)
                    _mark(index, [subject], stripper)
                    again += [subject] if stripper == "delivered" and not scans[number].unknown else []
                advance()
        for caution in counted({AGAIN: sorted(again)}):
            log.warning(caution)
        return index, dict(sorted(refused.items()))

    def _strippable(self, index: pd.DataFrame) -> pd.Series:
        """Return which rows may be stripped: those of the reference, and for deepbet also those of T1."""
        return index["modality"].isin([self.reference, "t1"] if self.tool == DEEPBET else [self.reference])

    def _rows_to_strip(self, index: pd.DataFrame) -> list[Any]:
        """Return the label of one row for each subject that is not stripped."""
        if self.tool == "none":
            return []
        candidates = index[self._strippable(index) & (index["skull"] != "stripped")]
        if self.tool == DEEPBET:
            candidates = candidates.sort_values("modality", key=lambda names: names != "t1", kind="stable")
        return sorted(candidates.drop_duplicates("subject").index)

    def _mask_or_error(self, scan: Scan) -> tuple[Path | None, str] | ScanError:
        """Return the file of the mask, None if there is no need for one, and what stripped the scan.

        An error is returned as a value, from any process.
        """
        try:
            if self.tool != DEEPBET:
                return self._mask_of(scan.path), self.tool
            if scan.unknown and scan.reference is not None and self._is_brain(scan.reference):
                return None, "delivered"  # the foreground of the reference is the brain, whatever the T1 shows
            if not (self._came_stripped(scan.path) if scan.unknown else self._is_stripped_again(scan.path)):
                return self._mask_of(scan.path), self.tool
            return None if scan.reference is None else self._foreground_of(scan.path), "delivered"
        except ScanError as error:
            return error

    def _is_stripped_again(self, path: Path) -> bool:
        """Return whether a scan that should show the skull does not: all that it shows is within the mask.

        A second stripping would cut off more of the brain.
        """
        mask, image = (nibabel.as_closest_canonical(nibabel.load(one)) for one in (self._mask_of(path), path))
        values = np.asarray(image.dataobj)
        border = np.concatenate([np.take(values, [0, -1], axis=axis).ravel() for axis in range(3)])
        shown = values != np.median(border)
        return bool((np.asarray(mask.dataobj) > 0)[shown].mean() >= KEPT_SHARE) if shown.any() else False

    def _is_brain(self, path: Path) -> bool:
        """Return whether a scan came stripped; not so where no brain is found in it."""
        try:
            return self._came_stripped(path)
        except ScanError:
            return False

    def _foreground_of(self, path: Path) -> Path:
        """Return the file of a mask: the brain of a T1 that came stripped, for a reference that is a head."""
        target = (self.folder / f"{path.stem}_delivered_{VERSION}.nii.gz").absolute()
        if not _is_whole(target):
            image = nibabel.as_closest_canonical(nibabel.load(path))
            brain = foreground_mask(np.asarray(image.dataobj, np.float32), image.affine)
            with whole(target) as aside:
                nibabel.save(nibabel.Nifti1Image(brain.astype(np.uint8), image.affine), aside)
        return target

    def _mask_of(self, path: Path) -> Path:
        # The file name of a stored scan is a hash of its voxels and affine.
        version = f"_{strippers.VERSION}" if self.tool == DEEPBET else ""
        target = (self.folder / f"{path.stem}_{self.tool}{version}.nii.gz").absolute()
        if not _is_whole(target):
            self.folder.mkdir(parents=True, exist_ok=True)
            mask = brain_mask(self.tool, path, self.folder)
            with whole(target) as aside:
                nibabel.save(mask, aside)
        return target

    def _came_stripped(self, path: Path) -> bool:
        """Return whether a scan of unknown state shows no skull; what was found is stored beside the masks."""
        found = self.folder / f"{path.stem}_skull_{VERSION}.txt"
        if not found.exists() or found.read_text(encoding="utf-8", errors="replace") not in STATES:
            state, foreground = _state(path)
            if state == "unknown":
                brain = nibabel.as_closest_canonical(nibabel.load(self._mask_of(path)))
                kept = (np.asarray(brain.dataobj) > 0)[foreground].mean()
                state = "stripped" if kept >= KEPT_SHARE else "on"
            write_text(found, state)
        return found.read_text(encoding="utf-8") == "stripped"


def _is_whole(mask: Path) -> bool:
    """Return whether a mask is stored with all its voxels; a power cut may leave its file empty or cut."""
    try:
        image: Any = nibabel.load(mask)
        with mask.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            unpacked = int.from_bytes(file.read(4), "little")  # gzip ends with the size, modulo 2**32
    except (FileNotFoundError, ImageFileError, EOFError, ValueError, zlib.error):
        return False
    size = image.dataobj.offset + math.prod(image.shape) * image.get_data_dtype().itemsize
    return unpacked == size % 2**32


def _mark(index: pd.DataFrame, subjects: Collection[str], stripper: str) -> None:
    """Mark subjects as stripped in all their rows, unless they came stripped."""
    rows = index["subject"].isin(list(subjects))
    index.loc[rows & (index["skull"] != "stripped"), "stripped_by"] = stripper
    index.loc[rows, "skull"] = "stripped"


def _state(scan: Path) -> tuple[str, np.ndarray]:
    """Return the skull state as far as the foreground shows it, and the foreground (X, Y, Z) in RAS."""
    image = nibabel.as_closest_canonical(nibabel.load(scan))
    return measured_state(np.asarray(image.dataobj, np.float32), image.affine)
