"""What a DICOMDIR lists that is not there, as after a copy of a damaged disc: a series may lack its last slices."""

from collections.abc import Collection, Iterator
from pathlib import Path

from pydicom import dcmread

from brain_cae.scans import archives
from brain_cae.scans.silence import silence

NAME = "DICOMDIR"


def missing(files: Collection[Path]) -> tuple[int, int]:
    """Return how many images the DICOMDIRs among the files of a tree list, and how many of these are not among them.

    Names are compared without case, and without the ending that copies of discs give them (``IM0001.dcm``). Files
    that were all renamed are not missing: nothing is returned of a DICOMDIR that lists no file that is there.
    """
    there = {form for path in files for form in _forms(path)}
    listed = lost = 0
    for path in files:
        if path.name.upper().startswith(NAME):
            names = [path.parent.joinpath(*parts) for parts in _images(path)]
            gone = sum(str(name).casefold() not in there for name in names)
            if gone < len(names):
                listed, lost = listed + len(names), lost + gone
    return listed, lost


def _forms(path: Path) -> set[str]:
    return {str(path).casefold(), str(path.with_suffix("")).casefold()}


def _images(path: Path) -> Iterator[list[str]]:
    """Yield the parts of the path of each image that a DICOMDIR lists; nothing if it is damaged."""
    try:
        with silence(), archives.opened(path) as stream:
            records = dcmread(stream, force=True).get("DirectoryRecordSequence") or ()
            images = [record for record in records if record.get("DirectoryRecordType") == "IMAGE"]
            found = [record.get("ReferencedFileID") for record in images]
    except Exception:  # of the many ways in which it can be damaged
        return
    yield from ([file] if isinstance(file, str) else list(file) for file in found if file)
