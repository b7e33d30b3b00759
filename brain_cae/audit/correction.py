"""Correct the p values of the audit tests for multiple testing."""

from collections.abc import Sequence
from dataclasses import replace

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest
from brain_cae.audit.smoother import holm

ALPHA = 0.05
# Each condition of the rule is a separate family: both must hold before the acquisition can explain anything.
ASSOCIATION = ("metadata_only", "protocol_label")
DEPENDENCE = ("score_dependence",)
EXPLAINING = (
    "header_comparison", "partial_confounder", "nuisance_mask", "nuisance_background", "nuisance_histogram",
    "reshape_group", "false_alarms", "protocol_in_features", "protocol_in_harmonised",
)  # fmt: skip


def correct(tests: Sequence[AuditTest]) -> list[AuditTest]:
    """Return the tests with p values corrected by Holm (1979) within each family, in the same order.

    Families: the two tests of condition A; condition B (its two statistics are corrected inside the test); the
    explanatory tests. A concern that does not survive the correction is dropped, and the sentence says so (a test of
    condition A then answers ``cannot tell``: its bound decides). The gate and the tests in which a small p *supports*
    the result (within_protocol, full_confounder) are not corrected: that would only make them more suspicious.
    """
    corrected: dict[str, float] = {}
    for family in (ASSOCIATION, DEPENDENCE, EXPLAINING):
        members = [test for test in tests if test.name in family and test.p is not None]
        values = holm([test.p for test in members if test.p is not None])
        corrected |= {test.name: p for test, p in zip(members, values, strict=True)}
    return [_with_corrected_p(test, corrected.get(test.name)) for test in tests]


def _with_corrected_p(test: AuditTest, p: float | None) -> AuditTest:
    if p is None:
        return test
    if test.verdict == CONCERN and p > ALPHA:
        correction = f"After correction for multiple testing (p = {p:.2f}), this is compatible with chance."
        verdict = NO_CONCERN if test.name in EXPLAINING else CANNOT_TELL
        return replace(test, p_corrected=p, verdict=verdict, sentence=f"{test.sentence} {correction}")
    return replace(test, p_corrected=p)
