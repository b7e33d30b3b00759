"""Brain and lesion masks in the derivatives of a BIDS data set, and the scans that they belong to."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.formats import is_nifti
from brain_cae.scans.sources.base import UNREADABLE, counted, describe, is_broken, some, visible_files
from brain_cae.scans.sources.matching import match, require_unique
from brain_cae.scans.sources.sidecar import parse_name, written_in

# Masks in a template space match only scans in that space, whatever their affine says.
NATIVE_SPACES = ("", "orig", "native", "individual", "T1w", "T2w", "FLAIR")
LESIONS = ("lesion", "tumor", "tumour", "l")
SUFFIXES = ("mask", "roi", "dseg", "probseg", "seg")
"""Of masks; segmentations count where ``label`` or ``desc`` names a lesion."""
NAMES = "desc-brain_mask, label-lesion_mask or desc-lesion_mask"
SCAN = ("acq", "ce", "rec", "run", "echo", "inv", "part", "chunk")
"""Entities that tell the scans of a session apart; others of a mask say how it was made."""
# Pipelines write many of these beside the masks that are used: they are named where a scan has no mask.
ROUTINE = "in another space, of a task or outside anat/"
BROKEN = "a broken link; get the file"

Place = tuple[str, str]
"""Subject and session (``""`` for scans, or a mask, without one)."""


@dataclass(frozen=True)
class Mask:
    """A mask, what it names, the number of its folder in ``dataset.derivatives``, and why it cannot be used."""

    path: Path
    kind: str
    subject: str
    session: str
    number: int
    reason: str

    @property
    def entities(self) -> dict[str, str]:
        """The entities of the scan that it names, besides subject and session."""
        return _of_scan(self.path)

    def fits(self, image: Path) -> bool:
        """Return whether this may be a mask of an image: it names no other one, and lies in its space."""
        return self.entities.items() <= _of_scan(image).items() and self.space in ("", space_of(image))

    @property
    def space(self) -> str:
        """The template in whose space it lies; ``""`` for that of the scan."""
        return space_of(self.path)


@dataclass
class Masks:
    """What the folders of derivatives hold.

    Attributes:
        found: The masks, in the order of the folders.
        others: Images that are called masks, but neither of the brain nor of a lesion.
        empty: Folders without a mask, each with what is there.
        unreadable: Folders that cannot be listed.
    """

    found: list[Mask] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def assign(
        self, scans: Mapping[Place, Mapping[Path, bool]], without_scan: Iterable[str] = ()
    ) -> tuple[dict[tuple[str, str, str], Path], list[str]]:
        """Return the masks by subject, session and kind (``brain``, ``lesion``), and notes on all that is not used.

        A mask of the session goes before one of the subject, then one that names more entities of the scan, then one of
        an earlier folder. Of several that are left none is used, unless they differ in space alone.

        Args:
            scans: The images of each session; False for those that another scan of their modality was taken for.
            without_scan: Other subjects of the data set.

        Raises:
            DatasetError: The masks could belong to several subjects.
        """
        named = sorted({one.subject for one in self.found})
        matches = match(named, [*dict.fromkeys(subject for subject, _ in scans), *without_scan])
        require_unique(matches, what="masks", place=Path("dataset.derivatives"))
        subjects = {name: matches.subjects.get(name, name) for name in named}
        reasons: dict[Path, str] = {}
        fitting: dict[tuple[str, str, str], list[Mask]] = {}
        for one in self.found:
            places = _places(one, subjects[one.subject], scans)
            fits = [place for place in places if _names_one_in_use(one, scans[place])]
            other = "of another scan than the one in use" if places else "of a subject or session without scans"
            other = ROUTINE if one.space and not fits else other
            reasons[one.path] = one.reason or ("" if fits else other)
            for place in fits if not one.reason else ():
                fitting.setdefault((*place, one.kind), []).append(one)
        used: dict[tuple[str, str, str], Path] = {}
        for key, masks in fitting.items():
            spaces = {space_of(image) for image, usable in scans[key[:2]].items() if usable}
            best, *others = _best(masks, spaces)
            if others:
                reasons |= {one.path: "several for one scan" for one in (best, *others)}
            else:
                used[key] = best.path
        lacking = _lacking(scans, {(subjects[one.subject], one.kind) for one in self.found}, used)
        without = {(subject, kind) for kind, places in lacking.items() for subject, _ in places}
        lists: dict[str, list[str]] = {}
        for one in self.found:
            reason, person = reasons[one.path], (subjects[one.subject], one.kind)
            if one.path not in used.values() and reason and (reason != ROUTINE or person in without):
                text = f"{{mask of derivatives is|masks of derivatives are}} not used ({reason})"
                lists.setdefault(text, []).append(one.path.name)
        lists |= {
            f"{{subject or session has|subjects or sessions have}} no {kind} mask": [
                " ".join(place).rstrip() for place in places
            ]
            for kind, places in lacking.items()
        }
        return used, counted(lists) + self._notes()

    def _notes(self) -> list[str]:
        lists = {
            f"{{mask of derivatives is|masks of derivatives are}} not used (not called {NAMES})": self.others,
            f"{{folder of derivatives holds|folders of derivatives hold}} no mask called {NAMES}": self.empty,
            UNREADABLE: self.unreadable,
        }
        return counted(lists)


def find_masks(root: Path, names: Sequence[str]) -> Masks:
    """Return the masks in folders below the root or its ``derivatives``.

    Raises:
        DatasetError: one of the folders does not exist.
    """
    masks = Masks()
    for number, name in enumerate(names):
        folder = next((path for path in (root / name, root / "derivatives" / name) if path.is_dir()), None)
        if folder is None:
            raise DatasetError(
                "A folder of derivatives does not exist.",
                expected=f"{name} in the root or in derivatives/",
                found=describe(root / "derivatives"),
                where="dataset.derivatives",
            )
        before, images = len(masks.found) + len(masks.unreadable), []
        for path in visible_files(folder):
            if path.is_dir():
                masks.unreadable.append(f"{name}/{path.relative_to(folder).as_posix()}")
            elif is_nifti(path):
                images.append(path.name)
                _add(masks, path, folder, number)
        if len(masks.found) + len(masks.unreadable) == before:
            masks.empty.append(f"{name} ({some(images, 3)})")
    return masks


def _add(masks: Masks, path: Path, folder: Path, number: int) -> None:
    name, kind = parse_name(path), _kind(path)
    parts = path.relative_to(folder).parts[:-1]
    around = [next((part for part in parts if part.startswith(start)), "") for start in ("sub-", "ses-")]
    named = [written_in(path, key, place) for key, place in zip(("sub", "ses"), around, strict=True)]
    subject, session = (ours or theirs for ours, theirs in zip(named, around, strict=True))
    if kind is None or not subject:
        if kind or name.suffix in ("mask", "roi"):
            masks.others.append(path.name)
        return
    contradictions = (
        f"contradictory name: {ours} in {theirs}"
        for ours, theirs in zip(named, around, strict=True)
        if ours and theirs and not match([ours], [theirs]).subjects
    )
    reason = next(contradictions, "")
    anatomical = path.parent.name == "anat" and "task" not in name.entities
    if not anatomical:
        reason = ROUTINE
    elif is_broken(path):
        reason = BROKEN
    masks.found.append(Mask(path, kind, subject, session, number, reason))


def _places(mask: Mask, subject: str, scans: Iterable[Place]) -> list[Place]:
    """Return the sessions of the subject that a mask is of; all of them if it names none."""
    sessions = [session for name, session in scans if name == subject]
    if mask.session:
        sessions = [*match([mask.session], sessions).subjects.values()]
    return [(subject, session) for session in sessions]


def _lacking(
    scans: Iterable[Place], there: set[tuple[str, str]], used: Mapping[tuple[str, str, str], Path]
) -> dict[str, list[Place]]:
    """Return the sessions without a mask, by kind, where one is expected.

    If there are brain masks at all, every scan should have one. A lesion mask is expected only for subjects with any,
    usable or not (``there``: subject and kind).
    """
    brains = any(kind == "brain" for _, kind in there)
    return {
        kind: [
            place for place in scans if (*place, kind) not in used and ((place[0], kind) in there or (every and brains))
        ]
        for kind, every in (("brain", True), ("lesion", False))
    }


def _names_one_in_use(mask: Mask, images: Mapping[Path, bool]) -> bool:
    """Return whether one of the images that a mask may be of is in use, or at least not replaced by another."""
    return any(usable for image, usable in images.items() if mask.fits(image))


def _best(masks: Sequence[Mask], spaces: Collection[str]) -> list[Mask]:
    """Return the mask that is used, or several that nothing tells apart; ``spaces`` are those of the scans in use."""

    def rank(one: Mask) -> tuple[bool, bool, int, int]:
        return one.space not in spaces, not one.session, -len(one.entities), one.number

    first = min(map(rank, masks))
    alike: dict[frozenset[tuple[str, str]], Mask] = {}
    for one in masks:
        if rank(one) == first:
            entities = parse_name(one.path).entities
            alike.setdefault(frozenset((key, value) for key, value in entities.items() if key != "space"), one)
    return [*alike.values()]


def space_of(path: Path) -> str:
    """Return the template in whose space an image lies by its name; ``""`` for a space of the scanner."""
    space = parse_name(path).entities.get("space", "")
    return "" if space in NATIVE_SPACES else space


def _of_scan(path: Path) -> dict[str, str]:
    """Return the entities in which the scans of a session differ; ``run-01`` is ``run-1``."""
    return {key: value.lstrip("0") for key, value in parse_name(path).entities.items() if key in SCAN}


def _kind(path: Path) -> str | None:
    name = parse_name(path)
    label, description = (name.entities.get(key, "").lower() for key in ("label", "desc"))
    if name.suffix.partition("-")[0].lower() in LESIONS[:-1]:
        return "lesion"  # lesion-manual
    if name.suffix not in SUFFIXES:
        return None
    if description == "brain" and name.suffix == "mask":
        return "brain"
    lesions = LESIONS if name.suffix in ("mask", "roi") else LESIONS[:-1]  # elsewhere, L is the left side
    return "lesion" if label in lesions or description in lesions else None
