"""Tables of the audit: its tests, which figures are evidence, and duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from brain_cae.reporting import formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.doubts import tone
from brain_cae.reporting.evidence import at
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.tables import Cell, Table, figure, label, of_records


def tests_table(content: ReportContent) -> Table | None:
    """Return the tests with value, p-values, verdict and interpretation; None without an audit."""
    rows = [
        [
            label(str(test.get("name") or "").replace("_", " ")),
            figure({key: test.get(key) for key in ("value", "low", "high", "n")}),
            _p(test.get("p")),
            _p(test.get("p_corrected")),
            _verdict(content, test.get("verdict")),
            label(test.get("sentence")),
        ]
        for test in _tests(content)
    ]
    columns = ["test", "value", "p", "p corrected", "verdict", "interpretation"]
    return Table(columns, rows, caption="Tests") if rows else None


def evidence_table(content: ReportContent) -> Table | None:
    """Return which figures are evidence under the verdict; None if nothing was scored."""
    kind = at(content.metrics, "audit", "kind")
    figures = [] if kind == "headers" else at(content.metrics, "audit", "figures") or []
    rows = [
        [label(name), _verdict(content, row.get("standing"), row.get("keys") or ()), label(row.get("why"))]
        for row in figures
        if (name := _of_table(row) if kind == "table" else row.get("figure"))
    ]
    return Table(["figure", "as evidence", "why"], rows, caption="Which figures are evidence") if rows else None


def _of_table(row: Mapping[str, Any]) -> str:
    """Return what a figure is called for a table of scores, which has nothing but them; empty if it has it not."""
    keys = set(row.get("keys") or ())
    if "detection" in keys:
        return "AUROC of the score, and every other comparison of the classes"
    return str(row.get("figure")) if "audit.within_protocol" in keys else ""


def duplicate_table(content: ReportContent) -> Table | None:
    """Return duplicate subjects and scans; None if there are none."""
    duplicates = [row for test in _tests(content) if test.get("name") == "leakage" for row in test.get("details") or []]
    return of_records(duplicates, first=("subject", "other"), caption="Duplicate subjects and scans")


def _tests(content: ReportContent) -> list[Mapping[str, Any]]:
    return [test for test in at(content.metrics, "audit", "tests") or [] if isinstance(test, Mapping)]


def _p(value: Any) -> Cell:
    """Return a cell with a p-value, or a dash for a test that has none."""
    return Cell("\N{EN DASH}" if finite(value) is None else formatting.p_value(value), True)


def _verdict(content: ReportContent, value: Any, keys: Any = ()) -> Cell:
    text = str(value or "").replace("_", " ")
    return Cell(text or "\N{EN DASH}", tone=tone(content, text, keys))
