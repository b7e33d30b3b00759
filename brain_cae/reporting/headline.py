"""Top of the report: one-line summary, verdict of the audit, key figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brain_cae.reporting import evidence, formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at

CAUTIONS = {
    "no evidence": "no evidence of detection: see the verdict",
    "read with care": "may be partly due to the scanner: see the verdict",
}
MEANINGS = {
    "confounded": "Acquisition can explain this result. Figures that compare healthy and abnormal brains are not "
    "evidence of disease detection.",
    "at risk": "Label and score both depend on acquisition. The result holds within protocols; interpret it with care.",
    "clear": "The audit found no sign that acquisition explains the result.",
    "cannot tell": "The data cannot separate disease from acquisition.",
}
BEFORE_TRAINING = {
    "confounded": "The protocol determines the label. For any model trained on this cohort, figures that compare "
    "healthy and abnormal brains will not be evidence of disease detection.",
    "at risk": "The two classes were scanned differently. Any model trained on this cohort can learn the scanner.",
    "clear": "According to the headers, the two classes were scanned alike.",
    "cannot tell": "This cohort cannot show whether the two classes were scanned alike.",
}
MAX_REASONS = 3
TONES = {"confounded": "red", "at risk": "amber", "clear": "green", "cannot tell": "grey"}


@dataclass(frozen=True)
class Banner:
    """Verdict of the audit with its colour, meaning and reasons."""

    verdict: str
    tone: str
    meaning: str
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Figure:
    """One key figure: name, value in large print, interval with count, tooltip and note."""

    name: str
    value: str
    interval: str
    tip: str = ""
    note: str = ""


@dataclass(frozen=True)
class Card:
    """Key figure, the figures to compare it with, and a caution."""

    main: Figure
    compared: list[Figure] = field(default_factory=list)
    caution: str = ""


def verdict_of(content: ReportContent) -> str:
    """Return the verdict in lower case with spaces (``at risk``); empty if there was no audit."""
    return str(at(content.metrics, "audit", "verdict") or "").strip().lower().replace("_", " ")


def caution_for(content: ReportContent, key: str) -> str:
    """Return the caution for the figures under a key of metrics.json; empty if they are evidence.

    If the audit does not list which figures are evidence, a confounded verdict applies to those that compare classes.
    """
    figures = at(content.metrics, "audit", "figures") or []
    states = [str(row.get("standing")) for row in figures if key in (row.get("keys") or [])]
    if not figures and verdict_of(content) == "confounded" and key in ("detection", "transfer"):
        states = ["no evidence"]
    return next((CAUTIONS[state] for state in states if state in CAUTIONS), "")


def banner(content: ReportContent) -> Banner:
    """Return the verdict of the audit in plain words; grey if there was no audit."""
    verdict = verdict_of(content)
    reasons = at(content.metrics, "audit", "reasons") or []
    reasons = [reasons] if isinstance(reasons, str) else [str(reason) for reason in reasons][:MAX_REASONS]
    meanings = BEFORE_TRAINING if at(content.metrics, "audit", "kind") == "headers" else MEANINGS
    if not verdict:
        return Banner("no audit", "grey", "It was not tested whether acquisition explains the result.", reasons)
    return Banner(verdict, TONES.get(verdict, "grey"), meanings.get(verdict, ""), reasons)


def summary(content: ReportContent) -> str:
    """Return one line: how many subjects were scored, and how well."""
    rows, counts = evidence.scored(content), evidence.label_counts(content)
    text = f"{len(rows)} subject{'' if len(rows) == 1 else 's'} scored"
    known = [f"{count} {name}" for name, count in counts.items() if count]
    unlabelled = len(rows) - sum(counts.values())
    if known and unlabelled:
        known.append(f"{unlabelled} unlabelled")
    text += f" ({', '.join(known)})" if known else " without labels" if len(rows) else ""
    auroc = at(content.metrics, "detection", "auroc")
    if _defined(auroc):
        return f"{text}; AUROC of the residual score {formatting.estimate(auroc)}."
    flagged = evidence.flags(rows)
    alpha = formatting.finite(at(content.metrics, "scoring", "alpha"))
    if flagged.notna().any() and alpha is not None:
        return f"{text}; {int(flagged.sum())} of {int(flagged.notna().sum())} flagged at alpha {alpha:g}."
    return f"{text}."


def cohort_summary(content: ReportContent) -> str:
    """Return one line: the subjects of a cohort in which nothing was scored."""
    counts, total = evidence.label_counts(content), len(content.predictions)
    known = [f"{count} {name}" for name, count in counts.items() if count]
    text = f"{total} subject{'' if total == 1 else 's'} ({', '.join(known) or 'no known labels'})"
    return f"{text}; headers and labels only, nothing was trained or scored."


def cards(content: ReportContent) -> list[Card]:
    """Return the key figures, each with the figures to compare it with."""
    metrics = content.metrics
    why = evidence.why_undefined(content)
    alpha = at(metrics, "scoring", "alpha")
    detection = _figure("AUROC, residual score", at(metrics, "detection", "auroc"), why)
    baselines = [
        _figure(f"baseline {name}", at(metrics, "baseline", name, "auroc"), why)
        for name in ("intensity", "healthy_mean")
    ]
    gain = at(metrics, "detection", "difference", "healthy_mean")
    gain = gain.get("auroc", gain) if isinstance(gain, Mapping) else gain
    if _defined(gain):
        value, _, interval = formatting.estimate(gain, signed=True).partition(" ")
        name = "gain over healthy_mean, paired"
        baselines.append(Figure(name, value, interval, formatting.details(gain)))
    names = [at(metrics, "transfer", key) for key in ("classifier", "features")]
    model = ", ".join(f"{name} features" if number else str(name) for number, name in enumerate(names) if name)
    nominal = f"nominal: alpha = {formatting.number(alpha)}" if formatting.finite(alpha) is not None else ""
    alarms = _figure(
        "False alarms on healthy brains", evidence.false_alarms(content), _why_no_alarms(content), note=nominal
    )
    why_not_localised = evidence.why_no_localisation(content)
    localisation = at(metrics, "localisation")
    transfer = _figure(
        "AUROC, transfer classifier", at(metrics, "transfer", "auroc"), evidence.why_no_transfer(content), note=model
    )
    precision = _figure(
        "Localisation, average precision",
        at(localisation, "average_precision"),
        why_not_localised,
        note="voxels; mean over subjects",
    )
    dice = _figure(
        "Localisation, Dice", at(localisation, "dice"), why_not_localised, note="at the label-free voxel threshold"
    )
    return [
        Card(detection, baselines, caution_for(content, "detection")),
        Card(transfer, caution=caution_for(content, "transfer")),
        Card(alarms, caution=caution_for(content, "detection.specificity")),
        Card(precision),
        Card(dice),
    ]


def _why_no_alarms(content: ReportContent) -> str:
    healthy = evidence.label_counts(content)["healthy"]
    return "the run has no specificity" if healthy else "no labelled healthy brain was scored"


def _defined(value: Any) -> bool:
    return formatting.estimate(value) != formatting.NOT_DEFINED


def _figure(name: str, value: Any, why: str, *, note: str = "") -> Figure:
    if not _defined(value):
        return Figure(name, formatting.NOT_DEFINED, "", note=formatting.reason(value) or why)
    middle, _, interval = formatting.estimate(value).partition(" ")
    return Figure(name, middle, interval, formatting.details(value), note)
