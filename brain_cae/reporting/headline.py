"""Top of the report: one-line summary, verdict of the audit, answer to the reader's question, key figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from brain_cae.reporting import evidence, formatting, performance
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.doubts import VERDICT_TONES, is_doubtful, is_outside, serious, tone
from brain_cae.reporting.evidence import at, numbers
from brain_cae.vocabulary import CLASSES

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


@dataclass(frozen=True)
class Banner:
    """Verdict of the audit with its heading, colour, meaning, reasons, and what it means for the reader's question."""

    verdict: str
    tone: str
    meaning: str
    reasons: list[str] = field(default_factory=list)
    heading: str = ""
    answer: str = ""


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
    """Return the verdict of the audit in plain words; grey if there was no audit, or in case of doubt.

    For subjects without labels, which cannot be audited, it is the decision about them.
    """
    if evidence.unlabelled(content):
        return _decision(content)
    verdict = verdict_of(content)
    reasons = at(content.metrics, "audit", "reasons") or []
    reasons = [reasons] if isinstance(reasons, str) else [str(reason) for reason in reasons][:MAX_REASONS]
    meanings = BEFORE_TRAINING if at(content.metrics, "audit", "kind") == "headers" else MEANINGS
    heading = f"Verdict of the audit: {verdict or 'no audit'}"
    if not verdict:
        meaning = "It was not tested whether acquisition explains the result."
        return Banner("no audit", "grey", meaning, reasons, heading, answer(content))
    colour = tone(content, verdict) if verdict in VERDICT_TONES else ""
    return Banner(verdict, colour or "grey", meanings.get(verdict, ""), reasons, heading, answer(content))


def _decision(content: ReportContent) -> Banner:
    """Return what was decided about subjects without labels."""
    rows = evidence.scored(content)
    flagged = evidence.flags(rows)
    known, count = int(flagged.notna().sum()), int(flagged.sum())
    alpha = formatting.number(at(content.metrics, "scoring", "alpha"))
    calibration = len(content.calibration_scores)
    among = f" among {calibration} healthy calibration brains" if calibration else ""
    meaning = (
        "A flagged brain has a higher score than the threshold, which is set so that few healthy brains exceed it "
        f"(alpha = {alpha}{among}). A brain that is not flagged may still hold a lesion."
    )
    reasons = ["Without labels, it cannot be measured here how often the decision is right, and no audit is possible."]
    if not known:
        heading = "No decision: too few healthy brains calibrate"
        meaning = f"Nobody is flagged at alpha = {alpha}{among}: the threshold needs more of them. Scores only rank."
    elif len(rows) == 1:
        heading = "The brain is flagged" if count else "The brain is not flagged"
    else:
        heading = f"{count} of {known} brains flagged"
    if known and is_outside(content):
        heading += ", but the threshold is not set for such scans"
    return Banner(heading, "amber" if count else "grey", meaning, reasons, heading)


def answer(content: ReportContent) -> str:
    """Return what the figures mean for the question of the reader: does it find the brains, and better than without?"""
    auroc = at(content.metrics, "detection", "auroc")
    if not _defined(auroc):
        return ""
    text = "The residual score ranks an abnormal brain above a healthy one with a probability of "
    text += f"{formatting.estimate(auroc)}. "
    verdict = verdict_of(content)
    if is_doubtful(content):
        return text + "This is not a result to rely on: see the cautions above."
    if verdict in ("confounded", "cannot tell", ""):
        return text + "Whether it sees the disease or the scanner cannot be said from it."
    if evidence.learner(content) == "model":
        return text  # nothing was trained that could be worth it
    gain, baseline = evidence.gain(content), evidence.best_baseline(content)
    low, high = (formatting.finite(gain.get(key)) if isinstance(gain, Mapping) else None for key in ("low", "high"))
    if low is None or high is None:
        return text
    if low > 0:
        return text + f"The network is worth its training here: it beats the best baseline, {baseline}."
    if high < 0:
        return text + f"The network is not worth its training here: the baseline {baseline} is better."
    return text + f"It is not shown that the network is worth its training: the baseline {baseline} is about as good."


