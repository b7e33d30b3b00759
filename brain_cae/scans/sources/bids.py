"""BIDS: ``sub-*/[ses-*/]anat/*_T1w|T2w|FLAIR.nii[.gz]`` with JSON sidecars, and ``participants.tsv``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from brain_cae.scans.descriptions import hints_of, names_agent, names_other_part
from brain_cae.scans.formats import is_nifti, nifti_files
from brain_cae.scans.sources.base import (
    Label,
    SeriesLocation,
    Skull,
    can_be_read,
    check_folder,
    check_modalities,
    counted,
    describe,
    is_litter,
    is_visible,
    listing,
    only_file,
    some,
    unused,
)
from brain_cae.scans.sources.choice import CHOICES, apply_choices
from brain_cae.scans.sources.derivatives import SUFFIXES as MASK_SUFFIXES
from brain_cae.scans.sources.derivatives import find_masks, space_of
from brain_cae.scans.sources.matching import alike_subjects, match
from brain_cae.scans.sources.participants import Participant, Participants
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.session_tables import read_session_tables
from brain_cae.scans.sources.sidecar import Sidecars, parse_name, written_in
from brain_cae.vocabulary import MODALITIES, LabelMeaning

SUFFIXES = {"T1w": "t1", "T2w": "t2", "FLAIR": "flair"}
# Modality under which the report lists images with other suffixes (UNIT1, inplaneT2, T2starw).
RESEMBLANCES = ("flair", "t2", "t1")
LAYOUT = "sub-<name>/[ses-<name>/]anat/sub-<name>_…_T1w.nii.gz (T2w, FLAIR; with ce-… in the name T1 with contrast)"
STANDARD = ("README", "CHANGES", "LICENSE", "code", "derivatives", "sourcedata", "stimuli", CHOICES)
TEXT = (".json", ".tsv", ".md", ".txt", ".rst", ".cff", ".bval", ".bvec")
"""Names and endings that belong to a data set in BIDS and hold no scan."""
OTHER_KINDS = {"other", "computed", "angiogram"}
"""What free words in a name may say of an image that is no ordinary scan."""
A_PART = re.compile(r"(?i)hippo|slab|(?<![a-z])(mtl|iac|sella|pituitary|orbits?)(?![a-z])")
"""What scans of a part of the head are called, such as a T2 of high resolution across the hippocampus."""
STRIPPED = re.compile(r"(?i)^(brain|bet)$|skull|strip")
"""What processed copies without skull are called."""
ADVICE = "Set dataset.root to the folder that holds dataset_description.json and the folders sub-*."


@dataclass
class Bids:
    """A data set in the Brain Imaging Data Structure, located by file names and sidecars.

    ``label_column`` is the column with the label, of ``participants.tsv`` or of ``sub-*/sub-*_sessions.tsv``;
    ``healthy`` and ``abnormal`` are its values for each class. ``label`` applies to all other subjects. ``derivatives``
    are folders below the root with brain masks (``desc-brain_mask``) and lesion masks (``label-lesion_mask``,
    ``desc-lesion_mask``), see ``derivatives.py``.
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
        sidecars = Sidecars(root)
        scans, unused = _find(root, sidecars)
        if not any(one.files for one in scans.values()):
            left_out = [pair for one in scans.values() for pairs in one.left_out.values() for pair in pairs]
            others = sorted(f"{path.name} ({reason})" for path, reason in left_out)
            raise wrong_root(
                "bids",
                root,
                problem="The folder contains no anatomical scan in BIDS layout.",
                expected=LAYOUT,
                found=f"images that cannot be used: {some(others + unused)}" if others + unused else describe(root),
                advice=ADVICE,
            )
        subjects = sorted({subject for subject, _ in scans})
        table = Participants(self.label_column, self.healthy, self.abnormal, self.label)
        without = sorted(path.name for path in root.glob("sub-*") if path.is_dir() and path.name not in subjects)
        tables = read_session_tables(root, sorted(scans))
        people = table.read(root / "participants.tsv", subjects, without_scan=without, tables=tables)
        visits = table.at_sessions(people, tables)
        nobody = Participant(label=self.label or "unknown")
        candidates = [
            SeriesLocation(
                subject=subject,
                session=session,
                date=tables.dates.get((subject, session), ""),
                modality=modality,
                files=tuple(sorted(images.files.get(modality, ()), key=_rank)),
                left_out=tuple(images.left_out.get(modality, ())),
                source=self.name,
                skull=self.skull,
                **vars(visits.get((subject, session)) or people.get(subject, nobody)),
            )
            for (subject, session), images in sorted(scans.items())
            for modality in self.modalities
        ]
        chosen = [_choose(one, sidecars) for one in apply_choices(candidates, root)]
        masks, mask_notes = find_masks(root, self.derivatives).assign(_images(scans, chosen), without)
        taken = [path for one in chosen for path in one.files if is_nifti(path)]
        masks_inside = [name for name in unused if parse_name(Path(name)).suffix in MASK_SUFFIXES]
        lists = {
            "{T1w image|T1w images} without ce- in the name {is|are} t1ce by a contrast agent in the sidecar": [
                path.name
                for images in scans.values()
                for path in images.files.get("t1ce", ())
                if not _names_agent(path)
            ],
            "{scan|scans} in use may be after contrast agent by {its name|their names}": [
                path.name for path in taken if _may_be_after_agent(path)
            ],
            "{scan|scans} in use may be of another kind, or of another part of the body, by {its name|their names}": [
                path.name for path in taken if _may_be_another_kind(path)
            ],
            "{subject has|subjects have} no anatomical scan and {is|are} left out": [
                name for name in without if can_be_read(root / name)
            ],
            **alike_subjects(subjects),
            f"{{image|images}} in anat/ {{is|are}} not {', '.join(SUFFIXES)} or similar, and left out": [
                name for name in unused if name not in masks_inside
            ],
            "{mask|masks} in anat/ {is|are} not read; dataset.derivatives=[.] reads masks of lesions and brains": [
                name for name in masks_inside if "." not in self.derivatives
            ],
            **sidecars.findings(),
        }
        self._notes = (
            table.notes
            + counted(lists)
            + _strays(root, [*self.derivatives, *(path.name for path in table.files)])
            + mask_notes
        )
        return [
            replace(
                one,
                brain_mask=masks.get((one.subject, one.session, "brain")),
                lesion_mask=masks.get((one.subject, one.session, "lesion")),
            )
            for one in chosen
        ]

    def notes(self) -> list[str]:
        """Return which subjects, labels and sidecars could not be used."""
        return list(self._notes)


