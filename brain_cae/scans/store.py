"""The import: reads and checks every series once and stores it uncompressed, under a hash of its source files."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import pandas as pd

from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.executor import HERE, READER_START_S, Executor, Processes, results
from brain_cae.files.atomic import LEFTOVER_AGE_S, remove_leftovers
from brain_cae.files.read_ahead import reading_ahead
from brain_cae.files.system_errors import writing
from brain_cae.progress import counter
from brain_cae.scans.entry import (
    REPORT_COLUMNS,
    SEEN,
    Outcome,
    as_inspected,
    import_location,
    inspect_location,
    known_outcome,
    refusal,
)
from brain_cae.scans.file import FIRST
from brain_cae.scans.index import make_index
from brain_cae.scans.sources.base import SeriesLocation, some


@dataclass(frozen=True)
class ImportResult:
    """The index of the imported series, and the report: every series, imported or refused with the reason."""

    index: pd.DataFrame
    report: pd.DataFrame


def import_series(
    locations: Sequence[SeriesLocation],
    store: Path,
    *,
    executor: Executor = HERE,
    progress: bool = True,
    root: Path | None = None,
) -> ImportResult:
    """Import every series into the store and return index and report; series already stored are only looked up.

    Args:
        locations: The series that a source lists. A location without files is reported as missing.
        store: Folder of volumes; several data sets and processes may share it.
        executor: Where series are read; by default in the current process.
        progress: Show a progress bar in a terminal.
        root: Folder that the report's paths are relative to; by default the deepest folder that contains all files.

    Returns:
        Index and report, ordered by subject, session and modality, whatever the order in which processes finish.

    Raises:
        DatasetError: a scan listed twice, no location, or a process that died; the message names its series.
        ConfigurationError: no process could start, as in a script without a ``__main__`` guard.
        StorageError: the store cannot be written to.
    """
    ordered = _ordered(locations)
    with writing(store):
        store.mkdir(parents=True, exist_ok=True)
    for folder in (store, store / SEEN):
        remove_leftovers(folder, age_s=LEFTOVER_AGE_S)
    root = root or _common_folder(ordered)
    outcomes = _known(ordered, store)
    rest = [number for number in range(len(ordered)) if number not in outcomes]
    _read_all(ordered, rest, partial(import_location, store=store), "import", outcomes, executor, progress)
    return _result(ordered, [outcomes[number] for number in range(len(ordered))], root)


def inspect_series(
    locations: Sequence[SeriesLocation], *, workers: int = 1, progress: bool = True, store: Path | None = None
) -> ImportResult:
    """Return the result of :func:`import_series` as far as the headers show it; nothing is written.

    What ``store``, the folder of an earlier import, has of unchanged files is not read again.

    Returns:
        Index (``path`` is the first file, ``series_hash`` the same for all) and report; the status ``imported`` means
        that the headers show no reason to refuse the series.

    Raises:
        DatasetError: a scan listed twice, or no location.
    """
    ordered = _ordered(locations)
    outcomes = {} if store is None else _known(ordered, store)
    outcomes = {number: as_inspected(outcome, ordered[number]) for number, outcome in outcomes.items()}
    rest = [number for number in range(len(ordered)) if number not in outcomes]
    _read_all(
        ordered, rest, inspect_location, "headers", outcomes, Processes(workers), progress, READER_START_S, head=FIRST
    )
    return _result(ordered, [outcomes[number] for number in range(len(ordered))], _common_folder(ordered))


def reading_notes(report: pd.DataFrame) -> list[str]:
    """Return one caution for each note about series that were imported although they are unusual."""
    imported = report[(report["status"] == "imported") & (report["reason"] != "")]
    notes = imported["reason"].str.split("; ").explode()
    names = (imported["subject"] + " " + imported["modality"]).reindex(notes.index)
    return [
        f"{len(scans)} series imported although unusual: {note} ({some(list(scans))}). "
        f"{advice_for(str(note)) or ''}".rstrip()
        for note, scans in names.groupby(notes.to_numpy())
    ]


def _known(locations: Sequence[SeriesLocation], store: Path) -> dict[int, Outcome]:
    """Return what the store has, by number of the location."""
    stored = (store / SEEN).is_dir()  # to look for a scan there takes the size and time of each of its files
    known = {
        number: known_outcome(location, store)
        for number, location in enumerate(locations)
        if stored or not location.files
    }
    return {number: outcome for number, outcome in known.items() if outcome is not None}


def _read_all(
    locations: list[SeriesLocation],
    rest: list[int],
    read: Callable[[SeriesLocation], Outcome],
    name: str,
    outcomes: dict[int, Outcome],
    executor: Executor,
    progress: bool,
    start_s: float | None = None,
    head: int = 0,
) -> None:
    """Read the locations whose numbers are in ``rest`` and add their results to ``outcomes``.

    Of files, the first ``head`` bytes will be needed, or all with 0.
    """
    series = [locations[number] for number in rest]
    # Jobs read on other machines.
    files = [location.files for location in series] if isinstance(executor, Processes) else []
    with (
        counter(name, len(locations), done=len(outcomes), bar=progress) as advance,
        reading_ahead(files, head=head) as leave,
    ):
        done = results(read, series, executor=executor, task="import", name=_series_name, start_s=start_s)
        for number, outcome in done:
            outcomes[rest[number]] = outcome
            advance()
            leave()


def _series_name(location: SeriesLocation) -> str:
    return f"{location.subject} {location.modality} in {location.shown(location.files[0]).parent}"


def _ordered(locations: Sequence[SeriesLocation]) -> list[SeriesLocation]:
    if not locations:
        raise DatasetError("There is nothing to import.", expected="at least one series", found="none")
    ordered = sorted(locations, key=lambda one: (one.subject, one.session, one.modality))
    for before, after in pairwise(ordered):
        if (before.subject, before.session, before.modality) == (after.subject, after.session, after.modality):
            folders = [str(one.files[0].parent) if one.files else "(no files)" for one in (before, after)]
            raise DatasetError(
                "A scan is listed twice.",
                expected="one series per subject, session and modality",
                found=f"{after.subject} {after.modality} in {folders[0]} and {folders[1]}",
                advice="Rename one subject, or give the two visits different sessions.",
            )
    return ordered


def _result(locations: list[SeriesLocation], outcomes: list[Outcome], root: Path | None) -> ImportResult:
    rows, lines = [], []
    for location, outcome in zip(locations, outcomes, strict=True):
        if outcome.row is not None:
            rows.append(outcome.row)
        for line in (*outcome.lines, *(refusal(reason, path) for path, reason in location.left_out)):
            path = Path(line["path"]) if line["path"] else None
            shown = path.relative_to(root) if path and root and path.is_relative_to(root) else path
            text = "" if shown is None else shown.as_posix()
            lines.append({"subject": location.subject, "modality": location.modality} | line | {"path": text})
    return ImportResult(index=make_index(rows), report=pd.DataFrame(lines, columns=list(REPORT_COLUMNS), dtype=object))


def _common_folder(locations: list[SeriesLocation]) -> Path | None:
    folders = [str(path.parent) for location in locations for path in location.files[:1]]
    try:
        return Path(os.path.commonpath(folders)) if folders else None
    except ValueError:
        return None
