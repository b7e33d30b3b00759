"""The catalogue: every series of a tree of DICOM, from one pass over the headers of its files.

The pass is spread over processes and kept in pieces in the store, so that it can be interrupted; a file with unchanged
path, size and time is not opened again. The store holds keyed hashes, numbers and codes: no name, date or free text.
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from brain_cae.executor import READER_START_S, Processes, results
from brain_cae.files.locks import exclusive
from brain_cae.files.read_ahead import reading_ahead
from brain_cae.progress import counter
from brain_cae.scans.catalogue_rows import READ, ROW, Known, kind_of_row, load, save
from brain_cae.scans.completeness import possible_slices
from brain_cae.scans.contrast_rules import Physics
from brain_cae.scans.formats import is_nifti, unread_format
from brain_cae.scans.headers import (
    IMAGE,
    LOST,
    NOT_DICOM,
    START,
    STATUS,
    FileHeader,
    SeriesFacts,
    facts_of,
    identify,
    read_header,
)
from brain_cae.scans.placeholders import anonymity
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.series_groups import divided, holds_repeats, mended, typical
from brain_cae.scans.silence import silence
from brain_cae.scans.sources.base import agreeing
from brain_cae.scans.tree import list_files

# Increase this whenever the same headers would give another row or other facts.
VERSION = 9
CHUNK = 500
"""Files that one process reads before it reports; also those of a piece in the store, times ``PIECE``."""
PIECE = 20
TORN = "one series under several PatientIDs"
"""Kind of a series of which nobody can say whose it is."""
SPLIT = 5
"""So many series of one file each, alike in all facts, are one series whose identifiers were replaced file by file."""


@dataclass(frozen=True)
class Series:
    """One series: pseudonyms, its files in the order of their paths, and what its first header says.

    At the end of ``files`` are those that may have been slices of it, but cannot be read: ``images`` does not count
    them. ``study`` is empty if each file has another. ``uid`` is the pseudonym of its SeriesInstanceUID, which series
    share that were divided, and ``day`` that of the date of the study. One that is ``repeated`` is no single volume.
    """

    patient: str
    study: str
    name: str
    files: tuple[Path, ...]
    images: int
    facts: SeriesFacts
    uid: str = ""
    day: str = ""
    repeated: bool = False


@dataclass(frozen=True)
class Catalogue:
    """All series, ordered by patient, study and name; ``others`` counts the other files by what they are.

    ``closed`` are archives of the tree that were not opened, each with the reason. ``anonymous`` are patients without a
    number that tells them apart, ``adopted`` those who have series without one by their study, and ``read`` is the
    number of files that were opened.
    """

    series: tuple[Series, ...]
    others: dict[str, int]
    closed: tuple[tuple[str, str], ...] = ()
    anonymous: frozenset[str] = frozenset()
    adopted: frozenset[str] = frozenset()
    read: int = 0


def read_catalogue(
    root: Path,
    names: Pseudonyms,
    *,
    store: Path | None = None,
    write: bool = True,
    workers: int = 1,
    progress: bool = True,
    leave_out: Sequence[str] = (),
) -> Catalogue:
    """Return every series in a folder, or in a zip file, at any depth.

    Args:
        root: The folder or zip file.
        names: Gives the pseudonyms.
        store: Folder for what was read; None keeps nothing.
        write: False reads the store, but does not write to it.
        workers: Processes that read headers.
        progress: Show a progress bar in a terminal.
        leave_out: Names of folders directly below the root that hold other things.

    Raises:
        DatasetError: An archive is damaged or exceeds a limit, or a process died.
        StorageError: The store cannot be written to.
    """
    listing, closed, hidden = list_files(root, leave_out)
    folder = None if store is None else store / names.digest("root", str(root.absolute()), str(VERSION))[:16]
    if folder is None or not write:
        found = _catalogue(listing, closed, names, folder, False, workers, progress)
    else:
        with exclusive(folder / ".lock"):
            found = _catalogue(listing, closed, names, folder, True, workers, progress)
    return replace(found, others=found.others | ({"hidden": hidden} if hidden else {}))


def _catalogue(
    listing: list[tuple[Path, int, int]],
    closed: list[tuple[str, str]],
    names: Pseudonyms,
    folder: Path | None,
    write: bool,
    workers: int,
    progress: bool,
) -> Catalogue:
    known = load(folder)
    rows, rest = _look_up(listing, names, known)
    facts = dict(known.facts)
    chunks = [rest[start : start + CHUNK] for start in range(0, len(rest), CHUNK)]
    paths = [[listing[number][0] for number in chunk] for chunk in chunks]
    described = dict.fromkeys(facts, len(chunks))
    unsaved: list[int] = []
    read = partial(_read_chunk, names=names)
    with (
        counter("headers", len(listing), done=len(listing) - len(rest), bar=progress) as advance,
        reading_ahead(paths, head=START) as leave,
    ):
        done = results(
            read,
            paths,
            executor=Processes(workers),
            task="catalogue",
            name=_chunk_name,
            minimum=4,
            start_s=READER_START_S,
        )
        for place, (part, part_facts) in done:
            for name in READ:
                rows[name][chunks[place]] = part[name]
            # Of all files of a kind, the first by path describes it, whichever process is faster.
            for one, content in part_facts.items():
                if place < described.get(one, len(chunks) + 1):
                    facts[one], described[one] = content, place
            leave()
            unsaved += chunks[place]
            if write and folder and len(unsaved) >= CHUNK * PIECE:
                save(folder, rows[unsaved], facts)
                unsaved = []
            for _ in chunks[place]:
                advance()
    if write and folder and rest:
        pieces = list(folder.glob("*.npz"))
        save(folder, rows, facts)
        for piece in pieces:
            piece.unlink(missing_ok=True)
    return _grouped(listing, rows, facts, closed, names, len(rest))


def _look_up(listing: list[tuple[Path, int, int]], names: Pseudonyms, known: Known) -> tuple[np.ndarray, list[int]]:
    """Return one row per file, and the numbers of those that must be read."""
    rows = np.zeros(len(listing), ROW)
    rest = []
    for number, (path, size, changed) in enumerate(listing):
        digest = names.name("file", os.fspath(path)).encode()
        row = known.rows.get(digest)
        if row is not None and row["size"] == size and row["changed"] == changed:
            rows[number] = row
        else:
            rows[number]["file"], rows[number]["size"], rows[number]["changed"] = digest, size, changed
            rest.append(number)
    return rows, rest


def _read_chunk(paths: list[Path], names: Pseudonyms) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the rows of files, and the facts of each kind of file from the first of them."""
    rows = np.zeros(len(paths), ROW)
    facts: dict[str, Any] = {}
    with silence():
        for row, path in zip(rows, paths, strict=True):
            file = identify(path)
            _fill(row, file, names)
            if file.status == IMAGE and file.header is None and kind_of_row(row) not in facts:
                file = read_header(path)
                _fill(row, file, names)
            if file.header is not None and kind_of_row(row) not in facts:
                more = {"anonymous": anonymity(file.patient)}
                facts[kind_of_row(row)] = asdict(facts_of(path, file.header)) | more
    return rows, facts


