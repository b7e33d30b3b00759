"""One's own data: ``<subject>/<modality>.nii[.gz]`` or DICOM anywhere below ``<subject>/<modality>/``."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import (
    MODALITIES,
    SeriesLocation,
    check_folder,
    check_modalities,
    describe,
    visible_files,
)
from brain_cae.scans.sources.choice import apply_choices

LABELS = ("healthy", "abnormal", "unknown")
LAYOUT = "<subject>/<modality>.nii.gz, <subject>/<modality>.nii or <subject>/<modality>/<DICOM files>"


@dataclass
class Folder:
    """A folder of subjects; ``labels.csv`` (subject,label) and ``masks/<subject>.nii.gz`` (lesions) are optional.

    So is ``series.csv`` (see ``choice.py``), for folders that hold several series.

    The modality is the file's or folder's name: t1, t2, flair or t1ce. ``locate`` raises DatasetError when there is
    no such thing, when a modality is there twice, or when a label is none of healthy, abnormal, unknown.
    """

    root: Path | str
    modalities: Sequence[str] = MODALITIES
    name: str = field(default="folder", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.root = Path(self.root)
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """List the series of every subject folder that holds at least one known modality."""
        root = Path(self.root)
        advice = "Set dataset.root to the folder that holds one folder per subject."
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=advice)
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        found = {path.name: self._files(path) for path in folders if path.name != "masks"}
        subjects = {subject: files for subject, files in found.items() if any(files.values())}
        if not subjects:
            raise DatasetError(
                "The folder holds no scan.", expected=LAYOUT, found=describe(root), where=str(root), advice=advice
            )
        labels = self._labels(root / "labels.csv")
        self._notes = _compare(sorted(set(found) - set(subjects)), list(subjects), labels)
        locations = []
        for subject, series in subjects.items():
            mask = root / "masks" / f"{subject}.nii.gz"
            for modality, files in series.items():
                locations.append(
                    SeriesLocation(
                        subject=subject,
                        modality=modality,
                        files=files,
                        label=labels.get(subject, "unknown"),
                        source=self.name,
                        lesion_mask=mask if mask.is_file() else None,
                    )
                )
        return apply_choices(locations, root)

    def notes(self) -> list[str]:
        """Say which folders and labels were left out."""
        return list(self._notes)

    def _files(self, subject: Path) -> dict[str, tuple[Path, ...]]:
        files: dict[str, tuple[Path, ...]] = {}
        for modality in self.modalities:
            volumes = [subject / f"{modality}{suffix}" for suffix in (".nii.gz", ".nii")]
            candidates: list[tuple[Path, ...]] = [(path,) for path in volumes if path.is_file()]
            candidates += [series] if (series := visible_files(subject / modality)) else []
            if len(candidates) > 1:
                raise DatasetError(
                    "A modality is there twice.",
                    expected=f"one of {LAYOUT}",
                    found=", ".join(str(series[0].relative_to(subject)) for series in candidates),
                    where=str(subject),
                    advice="Keep one of them.",
                )
            files[modality] = candidates[0] if candidates else ()
        return files

    def _labels(self, path: Path) -> dict[str, str]:
        if not path.is_file():
            return {}
        expected = f"the columns subject,label, each subject once, labels {', '.join(LABELS)}"
        labels: dict[str, str] = {}
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream)
            if not {"subject", "label"} <= set(table.fieldnames or ()):
                found = f"columns {','.join(table.fieldnames or ())}"
                raise DatasetError("The labels cannot be read.", expected=expected, found=found, where=str(path))
            for row in table:
                subject, label = (row["subject"] or "").strip(), (row["label"] or "").strip().lower()
                if not subject or label not in LABELS or subject in labels:
                    where = f"{path}, line {table.line_num}"
                    found = f"subject {subject!r}, label {label!r}" + (" again" if subject in labels else "")
                    raise DatasetError("The labels cannot be read.", expected=expected, found=found, where=where)
                labels[subject] = label
        return labels


def _compare(empty: list[str], subjects: list[str], labels: dict[str, str]) -> list[str]:
    unlabelled = sorted(set(subjects) - set(labels)) if labels else []
    lists = {
        "folders hold no known modality and are left out": empty,
        "labelled subjects have no scans and are left out": sorted(set(labels) - set(subjects)),
        "subjects have no label and count as unknown": unlabelled,
    }
    return [f"{len(names)} {text}: {', '.join(names[:5])}." for text, names in lists.items() if names]
