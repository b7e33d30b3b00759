"""What forbids a figure to look like good news: cautions, too few subjects, scanners and skulls never seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at, column, scored
from brain_cae.reporting.formatting import finite, is_estimate
from brain_cae.vocabulary import Serious

VERDICT_TONES = {
    "confounded": "red", "at risk": "amber", "clear": "green", "concern": "amber", "no concern": "green",
    "no evidence": "red", "read with care": "amber", "stands": "green",
}  # fmt: skip
SHARE = 0.1
"""Of the subjects, the share that a caution about some of them must exceed to be one about the figures of all."""
FEWEST = 2
"""Subjects from which a figure may stand in green."""


def serious(content: ReportContent, subjects: Iterable[str] | None = None) -> list[str]:
    """Return the cautions that stand over the verdict.

    A caution about single scans does not make the figures of a cohort worthless.

    Args:
        content: Content of the report.
        subjects: Those that the page is about; None: all that were read.
    """
    about = set(column(content.index, "subject") if subjects is None else subjects)
    return [caution for caution in content.cautions if isinstance(caution, Serious) and _concerns(caution, about)]


def _concerns(caution: Serious, subjects: set[str]) -> bool:
    if not caution.subjects or not subjects:
        return True
    return len(caution.subjects & subjects) > SHARE * len(subjects)


def serious_of_runs(runs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the serious cautions in the ``metrics.json`` of several runs, each once, with the runs that have it."""
    found: dict[str, list[str]] = {}
    for name, metrics in runs.items():
        cautions = at(metrics, "cautions")
        for caution in cautions if isinstance(cautions, list) else []:
            found.setdefault(str(caution), []).append(name)
    return [f"Run{'' if len(names) == 1 else 's'} {', '.join(names)}: {text}" for text, names in found.items()]


def is_outside(content: ReportContent) -> bool:
    """Return whether all scored scans are unlike those that calibrate."""
    return set(column(scored(content), "out_of_calibration").astype(str).str.lower()) == {"true"}


def is_doubtful(content: ReportContent) -> bool:
    """Return whether no figure of this report may stand in green."""
    return bool(serious(content)) or is_outside(content)


def tone(content: ReportContent, verdict: str, keys: Iterable[str] = ()) -> str:
    """Return the colour of a verdict; none instead of green in case of doubt.

    Args:
        content: Content of the report.
        verdict: Verdict of the audit, of a test, or standing of a figure.
        keys: Dotted keys of ``metrics.json`` of the figures that it is about.
    """
    colour = VERDICT_TONES.get(verdict, "")
    few = any(count < FEWEST for key in keys for count in _counts(at(content.metrics, *key.split("."))))
    return "" if colour == "green" and (few or is_doubtful(content)) else colour


def _counts(part: Any) -> list[float]:
    """Return the numbers of subjects of all estimates of a part of the metrics."""
    if is_estimate(part):
        count = finite(part.get("n"))
        return [] if count is None else [count]
    return [count for value in part.values() for count in _counts(value)] if isinstance(part, Mapping) else []
