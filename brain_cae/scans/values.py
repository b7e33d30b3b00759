"""Values of a data set of pydicom, which converts them when it is asked for them, and may fail at it."""

import math

from pydicom.dataset import Dataset


def text_of(place: Dataset, name: str) -> str:
    """Return the values of an element as one text, ``""`` if it is absent."""
    return "\\".join(values_of(place, name))


def texts_of(place: Dataset, name: str) -> list[str]:
    """Return the values of an element as texts in capitals."""
    return [value.strip().upper() for value in values_of(place, name)]


def values_of(place: Dataset, name: str) -> list[str]:
    """Return the values of an element as texts; empty if it is absent or malformed."""
    try:
        value = place.get(name)
    except Exception:  # a malformed element counts as unknown
        return []
    if value is None:
        return []
    several = hasattr(value, "__iter__") and not isinstance(value, str)
    return [str(part) for part in value] if several else [str(value)]


def numbers_of(place: Dataset, name: str) -> list[float]:
    """Return the finite numbers of an element."""
    numbers = []
    for value in values_of(place, name):
        try:
            number = float(value)
        except ValueError:
            continue
        numbers += [number] if math.isfinite(number) else []
    return numbers


def items_of(place: Dataset, name: str) -> list[Dataset]:
    """Return the items of a sequence; empty if it is absent or malformed."""
    try:
        return list(place.get(name) or ())
    except Exception:
        return []
