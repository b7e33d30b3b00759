"""What one header says about the patient and the study: in memory only, to keep it out of all that is written."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from brain_cae.scans.elements import ESCAPE, Elements
from brain_cae.scans.headers import LAST, first_part, read_header
from brain_cae.scans.placeholders import anonymity
from brain_cae.scans.raw_header import RawHeader
from brain_cae.scans.silence import silence

NAME, PATIENT, BIRTH, SEX, FRAME = 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x00200052
# Date and time of the study; where an anonymiser removed them, of the acquisition or the series.
MOMENTS = ((0x00080020, 0x00080030), (0x00080022, 0x00080032), (0x00080021, 0x00080031))
ISSUER = 0x00100021
# Representations of names, dates, identifiers and texts.
IDENTIFYING = frozenset(("PN", "DA", "LO", "SH", "UI", "LT", "ST", "DT"))
# Elements that name a machine, not a patient or a study: class, manufacturer, model, sequence, software, region.
TECHNICAL = frozenset((0x00080016, 0x00080070, 0x00081090, 0x00180024, 0x00181020, 0x00180015))
# The group of the patient, and an identifier of the study that is as personal.
PERSON, ACCESSION = 0x0010, 0x00080050
# Shorter words of other texts are in any path: "t1", or the 12 of a UID.
TELLING = 4


Place = tuple[str, str, str, float]
"""When a series was acquired, its identifier and ImageType, and its echo time with a minus: the shorter comes later."""
NOWHERE: Place = ("", "", "", 0.0)


@dataclass(frozen=True)
class Identity:
    """Identifying content of one header: in memory only. ``words`` are in lower case, without signs between them.

    ``words`` are those of four characters and more of all texts, and the patient's names and identifiers of any length.
    ``birth``, ``sex`` and ``name`` (its parts) of the patient, and the ``issuer`` of the PatientID, tell people with
    one PatientID apart; they are empty where unknown. ``frame`` is the frame of reference, in which one examination has
    its positions, and ``place`` what :func:`place_of` returns.
    """

    patient: str
    moment: str
    words: frozenset[str]
    birth: str = ""
    sex: str = ""
    issuer: str = ""
    frame: str = ""
    place: Place = NOWHERE
    name: frozenset[str] = frozenset()

    @property
    def has_date(self) -> bool:
        """Whether ``moment`` starts with a date: a time alone tells no days apart."""
        return not self.moment.startswith(" ") and bool(self.moment)


def identity_of(path: Path) -> Identity:
    """Return names, numbers, dates and free texts of a header as words, to remove them from paths."""
    header = first_part(path) or read_header(path).header
    if header is None:
        return Identity("", "", frozenset())
    words: set[str] = set()
    with silence():
        for tag, kind, text in _identifying(header):
            found = words_of(text)
            if tag >> 16 == PERSON or tag == ACCESSION:
                words |= {compact(value) for value in text.split("\\")} - {""}
                words |= found if kind == "PN" else set()
            words |= {word for word in found if len(word) >= TELLING}
            if kind == "DA":
                words |= _dates(text)
    plain = Elements(header).plain
    patient, birth, sex, issuer, frame = map(plain, (PATIENT, BIRTH, SEX, ISSUER, FRAME))
    day, hour = next(((plain(day), plain(hour)) for day, hour in MOMENTS if plain(day)), ("", ""))
    sex = sex.upper()
    known = sex if sex in ("M", "F") else ""
    place = place_of(Elements(header))
    name = plain(NAME)
    parts = frozenset() if anonymity(name) else frozenset(tokens_of(name))
    return Identity(patient, f"{day} {hour}", frozenset(words), birth, known, issuer, frame, place, parts)


def place_of(header: Elements) -> Place:
    """Return by what series of one number, or without, are ordered; by the time alone where dates were removed."""
    texts = header.text
    moments = [(texts(f"{of}Date"), texts(f"{of}Time")) for of in ("Series", "Acquisition")]
    timed = [moment for moment in moments if moment[1]]
    day, time = next((moment for moment in timed if moment[0]), next(iter(timed), ("", "")))
    kind = "\\".join(header.texts("ImageType"))
    return f"{day} {time}".strip(), texts("SeriesInstanceUID"), kind, -(header.number("EchoTime") or 0.0)


def _identifying(header: RawHeader | Dataset) -> Iterator[tuple[int, str, str]]:
    """Yield tag, representation and text of the elements that may name a patient or a study."""
    tags: list[int] | None = None
    if isinstance(header, RawHeader) and header.explicit:
        tags = []  # those that pydicom must read: in another character set, or of a kind that only a dictionary knows
        for tag, (vr, start, length) in header.places.items():
            kind = vr.decode("latin-1")
            if tag > LAST or tag in TECHNICAL or kind not in (*IDENTIFYING, "UN"):
                continue
            value = header.data[start : start + length]
            if kind == "UN" or ESCAPE in value or not value.isascii():
                tags.append(tag)
            else:
                yield tag, kind, value.decode()
    if tags is None or tags:
        for element in _elements(Elements(header).dataset, tags):
            if element.VR in IDENTIFYING and element.tag not in TECHNICAL and element.tag <= LAST:
                values = [element.value] if element.VM < 2 else element.value
                yield element.tag, element.VR, "\\".join(map(str, values))


def words_of(text: str) -> set[str]:
    """Return the words of a text in lower case, and the words together."""
    words = re.findall(r"\w+", text.lower().replace("_", " "))
    return {word for word in (*words, "".join(words)) if len(word) > 1}


def tokens_of(text: str) -> list[str]:
    """Return the numbers, without zeros in front, and the runs of letters of a text, in lower case."""
    tokens = re.findall(r"\d+|[^\W\d_]+", unicodedata.normalize("NFKC", text).lower())
    return [token.lstrip("0") or "0" if token.isdigit() else token for token in tokens]


def compact(text: str) -> str:
    """Return a text as it is compared with others: ``S-0012``, ``s12`` and ``S 12`` are the same."""
    return "".join(tokens_of(text))


def _dates(text: str) -> set[str]:
    digits = re.sub(r"\D", "", text)
    if len(digits) != 8:
        return set()
    year, month, day = digits[:4], digits[4:6], digits[6:]
    return {digits, digits[2:], day + month + year, day + month + year[2:], month + day + year, month + day + year[2:]}


def _elements(header: Dataset, tags: Sequence[int] | None) -> Iterator[Any]:
    for tag in list(header.keys()) if tags is None else tags:
        try:
            yield header[tag]
        except Exception:  # a malformed element names nobody
            continue
