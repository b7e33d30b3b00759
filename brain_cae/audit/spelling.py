"""Text of a table as people type it: spellings of one word, and numbers with their unit."""

import re

import pandas as pd

UNIT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*(t|tesla|ms|mm|deg|°)?", re.IGNORECASE)
"""A number with the unit of a scan parameter, or without."""


def one_spelling(column: pd.Series) -> tuple[pd.Series, bool]:
    """Return a column whose texts that differ in case or blanks only are as the first of them, and whether any did.

    Numbers with one unit behind (``3T``, ``3.0 T``) become numbers. Other values stay as they are.

    Example:
        >>> one_spelling(pd.Series(["SIEMENS", "Siemens ", None]))[0].tolist()
        ['SIEMENS', 'SIEMENS', None]
        >>> one_spelling(pd.Series(["3T", "1.5 T"]))[0].tolist()
        [3.0, 1.5]
    """
    texts = [value for value in column if isinstance(value, str)]
    found = [UNIT.fullmatch(text.strip()) for text in texts]
    units = {match[2].lower() for match in found if match and match[2]}
    if len(units) == 1 and all(found):
        numbers = {text: float(match[1]) for text, match in zip(texts, found, strict=True) if match}
        return column.map(lambda value: numbers[value] if isinstance(value, str) else value), False
    first: dict[str, str] = {}
    for text in texts:
        first.setdefault(_key(text), " ".join(text.split()))
    merged = len(first) < len(set(texts))
    return column.map(lambda value: first[_key(value)] if isinstance(value, str) else value), merged


def _key(text: str) -> str:
    return " ".join(text.split()).casefold()
