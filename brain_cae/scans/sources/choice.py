"""Which of several series is meant: ``series.csv`` beside the scans says so where the rule would take another."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SPELLINGS, SeriesLocation
from brain_cae.scans.sources.table import read_table, require_columns
from brain_cae.vocabulary import MODALITIES

COLUMNS = ("subject", "modality", "path")
EXPECTED = f"the columns {','.join(COLUMNS)}, each subject and modality once; a path as in import_report.csv"


def apply_choices(locations: Sequence[SeriesLocation], root: Path) -> list[SeriesLocation]:
    """Mark in each location the series that ``<root>/series.csv`` names (subject,modality,path), where there is one.

    A path is a file of the series, or the folder that holds it: below the root, or any end of such a path, as the
    import report shows it. A subject may bear the name of its part, ``clinic-a``, as the report of a combined data set
    shows it. Lines for a modality that is not in use are passed over.

    Raises:
        DatasetError: a damaged table, an unknown subject or modality, a path that fits nothing or several places.
    """
    table = root / "series.csv"
    if not table.is_file():
        return list(locations)
    chosen = _read(table, locations, root)
    return [replace(one, chosen=_own(one, chosen.get((one.subject, one.modality)))) for one in locations]


def _own(location: SeriesLocation, place: Path | None) -> Path | None:
    """Of a subject's sessions the choice lies in one."""
    return place if place and any(file.is_relative_to(place) for file in location.files) else None


def _read(table: Path, locations: Sequence[SeriesLocation], root: Path) -> dict[tuple[str, str], Path]:
    known: dict[tuple[str, str], list[Path]] = {}
    for one in locations:
        known.setdefault((one.subject, one.modality), []).extend(one.files)
    subjects = {one.subject for one in locations}
    chosen: dict[tuple[str, str], Path] = {}
    rows = read_table(table, expected=EXPECTED)
    require_columns(rows, COLUMNS, expected=EXPECTED)
    for where, row in rows.lines():
        modality = SPELLINGS.get(row["modality"].lower(), row["modality"])
        path = row["path"].replace("\\", "/")
        # No part has a hyphen in its name. That the line is not of another part shows in its path, which must fit.
        subject = row["subject"] if row["subject"] in subjects else row["subject"].partition("-")[2]
        if subject not in subjects or modality not in MODALITIES or not path:
            raise _refuse(f"subject {row['subject']!r}, modality {modality!r}, path {path!r}", where)
        if (subject, modality) in chosen:
            raise _refuse(f"{subject} {modality} again", where)
        if (subject, modality) in known:
            chosen[subject, modality] = _find(path, known[subject, modality], root, where)
    return chosen


def _find(path: str, files: Sequence[Path], root: Path, where: str) -> Path:
    places = {place for file in files for place in (file, *file.parents) if place.is_relative_to(root)}
    parts = PurePosixPath(path).parts
    exact = [place for place in places if place == root / path]
    found = exact or [place for place in places if place.parts[-len(parts) :] == parts]
    if len(found) == 1:
        return found[0]
    what = f"{path!r} fits {len(found)} places" if found else f"no file of this scan at {path!r}"
    raise _refuse(what, where)


def _refuse(found: str, where: str) -> DatasetError:
    return DatasetError("The choice of series cannot be read.", expected=EXPECTED, found=found, where=where)
