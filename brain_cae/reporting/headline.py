"""The top of the report: one-line summary, verdict of the audit, key figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brain_cae.reporting import evidence, formatting
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at

CAVEATS = {
    "no evidence": "no evidence of detection: see the verdict",
    "read with care": "part of it may be the scanner's: see the verdict",
}
MEANINGS = {
    "confounded": "Acquisition can explain this result. The figures that compare healthy and abnormal brains are no "
    "evidence that disease is detected.",
    "at risk": "Label and score both follow acquisition. The result survives within protocols, but read it with care.",
    "clear": "The audit found no sign that acquisition explains the result.",
    "cannot tell": "The data cannot separate disease from acquisition.",
}
BEFORE_TRAINING = {
    "confounded": "The protocol decides the label. Whatever is trained on this cohort, figures that compare healthy "
    "and abnormal brains will be no evidence that disease is detected.",
    "at risk": "The two classes were scanned differently. Whatever is trained on this cohort can learn the scanner.",
    "clear": "The two classes were scanned alike, as far as the headers say.",
    "cannot tell": "The cohort cannot show whether the classes were scanned alike.",
}
STRONGEST = 3
TONES = {"confounded": "red", "at risk": "amber", "clear": "green", "cannot tell": "grey"}


@dataclass(frozen=True)
class Banner:
    """The verdict with its colour and reasons."""

    verdict: str
    tone: str
    meaning: str
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Figure:
    """One key figure: name, number in large, interval and count behind it, and what was asked."""

    name: str
    value: str
    interval: str
    tip: str = ""
    note: str = ""


@dataclass(frozen=True)
class Card:
    """A key figure with those it is to be read beside."""

    main: Figure
    beside: list[Figure] = field(default_factory=list)
    caveat: str = ""


def verdict_of(content: ReportContent) -> str:
    """The verdict in lower case with spaces (``at risk``); empty if there was no audit."""
    return str(at(content.metrics, "audit", "verdict") or "").strip().lower().replace("_", " ")


def caveat_of(content: ReportContent, key: str) -> str:
    """What must be read beside the figures under a key of metrics.json; empty where they stand.

    An audit that does not say which figures stand marks those that compare the classes by its verdict.
    """
    figures = at(content.metrics, "audit", "figures") or []
    states = [str(row.get("standing")) for row in figures if key in (row.get("keys") or [])]
    if not figures and verdict_of(content) == "confounded" and key in ("detection", "transfer"):
        states = ["no evidence"]
    return next((CAVEATS[state] for state in states if state in CAVEATS), "")


def banner(content: ReportContent) -> Banner:
    """The verdict of the audit in plain words; grey where there is none."""
    verdict = verdict_of(content)
    reasons = at(content.metrics, "audit", "reasons") or []
    reasons = [reasons] if isinstance(reasons, str) else [str(reason) for reason in reasons][:STRONGEST]
    meanings = BEFORE_TRAINING if at(content.metrics, "audit", "kind") == "headers" else MEANINGS
    if not verdict:
        return Banner("no audit", "grey", "Whether acquisition explains the result was not examined.", reasons)
    return Banner(verdict, TONES.get(verdict, "grey"), meanings.get(verdict, ""), reasons)


def summary(content: ReportContent) -> str:
    """What was scored and how well, in one line."""
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
    """Who is in the cohort, in one line; nothing was scored."""
    counts, total = evidence.label_counts(content), len(content.predictions)
    known = [f"{count} {name}" for name, count in counts.items() if count]
    text = f"{total} subject{'' if total == 1 else 's'} ({', '.join(known) or 'no label known'})"
    return f"{text}; headers and labels alone, nothing was trained or scored."


def cards(content: ReportContent) -> list[Card]:
    """The key figures, each with what it is to be read beside."""
    metrics = content.metrics
    why = evidence.why_undefined(content)
    caveat = caveat_of(content, "detection")
    alpha = at(metrics, "scoring", "alpha")
    baselines = [
        _figure(f"baseline {name}", at(metrics, "baseline", name, "auroc"), why)
        for name in ("intensity", "healthy_mean")
    ]
    gain = at(metrics, "detection", "difference", "healthy_mean")
    gain = gain.get("auroc", gain) if isinstance(gain, Mapping) else gain
    if _defined(gain):
        value, _, interval = formatting.estimate(gain, signed=True).partition(" ")
        name = "gain over the latter, paired"
        baselines.append(Figure(name, value, interval, formatting.details(gain)))
    names = [at(metrics, "transfer", key) for key in ("classifier", "features")]
    kind = ", ".join(f"{name} features" if place else str(name) for place, name in enumerate(names) if name)
    asked = f"asked for: alpha = {formatting.number(alpha)}" if formatting.finite(alpha) is not None else ""
    alarms = _figure("False alarms on healthy", evidence.false_alarms(content), _why_no_alarms(content), note=asked)
    where = evidence.why_no_localisation(content)
    place = at(metrics, "localisation")
    transfer = _figure(
        "AUROC, transfer classifier", at(metrics, "transfer", "auroc"), evidence.why_no_transfer(content), note=kind
    )
    precision = _figure(
        "Localisation, average precision", at(place, "average_precision"), where, note="voxels; mean over subjects"
    )
    dice = _figure("Localisation, Dice", at(place, "dice"), where, note="at the label-free voxel threshold")
    return [
        Card(_figure("AUROC, residual score", at(metrics, "detection", "auroc"), why), baselines, caveat),
        Card(transfer, caveat=caveat_of(content, "transfer")),
        Card(alarms, caveat=caveat_of(content, "detection.specificity")),
        Card(precision),
        Card(dice),
    ]


def _why_no_alarms(content: ReportContent) -> str:
    healthy = evidence.label_counts(content)["healthy"]
    return "the run states no specificity" if healthy else "no labelled healthy brain was scored"


def _defined(value: Any) -> bool:
    return formatting.estimate(value) != formatting.NOT_DEFINED


def _figure(name: str, value: Any, why: str, *, note: str = "") -> Figure:
    if not _defined(value):
        return Figure(name, formatting.NOT_DEFINED, "", note=formatting.reason(value) or why)
    middle, _, interval = formatting.estimate(value).partition(" ")
    return Figure(name, middle, interval, formatting.details(value), note)
