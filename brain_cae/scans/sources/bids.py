"""BIDS: ``sub-*/[ses-*/]anat/*_T1w|T2w|FLAIR.nii[.gz]`` with JSON sidecars, and ``participants.tsv``."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from brain_cae.scans.nifti import is_nifti, nifti_files
from brain_cae.scans.sources.base import (
    Label,
    SeriesLocation,
    Skull,
    check_folder,
    check_modalities,
    counted,
    describe,
    some,
)
from brain_cae.scans.sources.choice import apply_choices
from brain_cae.scans.sources.derivatives import find_masks
from brain_cae.scans.sources.participants import Participant, Participants
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.sidecar import Sidecars, parse_name
from brain_cae.vocabulary import MODALITIES, LabelMeaning

SUFFIXES = {"T1w": "t1", "T2w": "t2", "FLAIR": "flair"}
# Modality under which the report lists images with other suffixes (UNIT1, inplaneT2, T2starw).
RESEMBLANCES = ("flair", "t2", "t1")
LAYOUT = "sub-<name>/[ses-<name>/]anat/sub-<name>_…_T1w.nii.gz (T2w, FLAIR; with ce-… in the name T1 with contrast)"
ADVICE = "Set dataset.root to the folder that holds dataset_description.json and the folders sub-*."


@dataclass
class Bids:
    """A data set in the Brain Imaging Data Structure, located by file names and sidecars.

    ``label_column`` is the column of ``participants.tsv`` with the label; ``healthy`` and ``abnormal`` are its values
    for each class. ``label`` applies to all other subjects. ``derivatives`` are folders below the root with brain masks
    (``desc-brain_mask``) and lesion masks (``label-lesion_mask``, ``desc-lesion_mask``), see ``derivatives.py``.
    Of several scans of one modality in one session, one is taken, see :func:`_rank`; ``series.csv`` beside the subjects
    can select another. ``locate`` raises DatasetError for a wrong folder, and the errors of ``participants.py``.
    """

    layout: ClassVar[str] = LAYOUT
    meaning: ClassVar[LabelMeaning] = LabelMeaning()

    root: str
    modalities: Sequence[str] = MODALITIES
    label_column: str | None = None
    healthy: list[str] = field(default_factory=list)
    abnormal: list[str] = field(default_factory=list)
    label: Label | None = None
    skull: Skull = "on"
    derivatives: list[str] = field(default_factory=list)
    name: str = field(default="bids", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """Return the scans of every subject and session, with the skipped ones."""
        root = Path(self.root)
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=ADVICE)
        scans, unused = _find(root)
        if not any(one.files for one in scans.values()):
            others = sorted(path.name for one in scans.values() for pairs in one.left_out.values() for path, _ in pairs)
            raise wrong_root(
                "bids",
                root,
                problem="The folder contains no anatomical scan in BIDS layout.",
                expected=LAYOUT,
                found=f"images of another kind: {some(others + unused)}" if others + unused else describe(root),
                advice=ADVICE,
            )
        subjects = sorted({subject for subject, _ in scans})
        table = Participants(self.label_column, self.healthy, self.abnormal, self.label)
        without = sorted(path.name for path in root.glob("sub-*") if path.is_dir() and path.name not in subjects)
        people = table.read(root / "participants.tsv", subjects, without_scan=without)
        masks = find_masks(root, self.derivatives).matched([*subjects, *without])
        candidates = [
            SeriesLocation(
                subject=subject,
                session=session,
                modality=modality,
                files=tuple(sorted(images.files.get(modality, ()), key=_rank)),
                left_out=tuple(images.left_out.get(modality, ())),
                source=self.name,
                brain_mask=masks.of(subject, session, "brain"),
                lesion_mask=masks.of(subject, session, "lesion"),
                skull=self.skull,
                **vars(people.get(subject, Participant(label=self.label or "unknown"))),
            )
            for (subject, session), images in sorted(scans.items())
            for modality in self.modalities
        ]
        sidecars = Sidecars(root)
        chosen = [_choose(one, sidecars) for one in apply_choices(candidates, root)]
        lists = {
            "subjects have no anatomical scan and are left out": without,
            f"images in anat/ are not {', '.join(SUFFIXES)} or similar and are left out": unused,
            "sidecars cannot be read and are ignored": sorted(sidecars.broken),
            "sidecars give times in milliseconds, not in seconds; they are read as such": sorted(
                sidecars.in_milliseconds
            ),
            "sidecars give times that no single unit explains; they are treated as unknown": sorted(
                sidecars.implausible
            ),
            "values in sidecars are not numbers and are treated as unknown": sorted(sidecars.malformed),
        }
        self._notes = table.notes + counted(lists) + masks.notes(sorted(scans))
        return chosen

    def notes(self) -> list[str]:
        """Return which subjects, labels and sidecars could not be used."""
        return list(self._notes)


@dataclass
class _Session:
    """The images of one session in ``anat/`` by modality: usable files, and others with the reason."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    left_out: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)