def summary(content: ReportContent) -> str:
    """Return one line: how many subjects were scored, how well, and how many brains the network learnt from."""
    text = _summary(content)
    if content.learnt is not None:
        text += f" The {evidence.learner(content)} {learnt(content)}."
    return f"Not a result: see the cautions. {text}" if serious(content) else text


def _summary(content: ReportContent) -> str:
    rows, counts = evidence.scored(content), evidence.label_counts(content)
    if len(rows) == 1 and len(content.views) == 1 and evidence.unlabelled(content):
        label = content.views[0].label  # a patient's page
        return f"One brain, scored without its label ({label})." if label in CLASSES else "One brain, without a label."
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
    """Return the key figures, each with the figures to compare it with; for patients those about their scores."""
    if evidence.unlabelled(content):
        return _patient_cards(content)
    metrics = content.metrics
    why = evidence.why_undefined(content)
    alpha = at(metrics, "scoring", "alpha")
    detection = _figure("AUROC, residual score", at(metrics, "detection", "auroc"), why, note=learnt(content))
    baselines = [
        _figure(f"baseline {name}", at(metrics, "baseline", name, "auroc"), why)
        for name in performance.BASELINES
        if at(metrics, "baseline", name) is not None or name in ("intensity", "healthy_mean")
    ]
    gain = evidence.gain(content)
    if _defined(gain):
        value, _, interval = formatting.estimate(gain, signed=True).partition(" ")
        name = f"gain over {evidence.best_baseline(content)}, paired"
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
        "Localisation, Dice", at(localisation, "dice"), why_not_localised, note="of the clusters, chosen without labels"
    )
    return [
        Card(detection, baselines, caution_for(content, "detection")),
        Card(transfer, caution=caution_for(content, "transfer")),
        Card(alarms, caution=caution_for(content, "detection.specificity")),
        Card(precision),
        Card(dice),
    ]


def learnt(content: ReportContent) -> str:
    """Return how many healthy brains the model learnt from; empty if it is not known."""
    if content.learnt is None:
        return ""
    return f"learnt from {content.learnt} healthy brain{'' if content.learnt == 1 else 's'}"


def _patient_cards(content: ReportContent) -> list[Card]:
    """Return the figures of subjects without labels: the highest score, and what it is compared with."""
    rows = evidence.scored(content)
    scores = numbers(rows, "score")
    highest = rows.iloc[int(scores.fillna(-math.inf).argmax())]
    who = f"of {highest['subject']}" if len(rows) > 1 else ""
    threshold = evidence.threshold(content)
    limit = "no threshold" if threshold is None else f"threshold {formatting.number(threshold, digits=2)}"
    calibration = content.calibration_scores
    higher = (
        f"{int((calibration >= highest['score']).sum())} of {len(calibration)}" if len(calibration) else "not known"
    )
    flagged = evidence.flags(rows)
    one, alpha = len(rows) == 1, formatting.number(at(content.metrics, "scoring", "alpha"))
    decided = "not decided"
    if flagged.notna().any():
        decided = f"{int(flagged.sum())} of {int(flagged.notna().sum())}"
        decided = decided if not one else "yes" if flagged.any() else "no"
    brains = "not known" if content.learnt is None else str(content.learnt)
    score = formatting.number(highest["score"], digits=2)
    whose = ", ".join(filter(None, [who, limit]))
    return [
        Card(Figure("Score" if one else "Highest score", score, "", note=whose), caution=_outside(highest)),
        Card(Figure("p-value", formatting.p_value(highest.get("p_value")), "", note=f"conformal {who}".strip())),
        Card(Figure("Healthy brains with a score as high", higher, "", note="that calibrate")),
        Card(Figure("Flagged", decided, "", note=f"alpha = {alpha}")),
        Card(Figure("Learnt from", brains, "", note="healthy brains")),
    ]


def _outside(row: Any) -> str:
    outside = str(row.get("out_of_calibration")).lower() == "true"
    return "a scan unlike those that calibrate: its p-value does not hold" if outside else ""


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
