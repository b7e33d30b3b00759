"""The closing table of a command: verdict, main figures with intervals, and where things lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brain_cae.files.documents import read_json
from brain_cae.files.tables import read_csv
from brain_cae.progress import duration
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at, best_baseline, unlabelled
from brain_cae.reporting.formatting import NOT_DEFINED, estimate
from brain_cae.reporting.headline import banner, caution_for

FIGURES = {
    "AUROC, residual score": ("detection", "auroc"),
    "AUROC of the score": ("score", "auroc"),
    "AUROC, {best}": ("baseline", "{best}", "auroc"),
    "gain over {best}": ("detection", "difference", "{best}"),
    "AUROC, transfer": ("transfer", "auroc"),
    "false alarms": ("detection", "false_alarms"),
    "sensitivity": ("detection", "sensitivity"),
    "localisation, Dice": ("localisation", "dice"),
}
"""Heading of each figure to its place in ``metrics.json``; ``{best}`` is the best baseline."""

PLACES = {
    "report": "report.html",
    "patients": "patients",
    "work list": "worklist.csv",
    "predictions": "predictions.csv",
    "anomaly maps": "anomaly_maps",
    "model": "model",
    "import report": "import_report.csv",
}
"""Heading of each file or folder to its name in the folder of a run."""


CAUTIONS_FIRST = "But read the cautions above before any figure."


def closing_rows(folder: Path) -> list[tuple[str, str]]:
    """Return heading and text of each row of the closing table of a run; what the run does not have is left out."""
    metrics = _metrics(folder)
    rows = _verdict(folder, metrics) + [(name, text) for name, text in _figures(metrics)] if metrics else []
    rows += [(name, shown(folder / place)) for name, place in PLACES.items() if (folder / place).exists()]
    if (folder / "report.html").exists():
        rows = [row for row in rows if row[0] != "import report"]
    if any(folder.glob("tensorboard/**/events*")):
        rows.append(("training curves", f"tensorboard --logdir {shown(folder)}"))
    seconds = metrics.get("seconds")
    if isinstance(seconds, Mapping):
        rows.append(("duration", duration(sum(seconds.values()))))
    return rows


def one_line(folder: Path) -> str:
    """Return verdict and AUROC of a finished run in one line; empty if it has no metrics."""
    metrics = _metrics(folder)
    if not metrics:
        return ""
    line = f"{banner(ReportContent('', metrics)).verdict}, AUROC {estimate(at(metrics, 'detection', 'auroc'))}"
    return f"{line}, but see its cautions" if at(metrics, "cautions") else line


def shown(path: Path) -> str:
    """Return a path as a user would type it: relative to the current folder if it lies in it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _verdict(folder: Path, metrics: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the verdict of the audit; of subjects without labels, which cannot be audited, the decision about them."""
    try:
        content = ReportContent("", metrics, predictions=read_csv(folder / "predictions.csv"))
    except (OSError, ValueError):
        content = ReportContent("", metrics)
    verdict = banner(content)
    if unlabelled(content):
        return [("decision", f"{verdict.heading}.")]
    doubt = f" {CAUTIONS_FIRST}" if at(metrics, "cautions") else ""
    return [("verdict", f"{verdict.verdict}. {verdict.meaning}{doubt}")]


def _figures(metrics: dict[str, Any]) -> list[tuple[str, str]]:
    content = ReportContent("", metrics)
    rows, best = [], best_baseline(content)
    for heading, path in FIGURES.items():
        name = heading.format(best=best)
        value = at(metrics, *(part.format(best=best) for part in path))
        text = estimate(value, signed=name.startswith("gain"))
        if value is not None and text != NOT_DEFINED:
            caution = caution_for(content, _judged(content, path))
            rows.append((name, f"{text}: {caution}" if caution else text))
    return rows


def _judged(content: ReportContent, path: tuple[str, ...]) -> str:
    """Return the key under which the audit judged a figure: its own, or that of the section."""
    figures = at(content.metrics, "audit", "figures") or []
    own = ".".join(path)
    section = "detection" if path[0] == "score" else path[0]  # the score of a table is judged as that of a run
    return own if any(own in (row.get("keys") or []) for row in figures) else section


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        content = read_json(folder / "metrics.json")
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
