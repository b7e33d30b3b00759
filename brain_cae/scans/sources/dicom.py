"""A folder as a hospital gives it: any tree of DICOM files, or a zip of one; see docs/dicom.md."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

from brain_cae.scans import archives
from brain_cae.scans.catalogue import Catalogue, Series, describe_others, read_catalogue
from brain_cae.scans.contrast_rules import OTHER_KIND
from brain_cae.scans.directory import missing
from brain_cae.scans.extent import FEW_SLICES
from brain_cae.scans.identity import Identity, identity_of
from brain_cae.scans.pseudonym import Pseudonyms, default_key_file, read_key
from brain_cae.scans.redaction import Redaction
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.base import (
    Label,
    SeriesLocation,
    Skull,
    agreeing,
    check_folder,
    check_modalities,
    counted,
)
from brain_cae.scans.sources.dicom_cautions import cautions
from brain_cae.scans.sources.people import People, copy_mask
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.series_choice import Taken, by_rule, by_table, in_sessions, number_of, take
from brain_cae.scans.sources.series_table import SeriesLine, is_series_table, read_series_table, write_series_table
from brain_cae.scans.sources.table import FoundTable, find_table
from brain_cae.scans.tree import list_files
from brain_cae.vocabulary import MODALITIES, LabelMeaning

LAYOUT = "DICOM files of any names, in folders of any names, or a zip of them"
ADVICE = "Set dataset.root to the folder, zip or DICOMDIR of the export; for NIfTI files use dataset=folder."
MASKS = {"lesion_mask": "masks", "brain_mask": "brain_masks"}
LABEL_TABLES, SERIES_TABLE = ("labels.csv", "labels.tsv"), "series.csv"


@dataclass
class Dicom:
    """A tree of DICOM files: series by SeriesInstanceUID, subjects by PatientID, sessions by study.

    ``key_file`` holds the key of the pseudonyms. ``series`` is a table that says what each series is used as, instead
    of the rules; ``write_series`` writes it. ``labels``, or ``labels.csv`` in the root, and ``masks/`` and
    ``brain_masks/`` name subjects by PatientID or pseudonym. ``locate`` raises DatasetError if there is no series, or
    if a table contradicts the tree, and ConfigurationError for a key that cannot be used.
    """

    layout: ClassVar[str] = LAYOUT
    meaning: ClassVar[LabelMeaning] = LabelMeaning()

    root: str
    key_file: str | None = None
    series: str | None = None
    write_series: str | None = None
    labels: str | None = None
    label: Label | None = None
    skull: Skull = "on"
    modalities: Sequence[str] = MODALITIES
    workers: int = 1
    progress: bool = True
    write: bool = True
    cache: str | None = None
    name: str = field(default="dicom", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)
    _lines: list[SeriesLine] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """Return the series of each subject, session and modality, and write the table of series if asked to."""
        root = _root(self.root)
        beside = root.parent if archives.is_archive(root) else root
        # A table that is written now is of use only with a key that stays.
        create = self.write or self.write_series is not None
        key, caution = read_key(Path(self.key_file) if self.key_file else default_key_file(), create=create)
        names = Pseudonyms(key)
        table, choices = self._label_table(beside, names), self._series_table(beside, names)
        tables = [SERIES_TABLE, *(path.name for path in (*table.files, *choices.files) if path.parent == root)]
        catalogue = read_catalogue(
            root,
            names,
            store=Path(self.cache) / "catalogue" if self.cache else None,
            write=self.write,
            workers=self.workers,
            progress=self.progress,
            leave_out=(*MASKS.values(), *tables),
        )
        if not catalogue.series:
            raise wrong_root(
                self.name,
                root,
                problem=f"The {'zip file' if archives.is_archive(root) else 'folder'} contains no DICOM image.",
                expected=LAYOUT,
                found=_other_content(catalogue),
                advice=f"Unpack archives and compressed files. {ADVICE}" if _is_packed(catalogue) else ADVICE,
            )
        identities = {one.name: _identity(one, catalogue, names) for one in catalogue.series}
        people = _people(catalogue, identities, names)
        taken = take(in_sessions(catalogue.series, identities), identities)
        used, choice_notes = by_rule(taken), list(choices.notes)
        if choices.path:
            chosen, more = read_series_table(choices.path, _subjects(catalogue), people.find)
            used = by_table(taken, chosen)
            choice_notes += more
        redaction = Redaction(root, names, {one.patient for one in identities.values()})
        aliases = _aliases(used, redaction, identities)
        ordered = sorted(used, key=lambda one: (one.series.patient, one.session, number_of(one), one.series.name))
        self._lines = [_line(one, aliases) for one in ordered]
        # The stored configuration of a run names the table too; only a look insists on writing it.
        if self.write_series is not None and not (self.write and Path(self.write_series).exists()):
            table_path = Path(self.write_series)
            if not write_series_table(table_path, self._lines):
                choice_notes.append(f"{table_path.name} was there already, with the same lines.")
        labels, label_notes = people.labels(table.path, otherwise=self.label or "unknown") if table.path else ({}, [])
        masks, mask_notes = self._find_masks(beside, people, names)
        self._notes = [*([caution] if caution else []), *describe_others(catalogue.others), *_lost(root, catalogue)]
        locations = self._locations(used, aliases, labels, masks)
        kept = one_session(locations, self.modalities)
        read = {(one.subject, one.session, one.modality) for one in kept}
        self._notes += [
            *cautions(used, catalogue, identities, read),
            *choice_notes,
            *table.notes,
            *label_notes,
            *mask_notes,
        ]
        words = frozenset().union(*(one.words for one in identities.values()))
        self._notes += counted(
            {
                "{archive is|archives are} not opened": [
                    f"{redaction.unopened(name, words)} ({why})" for name, why in catalogue.closed
                ],
                "{group|groups} of subjects {has|have} PatientIDs that differ in case, zeros, separators or Unicode "
                "form alone, and count as different subjects": people.alike(),
                "{group|groups} of subjects {has|have} PatientIDs that differ in the last part alone, and "
                "{counts|count} as different people, in any role": people.visits(),
            }
        )
        return locations

    def notes(self) -> list[str]:
        """Return what was left out, what is in doubt, and what the tables name besides."""
        return list(self._notes)

    def overview(self) -> list[SeriesLine]:
        """Return every series with what it is used as and why, after :meth:`locate`."""
        return list(self._lines)

    def _series_table(self, beside: Path, names: Pseudonyms) -> FoundTable:
        if self.series is not None:
            return FoundTable(Path(self.series))
        found = find_table(beside, (SERIES_TABLE,), stems=("series",), shown=partial(names.name, "x"))
        if found.path is None or found.path.name == SERIES_TABLE or is_series_table(found.path):
            return found
        return FoundTable()  # of another program

    def _label_table(self, beside: Path, names: Pseudonyms) -> FoundTable:
        if self.labels:
            return FoundTable(Path(self.labels))
        return find_table(beside, LABEL_TABLES, stems=("labels", "label"), shown=partial(names.name, "x"))

    def _find_masks(
        self, beside: Path, people: People, names: Pseudonyms
    ) -> tuple[dict[str, dict[str, Path]], list[str]]:
        masks: dict[str, dict[str, Path]] = {}
        notes: list[str] = []
        for kind, folder in MASKS.items():
            masks[kind], others = people.masks(beside / folder)
            notes += others
            if not (self.write and self.cache):
                continue
            for subject, path in list(masks[kind].items()):
                # The index names the file, so its name must be one that may be written.
                known = path.stat()
                stamp = names.digest("mask", str(path.absolute()), str(known.st_size), str(known.st_mtime_ns))[:8]
                target = Path(self.cache) / "masks" / f"{subject}-{kind}-{stamp}.nii.gz"
                if target.is_file() or copy_mask(path, target):
                    masks[kind][subject] = target
                else:
                    del masks[kind][subject]
                    notes.append(f"The {kind.replace('_', ' ')} of {subject} cannot be read and is left out.")
        return masks, notes

    def _locations(
        self,
        used: Sequence[Taken],
        aliases: Mapping[Path, str],
        labels: Mapping[str, str],
        masks: Mapping[str, Mapping[str, Path]],
    ) -> list[SeriesLocation]:
        by_place: dict[tuple[str, str], list[Taken]] = {}
        for one in used:
            by_place.setdefault((one.series.patient, one.session), []).append(one)
        locations = []
        for (subject, session), scans in by_place.items():
            for modality in self.modalities:
                read = [one.series.files for one in scans if one.read_for == modality]
                files = tuple(dict.fromkeys(path for paths in read for path in paths))
                locations.append(
                    SeriesLocation(
                        subject=subject,
                        session=session,
                        modality=modality,
                        files=files,
                        label=labels.get(subject, self.label or "unknown"),
                        source=self.name,
                        skull=self.skull,
                        brain_mask=masks["brain_mask"].get(subject),
                        lesion_mask=masks["lesion_mask"].get(subject),
                        left_out=tuple(
                            (Path(aliases[one.series.files[0]]), one.why.partition(" (")[0])
                            for one in scans
                            if one.contrast.name == modality
                            and not one.modality
                            and not one.read_for
                            and not _is_planning(one)
                        ),
                        aliases={path: aliases[path] for path in files},
                    )
                )
        return locations


def _root(text: str) -> Path:
    root = Path(text)
    if root.is_file() and not archives.is_archive(root) and root.name.upper().startswith("DICOMDIR"):
        return root.parent
    if archives.is_archive(root):
        return root
    problem = "The data set's folder does not exist."
    return check_folder(root, problem=problem, expected=LAYOUT, advice=ADVICE)


def _lost(root: Path, catalogue: Catalogue) -> list[str]:
    """Return a caution about images that a DICOMDIR lists and that are not there."""
    if "DICOMDIR" not in catalogue.others:
        return []
    listed, lost = missing([path for path, *_ in list_files(root)[0]])
    text = (
        f"of {listed} images that a DICOMDIR lists {{is|are}} not in the tree: copy the disc again, series lack slices."
    )
    return [agreeing(lost, text)] if lost else []


def _is_packed(catalogue: Catalogue) -> bool:
    """Return whether the tree holds archives that are not opened, or files of formats that are not read."""
    return bool(catalogue.closed) or any(what.startswith("another format") for what in catalogue.others)


def _other_content(catalogue: Catalogue) -> str:
    """Return what a tree without images holds, without the names of files."""
    closed = Counter(why for _, why in catalogue.closed)
    parts = [f"{agreeing(count, '{file|files}')}: {what}" for what, count in catalogue.others.items()]
    parts += [f"archives that are not opened: {why} ({count})" for why, count in closed.items()]
    return ", ".join(parts) or "no files"


def _identity(series: Series, catalogue: Catalogue, names: Pseudonyms) -> Identity:
    """Return the identity in the first header that is the patient's: a part of a series may be without a PatientID."""
    if series.patient not in catalogue.anonymous:
        for path in series.files:
            identity = identity_of(path)
            if names.patient(identity.patient) == series.patient:
                return identity
    return identity_of(series.files[0])


