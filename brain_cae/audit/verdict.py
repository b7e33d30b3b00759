"""Combine the audit tests into one verdict, by the rule in ``docs/audit.md``."""

import math
from dataclasses import dataclass, field
from typing import Any

from brain_cae.audit.correction import ALPHA
from brain_cae.audit.leakage import certain
from brain_cae.audit.protocol_label import needed_for_margin
from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest
from brain_cae.audit.smoother import holm
from brain_cae.audit.standing import AT_RISK, CLEAR, CONFOUNDED, standing

SMALLEST_CLASS = 5
MOST_REASONS = 3
SOURCE_IS_LABEL = (
    "Label and source are the same here: no source has both classes, so disease and scanner cannot be separated."
)
HIDDEN = (
    "The classes differ in settings that the protocol groups do not capture, so the groups cannot measure what the "
    "scanner adds to the score. If you know the protocols, name them with audit.strata."
)
Decision = tuple[str, list[str]]


@dataclass(frozen=True)
class AuditResult:
    """The verdict, its reasons and the tests behind it.

    Attributes:
        verdict: ``confounded``, ``at risk``, ``clear`` or ``cannot tell``.
        reasons: The strongest reasons, three at most.
        tests: Every test that was run.
        figures: Which figures of an evaluation are evidence under this verdict, see :mod:`brain_cae.audit.standing`.
        warnings: Problems that the verdict does not cover, to be read before any figure.
        classifier: ``verdict`` and ``reasons`` of the same rule on the transfer classifier's probabilities; None
            without them.
    """

    verdict: str
    reasons: list[str]
    tests: list[AuditTest]
    figures: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    classifier: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "figures": [dict(row) for row in self.figures],
            "tests": [test.to_dict() for test in self.tests],
            "classifier": None if self.classifier is None else dict(self.classifier),
        }


def conclude(decision: Decision, tests: list[AuditTest], classifier: Decision | None = None) -> AuditResult:
    """Return the result of a decision; wrong labels and proven leaks come first.

    With either of them nothing can be ``clear``: no figure is evidence, even if the scanner has no effect.

    Args:
        decision: Decision on the score.
        tests: All tests that were run.
        classifier: Decision on the transfer classifier's probabilities; None without them.
    """
    named = {test.name: test for test in tests}
    labels, leak = named.get("label_semantics"), named.get("leakage")
    wrong = [test for test in (labels, leak) if test is not None and test.verdict == CONCERN]
    decisive = [test for test in wrong if test is labels or certain(test)]
    verdict, learnt = (
        CANNOT_TELL if decisive and decided == CLEAR else decided for decided, _ in (decision, classifier or decision)
    )
    warnings = [test.sentence for test in wrong]
    if classifier is not None and verdict == CLEAR and learnt in (CONFOUNDED, AT_RISK):
        warnings.append(
            f"The verdict on the score is clear, but the verdict on the transfer classifier is {learnt}: it was "
            f"trained on labels and may have learnt the scanner. With its probability as the score: {classifier[1][1]}"
        )
    gate = named.get("overlap")
    figures = standing(
        verdict,
        learnt,
        overlapping=gate is not None and gate.verdict != CONCERN and bool(gate.value),
        labels_hold=labels is None or labels.verdict != CONCERN,
    )
    reasons = [*(test.sentence for test in decisive), *decision[1]][:MOST_REASONS]
    on_classifier = None if classifier is None else {"verdict": learnt, "reasons": classifier[1][:MOST_REASONS]}
    return AuditResult(verdict, reasons, tests, figures, warnings, on_classifier)


def decide(tests: dict[str, AuditTest], *, margin: float, healthy: int, abnormal: int) -> Decision:
    """Return the decision by the rule; A, B and C are the conditions of ``docs/audit.md``.

    Before training there is no score, so only the gate and A are tested; A alone is ``at risk``.
    """
    gate, metadata = tests["overlap"], tests["metadata_only"]
    score, reach, within = (tests.get(name) for name in ("score_dependence", "contribution", "within_protocol"))
    a_holds, association = _association(tests)
    if gate.verdict == CONCERN:
        beside = [test for test in (score, tests.get("header_comparison")) if test is not None]
        return CONFOUNDED, [gate.sentence, association, *(t.sentence for t in beside if t.verdict == CONCERN)]
    if min(healthy, abnormal) < SMALLEST_CLASS:
        needed = needed_for_margin(abnormal, healthy, len(gate.details) - 1, margin)
        return CANNOT_TELL, [
            f"Only {healthy} healthy and {abnormal} abnormal subjects; about {needed} in total would be needed."
        ]
    if gate.verdict == CANNOT_TELL:
        return CANNOT_TELL, [gate.sentence, "Group scans into fewer protocols (audit.strata), or add subjects to each."]
    bound = max(_bound(metadata), _bound(tests["protocol_label"]))
    if not a_holds and bound < margin:
        alike = "The two classes were scanned alike."
        return CLEAR, [metadata.sentence, tests["protocol_label"].sentence, alike]
    if score is None or reach is None or within is None:
        return _before_training(a_holds, association, tests)
    if a_holds and score.verdict == CONCERN:
        return _both_hold(within, [association, score.sentence, within.sentence])
    if reach.verdict == NO_CONCERN:
        if not a_holds or _protocols_differ(tests):
            return CLEAR, [association, score.sentence, reach.sentence]
        # The protocols' contribution is not enough if the classes differ in settings that their names do not show.
        return CANNOT_TELL, [association, score.sentence, HIDDEN]
    if reach.n_needed:
        return CANNOT_TELL, [association, score.sentence, reach.sentence]  # which says how many would be needed
    needed = metadata.n_needed or math.ceil(1.5 * (healthy + abnormal))
    return CANNOT_TELL, [association, score.sentence, f"{reach.sentence} About {needed} subjects would be needed."]


def _association(tests: dict[str, AuditTest]) -> tuple[bool, str]:
    """Return whether condition A holds, and the sentence of its strongest test."""
    association_tests = [test for test in (tests["metadata_only"], tests["protocol_label"]) if test.p is not None]
    holds = bool(association_tests) and min(holm([test.p or 0.0 for test in association_tests])) <= ALPHA
    strongest = min(association_tests, key=lambda test: test.p or 0.0) if holds else tests["metadata_only"]
    return holds, strongest.sentence


def _protocols_differ(tests: dict[str, AuditTest]) -> bool:
    p = tests["protocol_label"].p
    return p is not None and p <= ALPHA


def _both_hold(within: AuditTest, reasons: list[str]) -> Decision:
    if within.verdict == CONCERN:
        return CONFOUNDED, reasons
    return AT_RISK if within.verdict == NO_CONCERN else CANNOT_TELL, reasons


def _before_training(a_holds: bool, association: str, tests: dict[str, AuditTest]) -> Decision:
    if a_holds:
        later = "Dependence of the score on the scanner can be tested only after training."
        return AT_RISK, [association, tests["overlap"].sentence, later]
    return CANNOT_TELL, [association, tests["protocol_label"].sentence]


def _bound(test: AuditTest) -> float:
    return 1.0 if test.upper_bound is None else test.upper_bound
