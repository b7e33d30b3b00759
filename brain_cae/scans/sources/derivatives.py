"""Brain and lesion masks in the derivatives of a BIDS data set."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.nifti import is_nifti
from brain_cae.scans.sources.base import counted, describe, visible_files
from brain_cae.scans.sources.matching import match, require_unique
from brain_cae.scans.sources.sidecar import parse_name

# Masks in a template space do not match the scan, whatever their affine says.
NATIVE_SPACES = ("", "orig", "native", "individual", "T1w", "T2w", "FLAIR")
LESIONS = ("lesion", "tumor", "tumour", "l")


@dataclass
class Masks:
    """Masks by subject, session (``""`` if the name has none) and kind (``brain``, ``lesion``).

    ``unfit`` holds subject and kind of masks that do not match an anatomical scan: those in another space, and those of
    functional or diffusion images, which pipelines name like anatomical masks.
    """

    fit: dict[tuple[str, str, str], Path] = field(default_factory=dict)
    unfit: set[tuple[str, str]] = field(default_factory=set)

    def of(self, subject: str, session: str, kind: str) -> Path | None:
        """Return the mask of a session, else the mask that the subject has for all sessions, else None."""
        return self.fit.get((subject, session, kind)) or self.fit.get((subject, "", kind))

    def matched(self, subjects: Iterable[str]) -> "Masks":
        """Return the masks with the subjects of the data set, whose names derivatives may write in another way.

        Raises:
            DatasetError: The masks could belong to several subjects.
        """
        named = {subject for subject, _, _ in self.fit} | {subject for subject, _ in self.unfit}
        matches = match(sorted(named), subjects)
        require_unique(matches, what="masks", place=Path("dataset.derivatives"))
        names = matches.subjects
        return Masks(
            {(names.get(subject, subject), session, kind): path for (subject, session, kind), path in self.fit.items()},
            {(names.get(subject, subject), kind) for subject, kind in self.unfit},
        )

    def notes(self, scans: Iterable[tuple[str, str]]) -> list[str]:
        """Return which subjects and sessions have no mask.

        If there are brain masks at all, every scan should have one. A lesion mask is expected only for subjects with
        any lesion mask, usable or not.
        """
        there = {(subject, kind) for subject, _, kind in self.fit} | self.unfit
        brains = any(kind == "brain" for _, kind in there)
        text = "subjects or sessions have no {} mask (masks in other spaces, of tasks or outside anat/ are not used)"
        lacking: dict[str, list[str]] = {text.format("brain"): [], text.format("lesion"): []}
        for subject, session in scans:
            for kind, expected in (("brain", brains), ("lesion", (subject, "lesion") in there)):
                if expected and self.of(subject, session, kind) is None:
                    lacking[text.format(kind)].append(f"{subject} {session}".rstrip())
        return counted(lacking)


def find_masks(root: Path, names: Sequence[str]) -> Masks:
    """Return the masks in folders below the root or its ``derivatives``; of several of one kind the first by path.

    Raises:
        DatasetError: one of the folders does not exist.
    """
    masks = Masks()
    for name in names:
        folder = next((path for path in (root / name, root / "derivatives" / name) if path.is_dir()), None)
        if folder is None:
            raise DatasetError(
                "A folder of derivatives does not exist.",
                expected=f"{name} in the root or in derivatives/",
                found=describe(root / "derivatives"),
                where="dataset.derivatives",
            )
        for path in visible_files(folder):
            entities, kind = parse_name(path).entities, _kind(path)
            if kind is None or "sub" not in entities:
                continue
            subject = f"sub-{entities['sub']}"
            anatomical = path.parent.name == "anat" and "task" not in entities
            if anatomical and entities.get("space", "") in NATIVE_SPACES:
                session = f"ses-{entities['ses']}" if "ses" in entities else ""
                masks.fit.setdefault((subject, session, kind), path)
            else:
                masks.unfit.add((subject, kind))
    return masks


def _kind(path: Path) -> str | None:
    name = parse_name(path)
    label, description = (name.entities.get(key, "").lower() for key in ("label", "desc"))
    if not is_nifti(path) or name.suffix not in ("mask", "roi"):
        return None
    if description == "brain" and name.suffix == "mask":
        return "brain"
    return "lesion" if label in LESIONS or description in LESIONS else None