@dataclass
class _Session:
    """The images of one session in ``anat/`` by modality: usable files, and others with the reason."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    left_out: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)


def _find(root: Path, sidecars: Sidecars) -> tuple[dict[tuple[str, str], _Session], list[str]]:
    """Return the scans of each subject and session, and the names of images that resemble no modality.

    Broken links count as scans: for a partly downloaded data set, the report lists those that are not there yet.
    """
    sessions: dict[tuple[str, str], _Session] = {}
    unused = []
    for folder in sorted([*root.glob("sub-*/anat"), *root.glob("sub-*/ses-*/anat")]):
        subject, *session = folder.relative_to(root).parts[:-1]
        entries = sorted(folder.iterdir()) if can_be_read(folder) else []
        for path in (only_file(path) for path in entries if is_nifti(path) and is_visible(path.name)):
            modality, refusal = _judge(path, sidecars, subject, *session)
            if modality is None:
                unused.append(path.name)
                continue
            images = sessions.setdefault((subject, session[0] if session else ""), _Session())
            if refusal:
                images.left_out.setdefault(modality, []).append((path, refusal))
            else:
                images.files.setdefault(modality, []).append(path)
    return sessions, unused


def _images(
    scans: Mapping[tuple[str, str], _Session], chosen: Sequence[SeriesLocation]
) -> dict[tuple[str, str], dict[Path, bool]]:
    """Return the images of each session; False for those that another scan of their modality was taken for."""
    passed = {path for one in chosen for path, _ in one.left_out}
    return {
        place: {path: path not in passed for paths in images.files.values() for path in paths}
        for place, images in sorted(scans.items())
    }


def _strays(root: Path, known: Sequence[str]) -> list[str]:
    """Return notes about everything in the root and in the subjects' folders that is no image in ``anat/``.

    ``known`` are names in the root that are read, or that another note names.
    """
    kinds: set[str] = set()
    beside = [
        path
        for path in root.iterdir()
        if not (path.name.startswith("sub-") and path.is_dir())
        and path.name not in (*STANDARD, *known)
        and not is_litter(path.name)
        and path.suffix not in TEXT
    ]
    inside: list[Path] = []
    for folder in sorted(path for path in root.glob("sub-*") if path.is_dir()):
        found = listing(folder)
        inside += found.others
        for path in found.files:
            place = path.relative_to(folder).parts
            place = place[1:] if place and place[0].startswith("ses-") else place
            if len(place) > 1 and place[0] != "anat" and not path.is_dir():
                kinds.add(place[0])
            elif path.is_dir() or (not (is_nifti(path) and place[0] == "anat") and path.suffix not in TEXT):
                inside.append(path)
    return [
        *counted({"{kind of data besides anat is|kinds of data besides anat are} not read": sorted(kinds)}),
        *counted(
            unused(
                inside,
                root,
                "{file of a subject is not an image|files of subjects are not images} in anat/ and {is|are} left out",
            )
        ),
        *counted(
            unused(
                beside,
                root,
                "{file or folder beside the subjects is|files or folders beside the subjects are} not read",
            )
        ),
    ]


def _judge(path: Path, sidecars: Sidecars, *folders: str) -> tuple[str | None, str]:
    """Return the modality of an image, or the one it resembles, and why it cannot be used (``""`` if it can).

    ``folders`` are those of its subject and session, which its name must not contradict.
    """
    name = parse_name(path)
    modality = next((mark for mark in RESEMBLANCES if mark in name.suffix.lower()), None)
    if name.suffix not in SUFFIXES:
        return modality, f"another suffix: {name.suffix} is none of {', '.join(SUFFIXES)}"
    for key, folder in zip(("sub", "ses"), folders, strict=False):
        written = written_in(path, key, folder) or folder
        if not match([written], [folder]).subjects:
            return modality, f"contradictory name: {written} in {folder}"
    if name.entities.get("part", "mag") != "mag":
        return modality, "phase image"
    if _names_agent(path) or sidecars.has_agent(path):
        # T2 and FLAIR after contrast agent are not among the modalities of this program.
        return ("t1ce", "") if modality == "t1" else (modality, "after contrast agent")
    return modality, ""


def _names_agent(path: Path) -> bool:
    """Return whether the name says that a contrast agent was given: ``ce-gadolinium``, but not ``ce-none``."""
    return names_agent(parse_name(path).entities.get("ce", ""))


def _may_be_after_agent(path: Path) -> bool:
    """Return whether the name may say so: ``acq-post``, ``rec-T1wPostGd``."""
    return not _names_agent(path) and "ce" in hints_of(_words(path))


def _may_be_another_kind(path: Path) -> bool:
    """Return whether the name may say that it is a localiser, a map or the like, or of another part of the body."""
    words = _words(path)
    return not OTHER_KINDS.isdisjoint(hints_of(words)) or names_other_part(words) or bool(A_PART.search(words))


def _words(path: Path) -> str:
    """Return what a name says in free words: ``acq-post3D`` as ``post3 D``."""
    entities = parse_name(path).entities
    return re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", " ".join(entities.get(key, "") for key in ("acq", "rec", "desc")))


def _is_stripped(path: Path) -> bool:
    """Return whether the name says that the skull was removed: ``desc-brain``, ``rec-skullstripped``."""
    entities = parse_name(path).entities
    return any(STRIPPED.search(entities.get(key, "")) for key in ("desc", "rec"))


def _rank(path: Path) -> tuple[bool, bool, bool, bool, int, int, str]:
    """Return the sort key, which :func:`_reason` puts into words; subject, session, run and ce are not counted."""
    entities = parse_name(path).entities
    run = int(text) if (text := entities.get("run", "0")).isdecimal() else 0
    return (
        _may_be_after_agent(path),
        _may_be_another_kind(path),
        _is_stripped(path),
        bool(space_of(path)),
        len(set(entities) - {"sub", "ses", "run", "ce"}),
        run,
        path.name,
    )


def _reason(taken: Path, other: Path) -> str:
    reasons = (
        "the other may be after contrast agent",
        "the other may be of another kind by its name",
        "the other is without skull by its name",
        "the other is in another space by its name",
        "its name has fewer entities",
        "it has the lower run",
        "its name comes first",
    )
    return next(reason for reason, a, b in zip(reasons, _rank(taken), _rank(other), strict=True) if a != b)


def _choose(one: SeriesLocation, sidecars: Sidecars) -> SeriesLocation:
    """Return the location with one of its candidates, which are sorted by rank; the others go to the report.

    Of a scan in several chunks none is taken by itself: each covers a part of the head, or something else.
    """
    chunks = [path for path in one.files if "chunk" in parse_name(path).entities]
    if not one.files:
        return one
    if one.chosen is None and len(chunks) > 1 and one.files[0] in chunks:
        left_out = tuple((path, "several candidates: chunks of one scan") for path in one.files)
        return replace(one, files=(), left_out=left_out + one.left_out)
    taken = next(path for path in one.files if one.chosen is None or path.is_relative_to(one.chosen))
    others = tuple(
        (path, f"another scan was taken: {'it was chosen' if one.chosen else _reason(taken, path)}")
        for path in one.files
        if path != taken
    )
    return replace(
        one,
        files=nifti_files(taken),
        left_out=others + one.left_out,
        acquisition=sidecars.acquisition(taken),
        # The image shows it; of a brain, stripping a second time would cut off more.
        skull="unknown" if one.skull == "on" and _is_stripped(taken) else one.skull,
    )