def _fill(row: np.void, file: FileHeader, names: Pseudonyms) -> None:
    row["status"], row["frames"], row["diffusion"] = file.status, file.frames, file.diffusion
    if file.status == IMAGE:
        row["apart"], row["agent"], row["number"], row["echo"] = file.apart, file.agent, file.number, file.echo
        row["serial"], row["place"], row["type"] = file.serial, file.place, names.digest("type", file.type)[:12]
        row["plane"], row["repetition"] = file.plane, file.repetition
        row["day"], row["dated"] = names.digest("day", file.day)[:12], file.dated
        row["patient"], row["study"] = names.patient(file.patient), names.name("study", file.study)
        row["series"] = names.name("se", file.patient, file.study, file.series)
        row["uid"] = names.name("uid", file.uid) if file.uid else ""


def _grouped(
    listing: list[tuple[Path, int, int]],
    rows: np.ndarray,
    facts: dict[str, Any],
    closed: list[tuple[str, str]],
    names: Pseudonyms,
    read: int,
) -> Catalogue:
    images = np.flatnonzero(rows["status"] == IMAGE)
    # Stable: within a series the files stay in the order of their paths.
    order = images[np.argsort(rows["series"][images], kind="stable")]
    ends = np.flatnonzero(rows["series"][order][1:] != rows["series"][order][:-1]) + 1
    series = []
    anonymous, adopted = set[str](), set[str]()
    studies: dict[bytes, set[bytes]] = {}
    for patient, study in np.unique(rows[order][["patient", "study"]]).tolist():
        studies.setdefault(patient, set()).add(study)

    def is_nobody(row: np.void) -> bool:
        how = facts[kind_of_row(row)]["anonymous"]
        return how == "word" or (how != "" and len(studies[row["patient"]]) > 1)

    owners: dict[bytes, set[bytes]] = {}
    for place in np.unique(rows[order][["patient", "study"]], return_index=True)[1]:
        row = rows[order[place]]
        if not row["dated"] and not is_nobody(row):
            owners.setdefault(row["study"], set()).add(row["patient"])
    whole_series = mended(np.split(order, ends) if len(order) else [], rows, is_nobody)
    for group in (part for one in whole_series for part in divided(one, rows)):
        row = rows[group.main]
        name, patient = row["series"].decode(), row["patient"].decode()
        if is_nobody(row):
            # A study is of one person: a workstation may lose the number in what it adds.
            owner = owners.get(row["study"], set())
            known = not row["dated"] and len(owner) == 1
            patient = next(iter(owner)).decode() if known else names.name("p", "study", row["study"].decode())
            (adopted if known else anonymous).add(patient)
        kind = TORN if group.torn else "diffusion image" if rows["diffusion"][group.files].any() else ""
        ordinary = group.files[~rows["apart"][group.files]]
        images = ordinary if len(ordinary) else group.files
        series.append(
            Series(
                patient=patient,
                study=row["study"].decode(),
                name=names.name("se", name, group.part) if group.part else name,
                files=tuple(listing[number][0] for number in group.files),
                images=int(rows["frames"][images].sum()),
                facts=_of_all(_facts(facts[kind_of_row(rows[typical(images, rows)])]), kind, rows[images]),
                uid=row["uid"].decode(),
                day=rows["day"][group.files[0]].decode(),
                repeated=holds_repeats(rows[images]),
            )
        )
    rest = np.flatnonzero(rows["status"] != IMAGE)
    others = Counter(_what(rows["status"][number], listing[number][0]) for number in rest)
    series = sorted(_joined(series), key=lambda one: (one.patient, one.study, one.name))
    files = [one.files for one in series]
    for foreign, kinds in enumerate((LOST, (NOT_DICOM,))):
        lost = [listing[number][0] for number in rest if rows["status"][number] in kinds]
        added = possible_slices(lost, files, foreign=bool(foreign)) if lost else [()] * len(series)
        series = [replace(one, files=(*one.files, *more)) for one, more in zip(series, added, strict=True)]
    return Catalogue(tuple(series), dict(others), tuple(closed), frozenset(anonymous), frozenset(adopted), read)


