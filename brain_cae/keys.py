"""What a key of the configuration may hold, written beside the argument of the class that takes it.

A source, a reshape strategy or a harmoniser declares its keys as the arguments of its class: their types, and in an
``Annotated`` type one of these. The configuration is checked against them before any work starts.

Example:
    >>> from typing import Annotated
    >>> Share = Annotated[float, Between(0, 1, "a share from 0 to 1")]
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Between:
    """A number between two bounds, both included; ``meaning`` says what it is, for the message."""

    low: float
    high: float
    meaning: str


@dataclass(frozen=True)
class OneOf:
    """One of a few words; ``advice`` is added to the message where none of them is given."""

    words: tuple[str, ...]
    advice: str | None = None
