"""The cache of prepared subjects: computed once, shared by all runs and all jobs of a sweep."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_cae.data import preprocess
from brain_cae.data.brain_masks import BrainMasks
from brain_cae.data.preprocess import PreparedSubject, prepare_subject
from brain_cae.errors import ScanError
from brain_cae.files.atomic import whole
from brain_cae.files.locks import exclusive
from brain_cae.progress import track

log = logging.getLogger(__name__)


class PreparedStore:
    """Prepared subjects on disk, keyed by the content of the scans, the settings, and the version of the code.

    Args:
        folder: Folder of the files, outside any run folder.
        modalities: Contrasts in channel order.
        reference: The contrast whose grid is kept.
        scaling: Statistic that intensities are divided by.
        masks: Source of the brain masks that the data set lacks.
    """

    def __init__(self, folder: Path, *, modalities: list[str], reference: str, scaling: str, masks: BrainMasks) -> None:
        self.folder = folder
        self.modalities = list(modalities)
        self.reference = reference
        self.scaling = scaling
        self.masks = masks

    def key(self, scans: pd.DataFrame) -> str:
        """Return a hash of everything that a prepared subject depends on."""
        rows = scans.sort_values("modality")
        masks = [
            _stamp(Path(path)) if isinstance(path, str) and path else None
            for column in ("brain_mask_path", "lesion_mask_path")
            for path in rows[column]
        ]
        parts = [
            preprocess.VERSION,
            self.modalities,
            self.reference,
            self.scaling,
            [[str(value) for value in row] for row in rows[["subject", "modality", "series_hash", "path"]].to_numpy()],
            masks,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]

    def load(self, scans: pd.DataFrame) -> PreparedSubject:
        """Return one prepared subject; compute and store it if it is not in the cache yet.

        Raises:
            ScanError: See :func:`brain_cae.data.preprocess.prepare_subject`.
        """
        path = self.folder / f"{self.key(scans)}.npz"
        if not path.exists():
            with exclusive(self.folder / ".lock"):
                self._make(path, scans)
        with np.load(path, allow_pickle=False) as stored:
            return PreparedSubject(
                subject=str(scans["subject"].iloc[0]),
                volume=stored["volume"],
                mask=stored["mask"],
                affine=stored["affine"],
                lesion=stored["lesion"] if "lesion" in stored else None,
                source_affine=stored["source_affine"],
                source_shape=tuple(int(size) for size in stored["source_shape"]),  # type: ignore[arg-type]
                appearance=dict(
                    zip(stored["appearance_names"].tolist(), stored["appearance"].tolist(), strict=True),
                ),
                fingerprint=stored["fingerprint"],
            )

    def load_all(self, index: pd.DataFrame, *, progress: bool) -> tuple[dict[str, PreparedSubject], dict[str, str]]:
        """Return all prepared subjects of the index, and the reason for each subject that cannot be prepared."""
        groups: list[tuple[Any, pd.DataFrame]] = list(index.groupby("subject", sort=True))
        prepared: dict[str, PreparedSubject] = {}
        refused: dict[str, str] = {}
        for subject, scans in track(groups, "prepare", bar=progress):
            try:
                prepared[str(subject)] = self.load(scans)
            except ScanError as error:
                refused[str(subject)] = error.reason
                log.warning("%s is left out: %s", subject, error)
        return prepared, refused

    def _make(self, path: Path, scans: pd.DataFrame) -> None:
        """Prepare and store one subject, unless another job of a sweep has done so in the meantime."""
        if not path.exists():
            settings: dict[str, Any] = {"reference": self.reference, "scaling": self.scaling}
            self._write(path, prepare_subject(scans, modalities=self.modalities, **settings))

    def _write(self, path: Path, subject: PreparedSubject) -> None:
        arrays = {
            "volume": subject.volume,
            "mask": subject.mask,
            "affine": subject.affine,
            "source_affine": subject.source_affine,
            "source_shape": np.asarray(subject.source_shape),
            "appearance_names": np.asarray(list(subject.appearance), dtype=str),
            "appearance": np.asarray(list(subject.appearance.values()), dtype=float),
            "fingerprint": subject.fingerprint,
        }
        if subject.lesion is not None:
            arrays["lesion"] = subject.lesion
        with whole(path) as aside:
            np.savez(aside, **arrays)  # type: ignore[arg-type]


def _stamp(path: Path) -> list[str | int]:
    status = path.stat()
    return [str(path), status.st_mtime_ns, status.st_size]
