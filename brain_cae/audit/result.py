"""The result of one audit test."""

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

from brain_cae.audit.table import AuditTable

CONCERN, NO_CONCERN, CANNOT_TELL = "concern", "no concern", "cannot tell"


@dataclass(frozen=True)
class AuditTest:
    """The result of one test.

    Args:
        name: The test's file, for example ``"within_protocol"``.
        value: The estimate; ``None`` if undefined.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
        p: Permutation p value, where the test has one.
        verdict: ``concern``, ``no concern`` or ``cannot tell``.
        sentence: What the result means, for the reader.
        n: Number of subjects used.
        n_needed: About how many subjects would be needed, if the test could not tell.
        upper_bound: One-sided 95 % upper bound, for tests that can show an absence.
        details: Rows for a table, for example one per protocol.
        p_corrected: p after correction for multiple testing within the family.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    verdict: str
    sentence: str
    n: int
    n_needed: int | None = None
    upper_bound: float | None = None
    details: list[dict[str, Any]] = field(default_factory=list)
    p_corrected: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; numbers that are not finite become ``None``."""
        return {key: _plain(entry) for key, entry in vars(self).items()}


class ExtraTest(Protocol):
    """A test of the user's own, named in ``audit.extra``; its class takes ``name``, and the keys of its option.

    It is shown among the others, corrected with them, and never part of the verdict.
    """

    def __call__(self, table: AuditTable, *, seed: int) -> AuditTest | None:
        """The answer on the labelled subjects; None where there is nothing to ask."""
        ...


def unable(name: str, sentence: str, *, n: int, n_needed: int | None = None) -> AuditTest:
    """Return the result of a test that cannot tell."""
    return AuditTest(name, None, None, None, None, CANNOT_TELL, sentence, n, n_needed)


def _plain(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {str(key): _plain(value) for key, value in entry.items()}
    if isinstance(entry, (list, tuple)):
        return [_plain(value) for value in entry]
    if entry is None or isinstance(entry, (str, bool)):
        return entry
    if isinstance(entry, int):
        return entry
    number = float(entry)
    return number if math.isfinite(number) else None
