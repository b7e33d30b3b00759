"""Decide which figures of an evaluation are evidence under a verdict."""

from brain_cae.audit.result import CANNOT_TELL

CONFOUNDED, AT_RISK, CLEAR = "confounded", "at risk", "clear"
STANDS, WITH_CARE, NOT_SHOWN, NO_EVIDENCE = "stands", "read with care", "not shown", "no evidence"

# What a figure compares, and the parts of metrics.json that hold it.
FIGURES = {
    "Detection: AUROC, average precision, sensitivity, also of the baselines": ("between", ("detection", "baseline")),
    "Transfer classifier: all figures": ("classifier", ("transfer",)),
    "AUROC among subjects of one protocol": ("within", ("audit.within_protocol",)),
    "False alarms on healthy brains (specificity)": ("healthy", ("detection.specificity", "detection.false_alarms")),
    "Reconstruction error": ("one class", ("reconstruction",)),
    "Localisation of lesions": ("one class", ("localisation",)),
}
BETWEEN = {CONFOUNDED: NO_EVIDENCE, AT_RISK: WITH_CARE, CLEAR: STANDS, CANNOT_TELL: NOT_SHOWN}
REASONS = {
    ("between", NO_EVIDENCE): "the scanner can explain a difference between the classes",
    ("between", WITH_CARE): "part of it may come from the scanner; also quote the figure within protocols",
    ("between", NOT_SHOWN): "the scanner's contribution could not be determined",
    ("between", STANDS): "the scanner's contribution is too small to explain it",
    ("within", NO_EVIDENCE): "no protocol, or hardly any, was used for both classes",
    ("within", STANDS): "both classes were scanned with the same protocol there",
    ("healthy", STANDS): "healthy brains only, each compared with the threshold",
    ("one class", STANDS): "does not compare the classes",
}
MISLABELLED = "the class called healthy is not healthy"


def standing(verdict: str, classifier: str, *, overlapping: bool, labels_hold: bool) -> list[dict[str, object]]:
    """Return one row for each group of figures: ``figure``, ``keys`` (of metrics.json), ``standing`` and ``why``.

    Args:
        verdict: The audit's verdict on the score.
        classifier: The audit's verdict on the transfer classifier's probabilities.
        overlapping: Whether both classes were scanned with the same protocols, at least in part.
        labels_hold: Whether the healthy class is really healthy.
    """
    rows: list[dict[str, object]] = []
    for figure, (kind, keys) in FIGURES.items():
        state = {"between": BETWEEN[verdict], "classifier": BETWEEN[classifier]}.get(kind, STANDS)
        if kind == "within" and not overlapping:
            state = NO_EVIDENCE
        why = REASONS["between" if kind == "classifier" else kind, state]
        if not labels_hold and kind != "one class":
            state, why = NO_EVIDENCE, MISLABELLED
        rows.append({"figure": figure, "keys": list(keys), "standing": state, "why": why})
    return rows
