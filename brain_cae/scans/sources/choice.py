"""Reads ``series.csv`` beside the scans, which selects among several series instead of the rule."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from brain_cae.errors import DatasetError
from brain_cae.scans.formats import DICOM, is_half, is_nifti, nifti_files, nifti_stem
from brain_cae.scans.sources.base import SPELLINGS, SeriesLocation
from brain_cae.scans.sources.matching import match
from brain_cae.scans.sources.table import read_table, require_columns
from brain_cae.vocabulary import MODALITIES

CHOICES = "series.csv"
COLUMNS = ("subject", "modality", "path")
EXPECTED = f"the columns {','.join(COLUMNS)}, each subject and modality once; a path as in import_report.csv"


def apply_choices(locations: Sequence[SeriesLocation], root: Path) -> list[SeriesLocation]:
    """Return the locations with the choice from ``<root>/series.csv`` (subject,modality,path), if that file exists.

    Of several files or folders with the name of one modality (``candidates``), and of several NIfTI files in a folder,
    a path selects one as well. It is a file of the scan or its folder: relative to the root, or the last parts of such
    a path, as in the import report. A subject may have the name of its part in front, ``clinic-a``, as in the report of
    a combined data set. Lines for modalities that are not in use are ignored.

    Raises:
        DatasetError: a damaged table, an unknown subject or modality, a path that matches nothing or several places.
    """
    table = root / CHOICES
    if not table.is_file():
        return list(locations)
    chosen = _read(table, locations, root)
    return [_with_choice(one, chosen.get((one.subject, one.modality))) for one in locations]


def plainly_named(location: SeriesLocation) -> SeriesLocation:
    """Return the location with the one of several NIfTI files in its folder that has the name of the modality alone.

    UK Biobank and programs of FSL put what they made of ``T1/T1.nii.gz`` beside it, as ``T1/T1_brain.nii.gz``. Where
    another file may be DICOM, which goes before NIfTI, nothing is changed.
    """
    files = [path for path in location.files if is_nifti(path)]
    plain = [path for path in files if SPELLINGS.get(nifti_stem(path).lower()) == location.modality]
    rest = [path for path in location.files if not (is_nifti(path) or is_half(path))]
    if location.chosen or len(files) < 2 or len(plain) != 1 or not all(map(_is_no_dicom, rest)):
        return location
    others = tuple((path, "several candidates: the one named plainly was taken") for path in files if path != plain[0])
    return replace(location, files=nifti_files(plain[0]), left_out=others + location.left_out)


def _is_no_dicom(path: Path) -> bool:
    """Return whether a file has the ending of another kind of file; DICOM often has none, or a number."""
    return bool(re.fullmatch(r"\.[a-z]\w*", path.suffix.lower())) and path.suffix.lower() not in DICOM


def _with_choice(location: SeriesLocation, place: Path | None) -> SeriesLocation:
    """Return the location with the choice if it lies in this session of the subject."""
    if place is None:
        return location
    for files in _at(place, location):
        paths = [other[0] for other in location.candidates]
        others = tuple((path, "another scan was taken: it was chosen") for path in paths if path != files[0])
        left_out = tuple(line for line in location.left_out if line[0] not in paths)
        return replace(location, files=files, chosen=place, left_out=others + left_out)
    if place in location.files and is_nifti(place):
        # A folder of several NIfTI files, which is no scan as a whole.
        rest = [path for path in location.files if path != place and is_nifti(path)]
        others = tuple((path, "another scan was taken: it was chosen") for path in rest)
        return replace(location, files=(place,), chosen=place, left_out=others + location.left_out)
    return replace(location, chosen=place if any(file.is_relative_to(place) for file in location.files) else None)


def _at(place: Path, location: SeriesLocation) -> list[tuple[Path, ...]]:
    """Return the candidates that lie at a place."""
    return [files for files in location.candidates if any(file.is_relative_to(place) for file in files)]


def _read(table: Path, locations: Sequence[SeriesLocation], root: Path) -> dict[tuple[str, str], Path]:
    known: dict[tuple[str, str], list[Path]] = {}
    for one in locations:
        files = dict.fromkeys([*one.files, *(file for files in one.candidates for file in files)])
        known.setdefault((one.subject, one.modality), []).extend(files)
    subjects = {one.subject for one in locations}
    chosen: dict[tuple[str, str], Path] = {}
    rows = read_table(table, expected=EXPECTED)
    require_columns(rows, COLUMNS, expected=EXPECTED)
    for where, row in rows.lines():
        modality = SPELLINGS.get(row["modality"].lower(), row["modality"])
        path = row["path"].replace("\\", "/")
        # The name of a part has no hyphen. A line of another part is detected by its path, which must match.
        name = row["subject"]
        names = (name, name.partition("-")[2])
        subject = next((found for name in names if (found := match([name], subjects).subjects.get(name))), "")
        if not subject or modality not in MODALITIES or not path:
            raise _refuse(f"subject {row['subject']!r}, modality {modality!r}, path {path!r}", where)
        if (subject, modality) in chosen:
            raise _refuse(f"{subject} {modality} again", where)
        if (subject, modality) in known:
            place = chosen[subject, modality] = _find(path, known[subject, modality], root, where)
            if any(len(_at(place, one)) > 1 for one in locations if (one.subject, one.modality) == (subject, modality)):
                raise _refuse(f"several candidates lie at {path!r}", where)
    return chosen


def _find(path: str, files: Sequence[Path], root: Path, where: str) -> Path:
    places = {place for file in files for place in (file, *file.parents) if place.is_relative_to(root)}
    parts = PurePosixPath(path).parts
    exact = [place for place in places if place == root / path]
    matches = exact or [place for place in places if parts and place.parts[-len(parts) :] == parts]
    if len(matches) == 1:
        return matches[0]
    actual = f"{path!r} matches {len(matches)} places" if matches else f"no file of this scan at {path!r}"
    raise _refuse(actual, where)


def _refuse(actual: str, where: str) -> DatasetError:
    return DatasetError("The choice of series cannot be read.", expected=EXPECTED, found=actual, where=where)
