"""PatientIDs that stand for nobody: what anonymisers and scanners write where no number is left."""

import re
from typing import Literal

# Whole values.
EXACT = frozenset({"", "n/a", "na", "x", "no id", "noid", "no_value", "test", "id"})
# A value of these words alone, and of no digit, is nobody's: "Anonymous^Patient", "NOT SPECIFIED", "[REDACTED]".
WORDS = frozenset(
    {
        "anon", "anonym", "anonymous", "anonymised", "anonymized", "anonymise", "anonymize", "patient", "patientid",
        "subject", "id", "name", "no", "not", "none", "null", "nil", "unknown", "undefined", "unspecified", "specified",
        "available", "applicable", "deidentified", "de", "identified", "redacted", "removed", "deleted", "masked",
        "hidden", "blank", "empty", "missing", "default", "private", "confidential", "value",
    }
)  # fmt: skip
# As many equal digits are as likely a filler as a number: 9999, 111111.
FILLER = re.compile(r"(\d)\1{3,}")

Anonymity = Literal["", "word", "filler"]


def anonymity(patient: str) -> Anonymity:
    """Return whether a PatientID is a word for nobody, a filler, or (``""``) tells a person apart.

    A filler (zeros, or four and more of another digit) may be a patient's number, as in BraTS: it is nobody's only if
    several studies have it.

    >>> anonymity("Anonymous^"), anonymity("0000"), anonymity("ANON-0042")
    ('word', 'filler', '')
    """
    word = " ".join(patient.lower().split())
    if word in EXACT:
        return "word"
    words = re.findall(r"[^\W_]+", word)
    if not words or all(one in WORDS or not one.strip("x") for one in words):
        return "word"
    return "filler" if not word.strip("0") or FILLER.fullmatch(word) else ""
