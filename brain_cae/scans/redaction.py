"""Paths that may be written: parts that are not those of any export, or repeat the header, become keyed hashes."""

import re
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from brain_cae.scans.identity import words_of
from brain_cae.scans.pseudonym import Pseudonyms

# Names that scanners, archives and viewers count up: IM000001, SE4, series 601, 00001.dcm, export.zip.
GENERIC = re.compile(
    r"""(?: dicom (?:dir|dat|s)? | dcm | mri? | imgs? | images? | im | i | se | sr | series? | serie | stu? | study
        | studie | pat? | patients? | scans? | exports? | exported | data | files? | slices? | instance | exam | ex
        | acq | disk | cd | a | b | s | z | h )?
        [\ _.-]* (?: \d{1,8} )? (?: [\ _.-]+ \d{1,6} )?
        (?: \.(?: dcm | dicom | ima | img | mrdc | zip ) )? (?: \.\d{1,6} )?""",
    re.IGNORECASE | re.VERBOSE,
)
DATE = re.compile(r"(?:19|20)\d\d[01]\d[0-3]\d")


class Redaction:
    """Gives the paths of one tree as they may be written.

    A part stays as it is only if exports in general have such a name and if it repeats nothing of the header: name,
    number and birth date of the patient, dates, institution, physicians, and all free text. Everything else becomes
    ``x-`` and six digits, the same for the same part, so that files of one folder stay together.
    """

    def __init__(self, root: Path, names: Pseudonyms) -> None:
        self._root, self._names = root, names

    def alias(self, path: Path, words: Collection[str]) -> str:
        """Return the path of a file below the root, ``words`` are those of its header in lower case."""
        known = frozenset(words)
        parts = path.relative_to(self._root).parts if path != self._root else (path.name,)
        return "/".join(part if _may_stay(part, known) else self._names.name("x", part) for part in parts)


@lru_cache(maxsize=4096)  # the files of a series share their folders
def _may_stay(part: str, words: frozenset[str]) -> bool:
    if not GENERIC.fullmatch(part) or DATE.search(re.sub(r"\D", "", part)):
        return False
    digits = [number for number in re.findall(r"\d+", part) if len(number) > 3]
    # A short number counts something; a long one may be that of a patient, with or without zeros in front.
    if any(number in words or number.lstrip("0") in _numbers(words) for number in digits):
        return False
    return not any(word in words for word in words_of(part) if len(word) > 3)


@lru_cache(maxsize=64)
def _numbers(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word.lstrip("0") for word in words if word.isdigit())
