"""IXI as published: healthy subjects, NIfTI files in flat folders, and a spreadsheet with age and sex."""

import filecmp
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from brain_cae.errors import DatasetError
from brain_cae.scans.formats import is_nifti
from brain_cae.scans.sources.base import (
    SeriesLocation,
    check_folder,
    check_modalities,
    counted,
    describe,
    listing,
    the_only,
    unused,
)
from brain_cae.scans.sources.choice import CHOICES, apply_choices
from brain_cae.scans.sources.roots import wrong_root
from brain_cae.scans.sources.table import SUFFIXES, age_of, not_understood, read_table, sex_of
from brain_cae.vocabulary import NOBODY, LabelMeaning

CONTRASTS = {"t1": "T1", "t2": "T2"}
FILE = re.compile(r"(IXI\d+)-([A-Za-z]+)-\d+-([A-Za-z0-9]+)\.nii(\.gz)?")
LAYOUT = "files such as IXI002-Guys-0828-T1.nii.gz, in one folder or in one folder per contrast"
ADVICE = "Set dataset.root to the folder in which IXI-T1.tar and IXI-T2.tar were unpacked."
SPREADSHEET = "the columns IXI_ID, AGE and SEX_ID (1=m, 2=f)"
SEXES = {"1": "M", "2": "F"}
# From the website of the data set: Guy's Hospital, Hammersmith Hospital, Institute of Psychiatry.
SCANNERS = {
    "Guys": {"manufacturer": "Philips", "field_strength_t": 1.5},
    "HH": {"manufacturer": "Philips", "field_strength_t": 3.0},
    "IOP": {"manufacturer": "GE", "field_strength_t": 1.5},
}


