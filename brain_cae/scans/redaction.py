"""Paths that may be written: parts that are not those of any export, or repeat the header, become keyed hashes."""

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from brain_cae.scans.identity import compact, tokens_of
from brain_cae.scans.pseudonym import Pseudonyms

# Names that scanners, archives and viewers count up: IM000001, SE4, series 601, 00001.dcm, export.zip. Images and
# series have counters of up to eight digits. Elsewhere a long number may be a patient's, whatever the header says.
GENERIC = re.compile(
    r"""(?: (?: im | i | imgs? | images? | slices? | instance | se | sr | series? | serie )
            [\ _.-]* (?: \d{1,8} )? (?: [\ _.-]+ 0*\d{1,4} )?
        | (?: dicom (?:dir|dat|s)? | dcm | mri? | stu? | study | studie | pat? | patients? | scans? | exports?
            | exported | data | files? | exam | ex | acq | disk | cd | a | b | s | z | h ) [\ _.-]* (?: 0*\d{1,4} )?
        | \d{1,4}
        | 0*\d{1,4} (?= \.(?: dcm | dicom | ima | img | mrdc )) )
        (?: \.(?: dcm | dicom | ima | img | mrdc | zip ) (?: \.0*\d{1,4} )? )?""",
    re.IGNORECASE | re.VERBOSE | re.ASCII,
)
DATE = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d")


class Redaction:
    """Gives the paths of one tree as they may be written.

    A part stays as it is only if exports in general have such a name and if it repeats nothing of the header: number,
    name and birth date of the patient, dates, institution, physicians, and all free text. Neither is it the PatientID
    of another patient of the tree. Everything else becomes ``x-`` and six digits, the same for the same part, so that
    files of one folder stay together.

    Args:
        root: The folder or archive that paths are relative to.
        names: Gives the pseudonyms.
        patients: The PatientIDs of the tree.
    """

    def __init__(self, root: Path, names: Pseudonyms, patients: Collection[str] = ()) -> None:
        self._root, self._names = root, names
        self._patients = frozenset(map(compact, patients)) - {""}

    def alias(self, path: Path, words: Collection[str]) -> str:
        """Return the path of a file below the root; ``words`` are those of its :class:`Identity`."""
        known = frozenset(words)
        parts = path.relative_to(self._root).parts if path != self._root else (path.name,)
        return "/".join(part if self._may_stay(part, known) else self._names.name("x", part) for part in parts)

    def unopened(self, name: str, words: Collection[str]) -> str:
        """Return the name of an archive that was not opened; ``words`` are those of all headers of the tree.

        Its own headers are unknown, so any number in its name may be that of a patient.
        """
        stays = not re.search(r"\d", name) and self._may_stay(name, frozenset(words))
        return name if stays else self._names.name("x", name)

    def _may_stay(self, part: str, words: frozenset[str]) -> bool:
        return compact(part.partition(".")[0]) not in self._patients and _is_harmless(part, words)


@lru_cache(maxsize=4096)  # the files of a series share their folders
def _is_harmless(part: str, words: frozenset[str]) -> bool:
    if not GENERIC.fullmatch(part) or DATE.search(re.sub(r"\D", "", part)):
        return False
    tokens = tokens_of(part)
    runs = ("".join(tokens[start:stop]) for start, stop in combinations(range(len(tokens) + 1), 2))
    return _compact(words).isdisjoint(runs)


@lru_cache(maxsize=64)
def _compact(words: frozenset[str]) -> frozenset[str]:
    return frozenset(map(compact, words)) - {""}
