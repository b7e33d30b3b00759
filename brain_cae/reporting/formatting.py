"""Numbers and estimates as the report prints them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NOT_DEFINED = "not defined"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


def finite(value: Any) -> float | None:
    """The value as a float, or None where it is missing, not a number or infinite; a boolean is not a number."""
    if value is None or isinstance(value, bool | str):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def is_estimate(value: Any) -> bool:
    """Whether a part of ``metrics.json`` is an estimate: a value with an interval."""
    return isinstance(value, Mapping) and {"value", "low", "high"} <= value.keys() and "name" not in value


def decimals(*values: float) -> int:
    """Decimals that keep two figures or more of the largest value, and apart what is not equal (at most 4)."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest == 0:
        return 2
    digits = 0 if largest >= 1000 else 1 if largest >= 20 else 2 if largest >= 0.05 else 3 if largest >= 0.005 else 4
    distinct = len(set(values))
    while digits < 4 and len({round(value, digits) for value in values}) < distinct:
        digits += 1
    return digits


def number(value: Any, *, digits: int | None = None, signed: bool = False) -> str:
    """A number with a typographic minus; ``not defined`` where there is none. Whole numbers stay whole."""
    plain = finite(value)
    if plain is None:
        return NOT_DEFINED
    if digits is None and float(plain).is_integer() and isinstance(value, int):
        text = f"{plain:+,.0f}" if signed else f"{plain:.0f}"
    else:
        digits = decimals(plain) if digits is None else digits
        text = f"{plain:+.{digits}f}" if signed else f"{plain:.{digits}f}"
    if not any(digit in "123456789" for digit in text):
        text = text.lstrip("+-")  # no sign on what rounds to zero
    return text.replace("-", MINUS)


def estimate(value: Any, *, signed: bool = False) -> str:
    """An estimate as ``0.93 [0.88, 0.97] (n=78)``; ``not defined`` when null.

    Args:
        value: ``{"value", "low", "high", "n", ...}``, a plain number, or None.
        signed: Print the sign of a positive value too, for differences.
    """
    if not isinstance(value, Mapping):
        return number(value, signed=signed)
    middle, low, high = (finite(value.get(key)) for key in ("value", "low", "high"))
    if middle is None:
        return NOT_DEFINED
    known = [item for item in (middle, low, high) if item is not None]
    digits = decimals(*known)
    if signed:
        # A bound that is not zero must not look as if it were: what matters in a difference is on which side it lies.
        while digits < 4 and any(item and not round(item, digits) for item in known):
            digits += 1
    text = number(middle, digits=digits, signed=signed)
    if low is not None and high is not None:
        bounds = (number(bound, digits=digits, signed=signed) for bound in (low, high))
        text += f" [{', '.join(bounds)}]"
    count = finite(value.get("n"))
    return text if count is None else f"{text} (n={count:.0f})"


def p_value(value: Any) -> str:
    """A p-value with three decimals at most: ``0.03``, ``0.004``, ``< 0.001``."""
    plain = finite(value)
    if plain is None:
        return NOT_DEFINED
    if plain < 0.001:
        return "< 0.001"
    return f"{plain:.3f}" if plain < 0.1 else f"{plain:.2f}"


def reason(value: Any) -> str:
    """Why an estimate is not defined, as it says itself (``undefined: no lesion``); empty when it does not say."""
    method = str(value.get("method") or "") if isinstance(value, Mapping) else ""
    return method.removeprefix("undefined: ") if method.startswith("undefined: ") else ""


def details(value: Any) -> str:
    """How an estimate was made: number of positives and method, for a tooltip; empty when not known."""
    if not isinstance(value, Mapping):
        return ""
    parts = []
    if (positive := finite(value.get("n_positive"))) is not None:
        parts.append(f"{positive:.0f} positive")
    if value.get("method"):
        parts.append(str(value["method"]))
    return "; ".join(parts)


def words(value: Any) -> str:
    """Anything of ``metrics.json`` as short text: numbers, names, lists as ``1.2 × 1.0 × 1.1``, mappings by key."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NOT_DEFINED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_estimate(value):
        return estimate(value)
    if finite(value) is not None:
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {words(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        numeric = bool(value) and all(finite(item) is not None for item in value)
        return (f" {TIMES} " if numeric and len(value) == 3 else ", ").join(words(item) for item in value)
    return str(value)