def _find(root: Path) -> tuple[dict[tuple[str, str], _Session], list[str]]:
    """Return the scans of each subject and session, and the names of images that resemble no modality.

    Broken links count as scans: for a partly downloaded data set, the report lists those that are not there yet.
    """
    sessions: dict[tuple[str, str], _Session] = {}
    unused = []
    for folder in sorted([*root.glob("sub-*/anat"), *root.glob("sub-*/ses-*/anat")]):
        subject, *session = folder.relative_to(root).parts[:-1]
        for path in filter(is_nifti, sorted(folder.iterdir())):
            modality, refusal = _judge(path)
            if modality is None:
                unused.append(path.name)
                continue
            images = sessions.setdefault((subject, session[0] if session else ""), _Session())
            if refusal:
                images.left_out.setdefault(modality, []).append((path, refusal))
            else:
                images.files.setdefault(modality, []).append(path)
    return sessions, unused


def _judge(path: Path) -> tuple[str | None, str]:
    """Return the modality of an image, or the one it resembles, and why it cannot be used (``""`` if it can)."""
    name = parse_name(path)
    modality = next((mark for mark in RESEMBLANCES if mark in name.suffix.lower()), None)
    if name.suffix not in SUFFIXES:
        return modality, f"another suffix: {name.suffix} is none of {', '.join(SUFFIXES)}"
    if name.entities.get("part", "mag") != "mag":
        return modality, "phase image"
    if "ce" in name.entities:
        # T2 and FLAIR after contrast agent are not among the modalities of this program.
        return ("t1ce", "") if modality == "t1" else (modality, "after contrast agent")
    return modality, ""


def _rank(path: Path) -> tuple[int, int, str]:
    """Return the sort key: number of entities besides subject, session, run and contrast agent, run, name."""
    entities = parse_name(path).entities
    run = entities.get("run", "0")
    return len(set(entities) - {"sub", "ses", "run", "ce"}), int(run) if run.isdecimal() else 0, path.name


def _reason(taken: Path, other: Path) -> str:
    reasons = ("its name has fewer entities", "it has the lower run", "its name comes first")
    return next(reason for reason, a, b in zip(reasons, _rank(taken), _rank(other), strict=True) if a != b)


def _choose(one: SeriesLocation, sidecars: Sidecars) -> SeriesLocation:
    """Return the location with one of its candidates, which are sorted by rank; the others go to the report."""
    if not one.files:
        return one
    taken = next(path for path in one.files if one.chosen is None or path.is_relative_to(one.chosen))
    others = tuple(
        (path, f"another scan was taken: {'it was chosen' if one.chosen else _reason(taken, path)}")
        for path in one.files
        if path != taken
    )
    return replace(
        one, files=nifti_files(taken), left_out=others + one.left_out, acquisition=sidecars.acquisition(taken)
    )
