"""The import: every series read once, checked, and kept as an uncompressed volume under the hash of what made it."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context, get_start_method, parent_process, set_start_method
from multiprocessing.synchronize import Event
from pathlib import Path

import pandas as pd

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.atomic import remove_leftovers
from brain_cae.files.system_errors import writing
from brain_cae.progress import counter
from brain_cae.scans.entry import (
    REPORT_COLUMNS,
    Outcome,
    import_location,
    inspect_location,
    known_outcome,
    refusal,
)
from brain_cae.scans.index import make_index
from brain_cae.scans.sources.base import SeriesLocation

# A process of its own costs about a second to start; below this many series it costs more than it brings.
FEWEST_FOR_PROCESSES = 8
# What is younger may have a writer: another run may use the same store now.
LEFTOVER_AGE_S = 3600.0


@dataclass(frozen=True)
class ImportResult:
    """The index of what was imported, and the report that says of each series: imported, or why not."""

    index: pd.DataFrame
    report: pd.DataFrame


def import_series(
    locations: Sequence[SeriesLocation],
    store: Path,
    *,
    workers: int = 1,
    progress: bool = True,
    root: Path | None = None,
) -> ImportResult:
    """Import every series into the store; what is there already is only looked up.

    Args:
        locations: What a source found. A location without files is reported as missing.
        store: Folder of volumes; may be shared by several data sets and processes.
        workers: Processes; 1 imports in this one.
        progress: Draw a progress bar if this is a terminal.
        root: Folder that the report's paths start from; by default the deepest one that holds all files.

    Returns:
        Index and report, ordered by subject, session and modality whatever order the processes finished in.

    Raises:
        DatasetError: the same scan given twice, no location at all, or a process that died, with the files it had.
        ConfigurationError: no process could start, as in a script without a guard.
        StorageError: the store cannot be written to.
    """
    ordered = _ordered(locations)
    with writing(store):
        store.mkdir(parents=True, exist_ok=True)
    for folder in (store, store / "seen"):
        remove_leftovers(folder, age_s=LEFTOVER_AGE_S)
    root = root or _common_folder(ordered)
    outcomes: dict[int, Outcome] = {}
    for number, location in enumerate(ordered):
        known = known_outcome(location, store)
        if known is not None:
            outcomes[number] = known
    rest = [number for number in range(len(ordered)) if number not in outcomes]
    _read_all(ordered, rest, partial(import_location, store=store), "import", outcomes, workers, progress)
    return _result(ordered, [outcomes[number] for number in range(len(ordered))], root)


def inspect_series(locations: Sequence[SeriesLocation], *, workers: int = 1, progress: bool = True) -> ImportResult:
    """Give what :func:`import_series` would give, as far as headers alone tell; nothing is written.

    Returns:
        Index (without content: ``path`` is the first file, ``series_hash`` the same for all) and report; the status
        ``imported`` means that nothing in the headers stands against it.

    Raises:
        DatasetError: the same scan given twice, or no location at all.
    """
    ordered = _ordered(locations)
    outcomes: dict[int, Outcome] = {}
    _read_all(ordered, list(range(len(ordered))), inspect_location, "headers", outcomes, workers, progress)
    return _result(ordered, [outcomes[number] for number in range(len(ordered))], _common_folder(ordered))


def _read_all(
    locations: list[SeriesLocation],
    rest: list[int],
    read: Callable[[SeriesLocation], Outcome],
    name: str,
    outcomes: dict[int, Outcome],
    workers: int,
    progress: bool,
) -> None:
    """Read the locations that ``rest`` numbers, and put what became of them into ``outcomes``."""
    with counter(name, len(locations), done=len(outcomes), bar=progress) as advance:
        if workers > 1 and len(rest) >= FEWEST_FOR_PROCESSES:
            _read_in_processes(locations, rest, read, workers, outcomes, advance)
            return
        for number in rest:
            outcomes[number] = read(locations[number])
            advance()


def _read_in_processes(
    locations: list[SeriesLocation],
    rest: list[int],
    read: Callable[[SeriesLocation], Outcome],
    workers: int,
    outcomes: dict[int, Outcome],
    tick: Callable[[], None],
) -> None:
    # "spawn": a fork of a process that runs threads (torch, BLAS) may hang. A short queue keeps memory flat and says
    # which series were under way when a process died.
    context = get_context("spawn")
    started = context.Event()
    executor = ProcessPoolExecutor(max_workers=workers, mp_context=context, initializer=_begin, initargs=(started,))
    waiting = iter(rest)
    running: dict[Future[Outcome], int] = {}
    try:
        with _spawning():
            while True:
                while len(running) < 2 * workers and (number := next(waiting, None)) is not None:
                    running[executor.submit(read, locations[number])] = number
                if not running:
                    break
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    outcomes[running[future]] = future.result()
                    del running[future]
                    tick()
    except BrokenProcessPool as error:
        if not started.is_set():
            raise _not_started() from error
        names = [f"{locations[number].subject} {locations[number].modality}" for number in sorted(running.values())]
        folders = [str(locations[number].files[0].parent) for number in sorted(running.values())]
        raise DatasetError(
            "A process of the import died.",
            expected="every process to finish",
            found=f"under way: {', '.join(names)}",
            where=folders[0],
            advice="Most often memory ran out: use fewer workers. The import continues where it was.",
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _spawning() -> Iterator[None]:
    """Let new processes start in the standard library's way inside joblib's workers, as a parallel sweep's jobs are.

    A new process takes over the name of its parent's start method, and joblib's is known to joblib alone.
    """
    before = get_start_method()
    set_start_method("spawn", force=True)
    try:
        yield
    finally:
        set_start_method(before, force=True)


def _not_started() -> ConfigurationError:
    # A new process runs the caller's script again up to its guard; without one it would start processes itself.
    script = getattr(sys.modules["__main__"], "__file__", None)
    return ConfigurationError(
        "The processes of the import could not start.",
        expected='a script that does its work under `if __name__ == "__main__":`',
        found="processes that ended before their first series; their own message stands above",
        where=script,
        advice="Put the call under that line, or use workers=1, which starts none.",
    )


def _begin(started: Event) -> None:
    started.set()
    _end_with_parent()


def _end_with_parent() -> None:
    """Let a worker end when the process that started it is killed; it would wait for work for ever."""
    if (parent := parent_process()) is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _ordered(locations: Sequence[SeriesLocation]) -> list[SeriesLocation]:
    if not locations:
        raise DatasetError("There is nothing to import.", expected="at least one series", found="none")
    ordered = sorted(locations, key=lambda one: (one.subject, one.session, one.modality))
    for before, after in pairwise(ordered):
        if (before.subject, before.session, before.modality) == (after.subject, after.session, after.modality):
            folders = [str(one.files[0].parent) if one.files else "(no files)" for one in (before, after)]
            raise DatasetError(
                "A scan is given twice.",
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
