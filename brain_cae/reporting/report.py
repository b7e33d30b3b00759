"""``report.html``: one self-contained file, from the verdict to the configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brain_cae.files.atomic import write_text
from brain_cae.reporting import charts, doubts, headline, methods, niivue, pictures, sections, viewer
from brain_cae.reporting.content import ReportContent, SubjectView
from brain_cae.reporting.page import render, script

__all__ = ["ReportContent", "SubjectView", "write_audit_report", "write_report"]


def write_report(path: Path, content: ReportContent) -> Path:
    """Write the report of one run, atomically.

    Args:
        path: File to write, for example ``<run>/report.html``.
        content: What to show. Missing parts are left out, and the report gives the reason.

    Returns:
        The path.
    """
    gallery, brains = viewer.interactive(content, pictures.gallery(content))
    parts = sections.parts(content, charts.all_charts(content), gallery)
    parts.insert(-1, methods.methods(content))
    shown = {"summary": headline.summary(content), "cards": headline.cards(content), "parts": parts}
    return _write(path, content, brains=brains, **shown)


def write_audit_report(path: Path, content: ReportContent, *, summary: str | None = None) -> Path:
    """Write the report of an audit without an evaluation: verdict, tests, header comparison, cohort.

    Arguments and return value as for :func:`write_report`; ``summary`` is the line below the heading, by default that
    of an audit of headers and labels.
    """
    parts = [sections.acquisition(content, {}), sections.subjects(content, pictures.Gallery())]
    return _write(path, content, summary=summary or headline.cohort_summary(content), cards=[], parts=parts)


def _write(path: Path, content: ReportContent, *, brains: Sequence[viewer.Brain] = (), **shown: Any) -> Path:
    serious = doubts.serious(content)
    page = render(
        "report.html.j2",
        scripts=[script("tables.js"), *([script("viewer.js")] if brains else [])],
        allowed=[niivue.bundle()] if brains else [],
        content=content,
        banner=headline.banner(content),
        serious=serious,
        cautions=[caution for caution in content.cautions if caution not in serious],
        brains=brains,
        niivue=niivue.packed() if brains else "",
        **shown,
    )
    return write_text(Path(path), page.encode("utf-8", "backslashreplace").decode())
