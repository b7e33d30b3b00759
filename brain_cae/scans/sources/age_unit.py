"""The unit of ages in a table of BIDS, which the JSON file beside the table may name."""

import re
from collections.abc import Iterable
from pathlib import Path

from brain_cae.files.documents import read_json

UNITS = {"year": "years", "yr": "years", "month": "months", "week": "weeks", "day": "days"}
NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)\s*\+?")


def unit_of_age(files: Iterable[Path], column: str) -> str:
    """Return the unit that the first of the files gives for a column: one of ``UNITS``, or the text that it has.

    ``years``, as BIDS asks, if there is no such file, or if it says nothing about the unit.
    """
    for path in files:
        try:
            about = read_json(path, encoding="utf-8-sig").get(column)
        except (OSError, ValueError, AttributeError):
            continue
        text = about.get("Units") if isinstance(about, dict) else None
        if isinstance(text, str) and text.strip():
            word = re.search("|".join(UNITS), text.lower())
            return UNITS[word[0]] if word else {"y": "years", "m": "months"}.get(text.strip().lower(), text.strip())
    return "years"


def with_unit(age: str, unit: str) -> str:
    """Return the text of an age with its unit; an age that has a unit keeps it.

    Example:
        >>> with_unit("90", "months"), with_unit("045Y", "months")
        ('90 months', '045Y')
    """
    number = NUMBER.fullmatch(age.strip())
    return f"{number[1]} {unit}" if number and unit in UNITS.values() and unit != "years" else age