def _what(status: int, path: Path) -> str:
    """Return what a file that is no image is, without its name."""
    if status != NOT_DICOM:
        return STATUS[status]
    return unread_format(path) or ("NIfTI" if is_nifti(path) else STATUS[status])


def _of_all(facts: SeriesFacts, kind: str, images: np.ndarray) -> SeriesFacts:
    """Return facts with what other files tell: the first image of a diffusion series has b = 0 and looks like a T2.

    So it may be the only one that does not name the contrast agent.
    """
    agent = facts.physics.agent or bool(images["agent"].any())
    return replace(facts, physics=replace(facts.physics, kind=facts.physics.kind or kind, agent=agent))


def _joined(series: list[Series]) -> list[Series]:
    """Return the series, with those joined that an anonymiser split by a SeriesInstanceUID for each file."""
    single: dict[tuple[str, ...], list[Series]] = {}
    studies = Counter((one.patient, one.study) for one in series)
    for one in series:
        if len(one.files) == 1 == one.images:
            # The study's identifier may have been replaced file by file, too.
            study = one.study if studies[one.patient, one.study] > 1 else ""
            single.setdefault((one.patient, study, one.day, repr(one.facts)), []).append(one)
    split = {part.name: parts for parts in single.values() if len(parts) >= SPLIT for part in parts}
    joined = [one for one in series if one.name not in split]
    for parts in {id(parts): parts for parts in split.values()}.values():
        files = tuple(sorted(path for part in parts for path in part.files))
        first = min(parts, key=lambda part: part.name)
        # Identifiers of studies that were replaced file by file tell no studies apart.
        study = first.study if len({part.study for part in parts}) == 1 else ""
        joined.append(replace(first, files=files, images=len(files), study=study))
    return joined


def _facts(content: dict[str, Any]) -> SeriesFacts:
    physics = {name: tuple(value) if isinstance(value, list) else value for name, value in content["physics"].items()}
    numbers = {name: value for name, value in content.items() if name not in ("physics", "anonymous")}
    return SeriesFacts(physics=Physics(**_restored(physics)), **_restored(numbers))


def _restored(values: dict[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in values.items()}


def _chunk_name(paths: list[Path]) -> str:
    return f"{len(paths)} files"  # their names may be those of patients


def describe_others(others: dict[str, int]) -> list[str]:
    """Return one sentence for each kind of file that is no image; DICOMDIRs are expected."""
    return [
        f"{agreeing(count, '{file|files} of the tree {is|are} left out')}: {what}."
        for what, count in sorted(others.items())
        if what != "DICOMDIR"
    ]
