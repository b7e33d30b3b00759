"""``patients/<subject>.html``: the report of one brain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from brain_cae.files.atomic import write_text
from brain_cae.reporting import charts, doubts, headline, niivue, pictures, sections, viewer
from brain_cae.reporting.charts import Chart
from brain_cae.reporting.content import ReportContent, SubjectView
from brain_cae.reporting.evidence import at, column
from brain_cae.reporting.page import render, script
from brain_cae.vocabulary import CLASSES, Serious

VOLUMES = 3_000_000
"""Characters of the volumes of one page."""
RESOLUTION = 110


def addresses(files: Mapping[str, str]) -> dict[str, str]:
    """Return the address of the page of each subject, relative to the report.

    Args:
        files: What each subject is called in names of files, see :func:`brain_cae.files.names.file_names`.
    """
    return {subject: f"patients/{quote(file, safe='')}.html" for subject, file in files.items()}


def write_patients(
    folder: Path, content: ReportContent, views: Iterable[SubjectView], files: Mapping[str, str]
) -> None:
    """Write the page of each of these brains, and the viewer that they share, each atomically.

    Args:
        folder: Folder ``patients`` of the run.
        content: Content of the report of the run.
        views: The brains; one is held in memory at a time.
        files: What each subject is called in names of files.
    """
    for view in views:
        if niivue.bundle() and not (folder / "niivue.js").is_file():
            write_text(folder / "niivue.js", niivue.bundle())
        page = _page(of_one(content, view))
        write_text(folder / f"{files[view.subject]}.html", page.encode("utf-8", "backslashreplace").decode())


def of_one(content: ReportContent, view: SubjectView) -> ReportContent:
    """Return what a report says of one brain: nothing of the others, and no figure that needs several."""

    def rows(table: pd.DataFrame) -> pd.DataFrame:
        return table[column(table, "subject") == view.subject] if len(table) else table

    known = view.label in CLASSES
    return replace(
        content,
        title=f"{view.subject}{f' ({view.label})' if known else ''}",
        # A patient's page states what was decided about the brain; its label is in the title.
        predictions=rows(content.predictions).assign(label="unknown"),
        metrics={"scoring": at(content.metrics, "scoring") or {}},
        import_report=rows(content.import_report),
        index=rows(content.index),
        lesions=rows(content.lesions),
        other_lesions=rows(content.other_lesions),
        views=[view],
        cautions=[Serious(caution) for caution in doubts.serious(content, [view.subject])],
        curves={},
        trials=pd.DataFrame(),
        pages={},
        links={"Report of all subjects": "../report.html"},
    )


def _page(content: ReportContent) -> str:
    gallery = pictures.gallery(content, resolution=RESOLUTION)
    gallery, brains = viewer.interactive(content, gallery, VOLUMES)
    drawn: dict[str, Chart] = {}
    if (scores := charts.chart_of("scores", content)) is not None:
        drawn["scores"] = scores
    parts = [
        sections.subjects(content, gallery),
        sections.roc(content, drawn),
        sections.lesions(content, {}),
        sections.imported(content),
    ]
    return render(
        "report.html.j2",
        scripts=[script("tables.js"), *([script("viewer.js")] if brains else [])],
        files="'self' file:" if brains else "",
        content=content,
        banner=headline.banner(content),
        serious=doubts.serious(content),
        cautions=[],
        summary=headline.summary(content),
        cards=headline.cards(content),
        parts=[part for part in parts if part.blocks],
        brains=brains,
        niivue="",
    )
