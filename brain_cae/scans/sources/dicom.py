"""A folder as a hospital gives it: any tree of DICOM files, or a zip of one; see docs/dicom.md."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from brain_cae.errors import DatasetError
from brain_cae.scans import archives
from brain_cae.scans.catalogue import Catalogue, Series, describe_others, read_catalogue
from brain_cae.scans.contrast_rules import SCOUT_TE_MS, SCOUT_TR_MS, UNKNOWN, Contrast, contrast_of, settled
from brain_cae.scans.headers import Identity, identity_of
from brain_cae.scans.pseudonym import Pseudonyms, default_key_file, read_key
from brain_cae.scans.redaction import Redaction
from brain_cae.scans.sources.base import (
    Label,
    SeriesLocation,
    Skull,
    check_folder,
    check_modalities,
    counted,
    some,
)
from brain_cae.scans.sources.people import People, copy_mask, find_masks, read_labels
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.series_table import SeriesLine, read_series_table, write_series_table
from brain_cae.vocabulary import MODALITIES, LabelMeaning

LAYOUT = "DICOM files of any names, in folders of any names, or a zip of them"
ADVICE = "Set dataset.root to the folder, zip or DICOMDIR of the export; for NIfTI files use dataset=folder."
MASKS = {"lesion_mask": "masks", "brain_mask": "brain_masks"}
TABLES = ("labels.csv", "labels.tsv", "series.csv")
# A brain is about 130 mm high and 170 mm long: of a thinner stack most of it is missing.
WHOLE_MM = 90.0
# Series that agree in the first criteria are all read; the import takes the best that forms a regular volume.
ALIKE = 3
REASONS = (
    "covers the whole head", "leaves no doubt", "is original", "is no fast scout", "has more slices", "has more voxels",
    "has the higher number", "comes later by name",
)  # fmt: skip


@dataclass(frozen=True)
class _Taken:
    """A series, its session, what it was taken for, what it is used as (``""`` if it is left out), and why.

    ``read_for`` is also set for the runners-up: if the best series turns out to lack slices, the import takes the next.
    """

    series: Series
    session: str
    contrast: Contrast
    modality: str = ""
    why: str = ""
    read_for: str = ""


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
        catalogue = read_catalogue(
            root,
            names,
            store=Path(self.cache) / "catalogue" if self.cache else None,
            write=self.write,
            workers=self.workers,
            progress=self.progress,
            leave_out=(*MASKS.values(), *TABLES),
        )
        if not catalogue.series:
            raise wrong_root(
                self.name,
                root,
                problem="The folder contains no DICOM image.",
                expected=LAYOUT,
                found=", ".join(f"{count} files: {what}" for what, count in catalogue.others.items()) or "no files",
                advice=ADVICE,
            )
        identities = {one.name: identity_of(one.files[0]) for one in catalogue.series}
        people = _people(catalogue, identities, names)
        taken = _taken(_sessions(catalogue, identities))
        table = self._table(beside)
        chosen = None if table is None else read_series_table(table, _subjects(catalogue), people.find)
        used = _by_table(taken, chosen) if chosen is not None else _by_rule(taken)
        aliases = _aliases(used, root, names, identities)
        ordered = sorted(used, key=lambda one: (one.series.patient, one.session, _number(one), one.series.name))
        self._lines = [_line(one, aliases) for one in ordered]
        # The stored configuration of a run names the table too; only a look insists on writing it.
        if self.write_series is not None and not (self.write and Path(self.write_series).exists()):
            write_series_table(Path(self.write_series), self._lines)
        labels, unlabelled = self._labels(beside, people)
        masks, strangers = self._find_masks(beside, people, names)
        self._notes = [caution] if caution else []
        self._notes += [*describe_others(catalogue.others), *_cautions(used, catalogue)]
        self._notes += counted(
            {
                "archives are not opened": [
                    f"{Redaction(Path(), names).alias(Path(name), ())} ({why})" for name, why in catalogue.closed
                ],
                "labelled subjects have no scans and are left out": unlabelled,
                f"subjects have no label and are treated as {self.label or 'unknown'}": sorted(
                    set(people.identifiers) - set(labels)
                )
                if labels
                else [],
                "masks are not named after a subject": strangers,
            }
        )
        return self._locations(used, aliases, labels, masks)

    def notes(self) -> list[str]:
        """Return what was left out, what is in doubt, and what the tables name besides."""
        return list(self._notes)

    def overview(self) -> list[SeriesLine]:
        """Return every series with what it is used as and why, after :meth:`locate`."""
        return list(self._lines)

    def _table(self, beside: Path) -> Path | None:
        if self.series is not None:
            return Path(self.series)
        return path if (path := beside / "series.csv").is_file() else None

    def _labels(self, beside: Path, people: People) -> tuple[dict[str, str], list[str]]:
        path = Path(self.labels) if self.labels else next((p for n in TABLES[:2] if (p := beside / n).is_file()), None)
        return people.match(read_labels(path)) if path else ({}, [])

    def _find_masks(
        self, beside: Path, people: People, names: Pseudonyms
    ) -> tuple[dict[str, dict[str, Path]], list[str]]:
        masks: dict[str, dict[str, Path]] = {}
        strangers: list[str] = []
        for kind, folder in MASKS.items():
            masks[kind], others = people.match(find_masks(beside / folder))
            strangers += others
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
                    self._notes.append(f"The {kind.replace('_', ' ')} of {subject} cannot be read and is left out.")
        return masks, strangers

    def _locations(
        self,
        used: Sequence[_Taken],
        aliases: Mapping[Path, str],
        labels: Mapping[str, str],
        masks: Mapping[str, Mapping[str, Path]],
    ) -> list[SeriesLocation]:
        by_place: dict[tuple[str, str], list[_Taken]] = {}
        for one in used:
            by_place.setdefault((one.series.patient, one.session), []).append(one)
        locations = []
        for (subject, session), scans in by_place.items():
            for modality in self.modalities:
                files = tuple(path for one in scans if one.read_for == modality for path in one.series.files)
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
                            if one.contrast.name == modality and not one.modality and not one.read_for
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


def _people(catalogue: Catalogue, identities: Mapping[str, Identity], names: Pseudonyms) -> People:
    identifiers = {
        one.patient: "" if one.patient in catalogue.anonymous else identities[one.name].patient
        for one in catalogue.series
    }
    return People(identifiers, names)


def _subjects(catalogue: Catalogue) -> dict[str, str]:
    return {one.name: one.patient for one in catalogue.series}


def _sessions(catalogue: Catalogue, identities: Mapping[str, Identity]) -> list[tuple[Series, str]]:
    """Return each series with the name of its session: the studies of a patient in the order of their dates."""
    moments: dict[str, dict[str, str]] = {}
    for one in catalogue.series:
        studies = moments.setdefault(one.patient, {})
        moment = identities[one.name].moment
        studies[one.study] = min(moment, studies.get(one.study, moment))
    sessions = {}
    for patient, studies in moments.items():
        digits = len(str(len(studies)))
        for number, study in enumerate(sorted(studies, key=lambda study: (studies[study], study)), start=1):
            sessions[patient, study] = f"s{number:0{digits}d}"
    return [(one, sessions[one.patient, one.study]) for one in catalogue.series]


def _taken(series: Sequence[tuple[Series, str]]) -> list[_Taken]:
    """Return what each series is taken for, alone and beside the others of its session."""
    sessions: dict[tuple[str, str], list[Series]] = {}
    for one, session in series:
        sessions.setdefault((one.patient, session), []).append(one)
    return [
        _Taken(one, session, contrast)
        for (_, session), scans in sessions.items()
        for one, contrast in zip(scans, settled([contrast_of(one.facts.physics) for one in scans]), strict=True)
    ]


def _rank(one: _Taken) -> tuple[Any, ...]:
    """Rank of a series among those of one contrast, by ``REASONS``: the rule of ``scans/dicom.py`` after two others."""
    facts, physics = one.series.facts, one.series.facts.physics
    height = facts.thickness * one.series.images
    scout = physics.tr < SCOUT_TR_MS and physics.te < SCOUT_TE_MS
    return (
        not height < WHOLE_MM,
        not one.contrast.doubt,
        not facts.derived,
        not scout,
        one.series.images,
        one.series.images * facts.rows * facts.columns,
        _number(one),
        one.series.name,
    )


def _number(one: _Taken) -> float:
    return 0.0 if math.isnan(one.series.facts.number) else one.series.facts.number


def _by_rule(taken: Sequence[_Taken]) -> list[_Taken]:
    """Return the series with the best of each subject, session and modality in use, and why the others are not."""
    best: dict[tuple[str, str, str], _Taken] = {}
    for one in taken:
        place = (one.series.patient, one.session, one.contrast.name)
        if one.contrast.name in MODALITIES and (place not in best or _rank(one) > _rank(best[place])):
            best[place] = one
    used = []
    for one in taken:
        why, doubt = one.contrast.why, f"; in doubt: {one.contrast.doubt}" if one.contrast.doubt else ""
        winner = best.get((one.series.patient, one.session, one.contrast.name))
        if winner is one:
            name = one.contrast.name
            used.append(replace(one, modality=name, why=f"{why}{doubt}", read_for=name))
        elif winner is None:
            used.append(replace(one, why=f"{one.contrast.name}: {why}{doubt}"))
        else:
            first, second = _rank(winner), _rank(one)
            reason = next(text for text, a, b in zip(REASONS, first, second, strict=True) if a != b)
            said = f"another series was taken: it {reason} ({one.contrast.name}: {why}{doubt})"
            used.append(replace(one, why=said, read_for=one.contrast.name if first[:ALIKE] == second[:ALIKE] else ""))
    return used


def _by_table(taken: Sequence[_Taken], chosen: Mapping[str, str]) -> list[_Taken]:
    """Return the series as a table uses them; it decides for every subject that it names, rules for the others.

    Raises:
        DatasetError: It names two series of one session for one modality.
    """
    listed = {one.series.patient for one in taken if one.series.name in chosen}
    used = _by_rule([one for one in taken if one.series.patient not in listed])
    places: dict[tuple[str, str, str], str] = {}
    for one in taken:
        if one.series.patient not in listed:
            continue
        modality = chosen.get(one.series.name, "")
        place = (one.series.patient, one.session, modality)
        if modality and place in places:
            raise DatasetError(
                "The table of series names two series for one modality.",
                expected="one series for each modality of a session; leave the modality of the others empty",
                found=f"{places[place]} and {one.series.name} as {modality} of {place[0]}, session {place[1]}",
                where="dataset.series",
            )
        places[place] = one.series.name
        said = "chosen in the table of series" if modality else "left out in the table of series"
        said = said if one.series.name in chosen else "not in the table of series"
        why = f"{said} ({one.contrast.name}: {one.contrast.why})"
        used.append(replace(one, modality=modality, read_for=modality, why=why))
    return sorted(used, key=lambda one: (one.series.patient, one.session, one.series.name))


def _aliases(
    used: Sequence[_Taken], root: Path, names: Pseudonyms, identities: Mapping[str, Identity]
) -> dict[Path, str]:
    redaction = Redaction(root, names)
    words: dict[str, set[str]] = {}
    for one in used:
        words.setdefault(one.series.patient, set()).update(identities[one.series.name].words)
    aliases = {}
    for one in used:
        known = words[one.series.patient]
        for path in one.series.files if one.read_for else one.series.files[:1]:
            aliases[path] = redaction.alias(path, known)
    return aliases


def _line(one: _Taken, aliases: Mapping[Path, str]) -> SeriesLine:
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


def _cautions(used: Sequence[_Taken], catalogue: Catalogue) -> list[str]:
    doubtful = [
        f"{one.series.patient} {one.modality}: {one.contrast.doubt}"
        for one in used
        if one.modality and one.contrast.doubt
    ]
    kinds = Counter(one.contrast.name for one in used if one.contrast.name not in MODALITIES)
    unknown = kinds.pop(UNKNOWN, 0)
    notes = counted(
        {
            "subjects have no PatientID that tells them apart; each of their studies counts as a subject": sorted(
                catalogue.anonymous
            ),
            "series are used in doubt": doubtful,
        }
    )
    if kinds:
        notes.append(
            f"{kinds.total()} series have a contrast that is not used: "
            f"{some([f'{name} ({count})' for name, count in kinds.most_common()], 8)}."
        )
    if unknown:
        notes.append(f"{unknown} series have an unknown contrast; dataset.write_series=… lists them with the reason.")
    return notes
