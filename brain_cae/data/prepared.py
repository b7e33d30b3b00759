"""The cache of prepared subjects: computed once, shared by all runs and all jobs of a sweep."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from brain_cae.data import preprocess
from brain_cae.data.alignments import Alignments
from brain_cae.data.preprocess import prepare_subject
from brain_cae.data.subject import MaskFacts, PreparedSubject, Shown, save_array
from brain_cae.errors import ScanError
from brain_cae.executor import HERE, Executor, refusals
from brain_cae.files.atomic import LEFTOVER_AGE_S, remove, remove_leftovers, whole
from brain_cae.files.locks import exclusive

CHANGED = "changed during preparation"

FACTS = "facts.json"
"""File of all that a prepared subject has besides its arrays."""


@dataclass(frozen=True)
class PreparedStore:
    """Prepared subjects on disk, keyed by the content of scans and masks, the settings, and the version of the code.

    A cache or a data set that was moved or is mounted elsewhere keeps its keys.

    Args:
        folder: Folder of the files, outside any run folder.
        modalities: Contrasts in channel order.
        reference: The contrast whose grid is kept.
        scaling: Statistic that intensities are divided by.
        bias_correction: ``n4`` or ``none``.
        executor: Where subjects are prepared.
    """

    folder: Path
    modalities: list[str]
    reference: str
    scaling: str
    bias_correction: str = "none"
    executor: Executor = HERE

    def key(self, scans: pd.DataFrame, alignments: Alignments | None = None) -> str:
        """Return a hash of everything that a prepared subject depends on."""
        rows = scans.sort_values("modality")
        # The file name of a stored scan is a hash of its voxels, their place, and what its headers say.
        stored = rows[["subject", "modality", "series_hash"]].assign(name=[Path(path).name for path in rows["path"]])
        masks = [
            _digest(Path(path)) if isinstance(path, str) and path else None
            for column in ("brain_mask_path", "lesion_mask_path")
            for path in rows[column]
        ]
        parts = [
            preprocess.VERSION,
            self.modalities,
            self.reference,
            self.scaling,
            self.bias_correction,
            [[str(value) for value in row] for row in stored.to_numpy()],
            masks,
            {modality: one.transform for modality, one in (alignments or {}).items()},
            sorted(set(scans.get("skull", []))),
        ]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]

    def folder_of(self, scans: pd.DataFrame, alignments: Alignments | None = None) -> Path:
        """Return the folder of one prepared subject."""
        return self.folder / self.key(scans, alignments)

    def load_all(
        self, index: pd.DataFrame, alignments: Mapping[str, Alignments], *, progress: bool
    ) -> tuple[dict[str, PreparedSubject], dict[str, str]]:
        """Return all prepared subjects of the index, and the reason for each subject that cannot be prepared.

        Args:
            index: Rows of the index, with one session per subject.
            alignments: By subject; subjects without are taken as their headers say.
            progress: Draw a progress bar if the output is a terminal.
        """
        remove_leftovers(self.folder, age_s=LEFTOVER_AGE_S)
        jobs = [_Job(self, str(name), scans, alignments.get(str(name))) for name, scans in index.groupby("subject")]
        with exclusive(self.folder / ".lock"):  # of parallel jobs in a sweep, one prepares and the others wait
            missing = [job for job in jobs if not _is_whole(job.path)]
            for job in missing:
                remove(job.path)
            known = len(jobs) - len(missing)
            refused = refusals(_run, missing, known=known, executor=self.executor, task="prepare", bar=progress)
        return {job.subject: _read(job.path, job.subject) for job in jobs if job.subject not in refused}, refused


@dataclass(frozen=True)
class _Job:
    """One subject to prepare, in any process."""

    store: PreparedStore
    subject: str
    scans: pd.DataFrame
    alignments: Alignments | None

    @cached_property
    def path(self) -> Path:
        """Folder of the prepared subject."""
        return self.store.folder_of(self.scans, self.alignments)


def _run(job: _Job) -> ScanError | None:
    """Prepare and store one subject; return an error if a mask changes meanwhile."""
    subject = prepare_subject(
        job.scans,
        modalities=job.store.modalities,
        reference=job.store.reference,
        scaling=job.store.scaling,
        bias_correction=job.store.bias_correction,
        alignments=job.alignments,
    )
    if job.store.folder_of(job.scans, job.alignments) != job.path:
        return ScanError(CHANGED, expected="masks that stay as they are", where=f"subject {job.subject}")
    _write(job.path, subject)
    return None


def _is_whole(folder: Path) -> bool:
    """Return whether a subject is stored with all its files: clusters delete old files, and power cuts empty new ones.

    Raises:
        PermissionError: The files belong to somebody else.
    """
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        for name in ("volume", "mask", *(["lesion"] if facts["lesion"] else [])):
            np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)  # compares header and size
    except PermissionError:
        raise
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return False
    return True


def _read(folder: Path, subject: str) -> PreparedSubject:
    """Return a stored subject, whose arrays stay on disk."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    place = facts["to_template"]
    return PreparedSubject(
        subject=subject,
        volume=folder / "volume.npy",
        mask=folder / "mask.npy",
        affine=np.asarray(facts["affine"]),
        lesion=folder / "lesion.npy" if facts["lesion"] else None,
        source_affine=np.asarray(facts["source_affine"]),
        source_shape=tuple(facts["source_shape"]),
        appearance=facts["appearance"],
        fingerprint=np.asarray(facts["fingerprint"], np.float32),
        shown={name: Shown(**shown) for name, shown in facts["shown"].items()},
        to_template=None if place is None else np.asarray(place),
        start=tuple(facts["start"]),
        whole=tuple(facts["whole"]),
        masks=tuple(MaskFacts(**one) for one in facts["masks"]),
    )


def _write(folder: Path, subject: PreparedSubject) -> None:
    lesion = subject.lesion
    facts = {
        "affine": subject.affine.tolist(),
        "lesion": lesion is not None,
        "source_affine": subject.source_affine.tolist(),
        "source_shape": subject.source_shape,
        "appearance": subject.appearance,
        "fingerprint": subject.fingerprint.tolist(),
        "shown": {name: asdict(shown) for name, shown in subject.shown.items()},
        "to_template": None if subject.to_template is None else subject.to_template.tolist(),
        "start": subject.start,
        "whole": subject.native_shape,
        "masks": [asdict(one) for one in subject.masks],
    }
    with whole(folder) as aside:
        aside.mkdir()
        # Half precision: a step of 0.001 at the median is finer than that of a scan stored as integers, and its noise.
        save_array(aside / "volume.npy", subject.volume.astype(np.float16))
        save_array(aside / "mask.npy", subject.mask)
        if lesion is not None:
            save_array(aside / "lesion.npy", lesion)
        (aside / FACTS).write_text(json.dumps(facts), encoding="utf-8")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""  # preparation says that the mask cannot be read