@dataclass
class Ixi:
    """Information eXtraction from Images: all subjects are ``healthy``, with skull; T1 and T2, no FLAIR.

    ``table`` is the spreadsheet; by default ``IXI.xls``, ``.xlsx``, ``.csv`` or ``.tsv`` in the root, if it exists.
    A scan in several files is left out unless they are copies, or ``series.csv`` in the root selects one.
    ``locate`` raises DatasetError for a modality that IXI lacks, or a wrong folder.
    """

    layout: ClassVar[str] = LAYOUT
    meaning: ClassVar[LabelMeaning] = LabelMeaning("healthy volunteers", NOBODY, True)

    root: str
    modalities: Sequence[str] = ("t1", "t2")
    table: str | None = None
    name: str = field(default="ixi", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """Return the scans of every subject, in any folder below the root."""
        if lacking := [name for name in self.modalities if name not in CONTRASTS]:
            raise DatasetError(
                f"IXI has no scan of the modality `{lacking[0]}`.",
                expected=f"{', '.join(CONTRASTS)} (IXI also has PD, MRA and DTI, which are not used)",
                found=", ".join(self.modalities),
                where="modality",
                advice="Train with modality=t1, t2 or t1_t2; a model of other modalities cannot score IXI.",
            )
        root = Path(self.root)
        check_folder(root, problem="The data set's folder does not exist.", expected=LAYOUT, advice=ADVICE)
        sites, scans, others = _find(root)
        if not scans:
            problem = "The folder contains no scan of IXI."
            raise wrong_root("ixi", root, problem=problem, expected=LAYOUT, found=describe(root), advice=ADVICE)
        people = self._people(root, sorted(sites))
        tables = (root / self.table if self.table else _spreadsheet(root), root / CHOICES)
        text = "{file is not a scan|files are not scans} of T1 or T2 and {is|are} left out"
        self._notes += counted(unused([path for path in others if path not in tables], root, text))
        locations = [
            SeriesLocation(
                subject=subject,
                modality=modality,
                **the_only([(path,) for path in scans.get((subject, modality), ())]),
                label="healthy",
                source=self.name,
                site=sites[subject],
                age=people.get(subject, (None, ""))[0],
                sex=people.get(subject, (None, ""))[1],
                skull="on",
                acquisition=SCANNERS.get(sites[subject], {}),
            )
            for subject in sorted(sites)
            for modality in self.modalities
        ]
        return apply_choices(locations, root)

    def notes(self) -> list[str]:
        """Return which subjects have no known age and sex."""
        return list(self._notes)

    def _people(self, root: Path, subjects: list[str]) -> dict[str, tuple[float | None, str]]:
        """Return age and sex of each subject in the spreadsheet; contradictory values become unknown."""
        path = root / self.table if self.table else _spreadsheet(root)
        if path is None:
            self._notes = ["There is no spreadsheet (IXI.xls) in the root of IXI: age and sex are unknown."]
            return {}
        table = read_table(path, expected=SPREADSHEET)
        sex_column = next((name for name in table.columns if name.upper().startswith("SEX")), None)
        if sex_column is None or not {"IXI_ID", "AGE"} <= set(table.columns):
            actual = f"the columns {', '.join(table.columns)}"
            raise DatasetError(
                "The spreadsheet of IXI has other columns.", expected=SPREADSHEET, found=actual, where=str(path)
            )
        people: dict[str, tuple[float | None, str]] = {}
        known: dict[str, dict[str, str]] = {}
        contradictory = set()
        nameless = []
        for line, row in zip(table.numbers, table.rows, strict=True):
            number = re.fullmatch(r"(?:IXI)?(\d+)(?:\.0*)?", row["IXI_ID"], re.IGNORECASE)
            if number is None:
                nameless.append(f"line {line}")
                continue
            subject = f"IXI{int(number[1]):03d}"
            sex = SEXES.get(row[sex_column].partition(".")[0], row[sex_column])
            facts = age_of(row["AGE"]), sex_of(sex)
            # 0 stands for what was not recorded.
            known[subject] = {"age": row["AGE"].strip("0.,") and row["AGE"], "sex": sex.strip("0") and sex}
            if people.setdefault(subject, facts) != facts:
                contradictory.add(subject)
        people |= dict.fromkeys(contradictory, (None, ""))
        lists = {
            "{subject is|subjects are} not in the spreadsheet: {its|their} age and sex are unknown": sorted(
                set(subjects) - set(people)
            ),
            "{subject is|subjects are} in the spreadsheet twice with different values: age and sex are unknown": sorted(
                contradictory & set(subjects)
            ),
            "{line|lines} of the spreadsheet {has|have} no number in IXI_ID and {is|are} ignored": nameless,
            "{subject in the spreadsheet has|subjects in the spreadsheet have} no scans and {is|are} left out": sorted(
                set(people) - set(subjects)
            ),
            **not_understood((name, known[name]) for name in subjects if name in known),
        }
        self._notes = counted(lists)
        return people


def _find(root: Path) -> tuple[dict[str, str], dict[tuple[str, str], list[Path]], list[Path]]:
    """Return the site of each subject, the files of each subject and modality, and everything else that is there.

    Of identical files only the first is listed.
    """
    contrasts = {contrast: modality for modality, contrast in CONTRASTS.items()}
    sites: dict[str, str] = {}
    scans: dict[tuple[str, str], list[Path]] = {}
    inside = listing(root)
    others = [*inside.others]
    for path in inside.files:
        # Some programs export the file x.nii as the folder x.nii with one file in it.
        match = FILE.fullmatch(path.name) or (FILE.fullmatch(path.parent.name) if is_nifti(path) else None)
        if match is None or match[3].upper() not in contrasts:
            others.append(path)
            continue
        key = match[1], contrasts[match[3].upper()]
        files = scans.setdefault(key, [])
        if not any(_is_copy(path, other) for other in files):
            files.append(path)
        sites[key[0]] = match[2]
    return sites, scans, others


def _is_copy(path: Path, other: Path) -> bool:
    """Return whether two files are identical; a file that cannot be read, which the import reports, is no copy."""
    try:
        return filecmp.cmp(path, other, shallow=False)
    except OSError:
        return False


def _spreadsheet(root: Path) -> Path | None:
    names = {f"ixi{suffix}" for suffix in SUFFIXES}
    return next((path for path in sorted(root.iterdir()) if path.name.lower() in names), None)
