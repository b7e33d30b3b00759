"""Masks in a folder beside the scans, each named after its subject."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from brain_cae.scans.formats import is_nifti, nifti_stem, without_copies
from brain_cae.scans.sources.base import SPELLINGS, counted, is_broken, listing, unused
from brain_cae.scans.sources.matching import Matches, match, require_unique

ANY_MASK = rf"mask|seg(mentation)?|labels?|roi|{'|'.join(SPELLINGS)}"
WORDS = {"masks": rf"{ANY_MASK}|lesions?|tumou?r", "brain_masks": rf"{ANY_MASK}|brain|bet"}
"""What the name of a mask may have behind that of its subject, by the name of the folder; also the contrast on which it
was drawn."""


def read_masks(
    folder: Path, subjects: Iterable[str], *, shown: Callable[[str], str] = str
) -> tuple[dict[str, Path], list[str]]:
    """Return the mask of each subject, and notes on everything else in the folder.

    ``shown`` returns a name, or the path of a file, as notes and messages may show it.

    A mask is ``<subject>.nii[.gz]``, the header of a pair, or the one file in a folder that is called so, or as the
    subject, as some programs export files. Behind the subject, its name may say what it is: ``<subject>_seg.nii.gz``.

    Raises:
        DatasetError: The name of a mask could stand for several subjects, or the reverse.
    """
    inside, subjects = listing(folder), [*subjects]
    others = [*inside.others]
    folders = {path.parent.name for path in inside.files if path.parent.parent == folder}
    exported = {name for name in folders if is_nifti(Path(name))} | set(match(folders, subjects).subjects)
    files: dict[str, list[Path]] = {}
    for path in inside.files:
        place = path if path.parent == folder else path.parent
        is_mask = is_nifti(path) and place.parent == folder and (place == path or place.name in exported)
        if path.is_dir() or is_broken(path) or not is_mask:
            others.append(path)
        else:
            files.setdefault(nifti_stem(place), []).append(path)
    files = {name: without_copies(paths) for name, paths in files.items()}
    matches = _match([*files], subjects, WORDS.get(folder.name.lower(), ANY_MASK))
    written = matches.written(shown)
    require_unique(written, what="masks", place=folder)
    name = folder.name
    lists = {
        f"{{file in {name} has|files in {name} have}} the name of {{its|their}} subject written in another way": (
            written.changed
        ),
        f"{{file in {name} is|files in {name} are}} not named after a subject": list(written.names),
        f"{{subject has|subjects have}} several masks in {name}, none of which is used": [
            shown(subject) for mask, subject in matches.subjects.items() if len(files[mask]) > 1
        ],
        **unused(others, folder.parent, f"{{file in {name} is not a mask|files in {name} are not masks}}", shown=shown),
    }
    masks = {subject: files[mask][0] for mask, subject in matches.subjects.items() if len(files[mask]) == 1}
    return masks, counted(lists)


def _match(names: Sequence[str], subjects: Sequence[str], words: str) -> Matches:
    """Return the masks with their subjects; a name without the words at its end counts where no mask has it alone."""
    matches = match(names, subjects)
    longer: dict[str, list[str]] = {}
    for name in matches.names:
        plain = re.sub(rf"([_\-. ]({words}))+$", "", name, flags=re.IGNORECASE)
        if plain != name:
            longer.setdefault(plain, []).append(name)
    shorter = match(longer, matches.rest).subjects
    found = {longer[plain][0]: subject for plain, subject in shorter.items() if len(longer[plain]) == 1}
    return replace(
        matches,
        subjects={**matches.subjects, **found},
        names=tuple(name for name in matches.names if name not in found),
        rest=tuple(name for name in matches.rest if name not in found.values()),
    )
