"""Constraints on configuration keys, declared next to the class argument that takes the value.

The arguments of a source, reshape strategy or harmoniser are its configuration keys. Their types, and a constraint in
an ``Annotated`` type, are checked before any work starts.

Example:
    >>> from typing import Annotated
    >>> Share = Annotated[float, Between(0, 1, "a share from 0 to 1")]
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Between:
    """A number between two inclusive bounds; ``meaning`` describes valid values in the error message."""

    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class OneOf:
    """One of a list of allowed words; ``advice`` is added to the error message for any other word."""

    words: tuple[str, ...]
    advice: str | None = None
