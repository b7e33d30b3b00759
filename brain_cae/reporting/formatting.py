"""Formatting of numbers and estimates for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

NOT_DEFINED = "not defined"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"


def finite(value: Any) -> float | None:
    """Return the value as a float; None if it is missing, a boolean, text, NaN or infinite."""
    if value is None or isinstance(value, bool | str):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def is_estimate(value: Any) -> bool:
    """Return whether a part of ``metrics.json`` is an estimate: a value with an interval."""
    return isinstance(value, Mapping) and {"value", "low", "high"} <= value.keys() and "name" not in value


def decimals(*values: float) -> int:
    """Return the decimals that show two significant digits of the largest value and keep unequal values distinct.

    At most 4.
    """
    largest = max((abs(value) for value in values), default=0.0)
    if largest == 0:
        return 2
    digits = 0 if largest >= 1000 else 1 if largest >= 20 else 2 if largest >= 0.05 else 3 if largest >= 0.005 else 4
    distinct = len({round(value, 4) for value in values})  # what differs in later decimals is equal to a reader
    while digits < 4 and len({round(value, digits) for value in values}) < distinct:
        digits += 1
    return digits


def number(value: Any, *, digits: int | None = None, signed: bool = False) -> str:
    """Format a number with a typographic minus; ``not defined`` if it is missing. Integers get no decimals."""
    finite_value = finite(value)
    if finite_value is None:
        return NOT_DEFINED
    if digits is None and finite_value.is_integer() and isinstance(value, int):
        text = f"{finite_value:+,.0f}" if signed else f"{finite_value:.0f}"
    else:
        digits = decimals(finite_value) if digits is None else digits
        text = f"{finite_value:+.{digits}f}" if signed else f"{finite_value:.{digits}f}"
    if not any(digit in "123456789" for digit in text):
        text = text.lstrip("+-")  # no sign on a value that rounds to zero
    return text.replace("-", MINUS)


def estimate(value: Any, *, signed: bool = False) -> str:
    """Format an estimate as ``0.93 [0.88, 0.97] (n=78)``; ``not defined`` if it is null.

    Args:
        value: ``{"value", "low", "high", "n", ...}``, a plain number, or None.
        signed: Also print the sign of positive values, for differences.
    """
    if not isinstance(value, Mapping):
        return number(value, signed=signed)
    middle, low, high = (finite(value.get(key)) for key in ("value", "low", "high"))
    if middle is None:
        return NOT_DEFINED
    known = [item for item in (middle, low, high) if item is not None]
    digits = decimals(*known)
    if signed:
        # A nonzero bound must not be printed as zero: the reader looks at which side of zero the interval lies on.
        while digits < 4 and any(round(item, 4) and not round(item, digits) for item in known):
            digits += 1
    text = number(middle, digits=digits, signed=signed)
    if low is not None and high is not None:
        bounds = (number(bound, digits=digits, signed=signed) for bound in (low, high))
        text += f" [{', '.join(bounds)}]"
    count = finite(value.get("n"))
    return text if count is None else f"{text} (n={count:.0f})"


def p_value(value: Any) -> str:
    """Format a p-value with three decimals, ``0.154``, ``< 0.001``: with fewer, it could seem to be at most alpha."""
    p = finite(value)
    if p is None:
        return NOT_DEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def volume(value: Any) -> str:
    """Format a volume in mL with one decimal; a small one with more, so that it is not ``0.0``: ``0.023``."""
    millilitres = finite(value)
    return number(millilitres, digits=None if millilitres is not None and 0 < millilitres < 0.1 else 1)


def percent(value: Any) -> str:
    """Format a share as a percentage: ``4.3 %``, ``95 %``."""
    share = finite(value)
    return NOT_DEFINED if share is None else f"{100 * share:.1f}".removesuffix(".0") + " %"


def reason(value: Any) -> str:
    """Return the stored reason why an estimate is not defined (``undefined: no lesion``); empty if there is none."""
    method = str(value.get("method") or "") if isinstance(value, Mapping) else ""
    return method.removeprefix("undefined: ") if method.startswith("undefined: ") else ""


def details(value: Any) -> str:
    """Return number of positives and method of an estimate for a tooltip; empty if neither is known."""
    if not isinstance(value, Mapping):
        return ""
    parts = []
    if (positive := finite(value.get("n_positive"))) is not None:
        parts.append(f"{positive:.0f} positive")
    if value.get("method"):
        parts.append(str(value["method"]))
    return "; ".join(parts)


def words(value: Any) -> str:
    """Format any value of ``metrics.json`` as short text: numbers, names, lists as ``1.2 × 1.0 × 1.1``, mappings."""
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
