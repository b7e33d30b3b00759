"""Masks in a folder beside the scans, each named after its subject."""

from collections.abc import Callable, Iterable
from pathlib import Path

from brain_cae.scans.formats import is_nifti, nifti_stem
from brain_cae.scans.sources.base import counted, is_broken, listing, unused
from brain_cae.scans.sources.matching import match, require_unique


def read_masks(
    folder: Path, subjects: Iterable[str], *, shown: Callable[[str], str] = str
) -> tuple[dict[str, Path], list[str]]:
    """Return the mask of each subject, and notes on everything else in the folder.

    ``shown`` returns a name, or the path of a file, as notes and messages may show it.

    A mask is ``<subject>.nii[.gz]``, the header of a pair, or a folder of such a name with one file in it, as some
    programs export files.

    Raises:
        DatasetError: The name of a mask could stand for several subjects, or the reverse.
    """
    inside = listing(folder)
    others = [*inside.others]
    files: dict[str, list[Path]] = {}
    for path in inside.files:
        place = path if path.parent == folder else path.parent
        if path.is_dir() or is_broken(path) or place.parent != folder or not (is_nifti(path) and is_nifti(place)):
            others.append(path)
        else:
            files.setdefault(nifti_stem(place), []).append(path)
    matches = match(files, subjects)
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