def _people(catalogue: Catalogue, identities: Mapping[str, Identity], names: Pseudonyms) -> People:
    identifiers = dict.fromkeys((one.patient for one in catalogue.series), "")
    for one in catalogue.series:
        patient = identities[one.name].patient
        if one.patient not in catalogue.anonymous and names.patient(patient) == one.patient:
            identifiers[one.patient] = patient
    return People(identifiers, names)


def _subjects(catalogue: Catalogue) -> dict[str, str]:
    return {one.name: one.patient for one in catalogue.series}


def _aliases(used: Sequence[Taken], redaction: Redaction, identities: Mapping[str, Identity]) -> dict[Path, str]:
    words: dict[str, set[str]] = {}
    for one in used:
        words.setdefault(one.series.patient, set()).update(identities[one.series.name].words)
    frozen = {patient: frozenset(known) for patient, known in words.items()}
    around: dict[Path, frozenset[str]] = {}
    for one in used:
        known = frozen[one.series.patient]
        for path in one.series.files if one.read_for else one.series.files[:1]:
            # A lost file may be a slice of two patients' series.
            around[path] = around[path] | known if path in around else known
    return {path: redaction.alias(path, known) for path, known in around.items()}


def _is_planning(one: Taken) -> bool:
    """Return whether a series was never a choice: few slices, as of a localiser, or what its description says."""
    return one.series.images <= FEW_SLICES or one.contrast.doubt == OTHER_KIND


def _line(one: Taken, aliases: Mapping[Path, str]) -> SeriesLine:
    number = one.series.facts.number
    return SeriesLine(
        subject=one.series.patient,
        session=one.session,
        modality=one.modality,
        series=one.series.name,
        number="" if math.isnan(number) else f"{number:.0f}",
        images=one.series.images,
        path=aliases[one.series.files[0]],
        why=one.why,
    )
