"""p values of tests that stand side by side, corrected for their number."""

from collections.abc import Sequence
from dataclasses import replace

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest
from brain_cae.audit.smoother import holm

ALPHA = 0.05
# Each condition of the rule is a family of its own, since both must hold before the acquisition can explain anything.
ASSOCIATION = ("metadata_only", "protocol_label")
DEPENDENCE = ("score_dependence",)
EXPLAINING = (
    "header_comparison", "partial_confounder", "nuisance_mask", "nuisance_background", "nuisance_histogram",
    "reshape_group", "false_alarms", "protocol_in_features", "protocol_in_harmonised",
)  # fmt: skip


def correct(tests: Sequence[AuditTest]) -> list[AuditTest]:
    """Give every test its p value corrected by Holm (1979) within its family, in the same order.

    Families: the two looks at condition A; condition B (whose two looks are corrected inside); the tests that explain.
    A test that is a concern only before correction is none afterwards, and says so (a look at condition A then cannot
    tell: its bound decides). Tests for which a small
    p speaks *for* the result (within_protocol, full_confounder) and the gate need no correction: it would only make
    them more suspicious.
    """
    corrected: dict[str, float] = {}
    for family in (ASSOCIATION, DEPENDENCE, EXPLAINING):
        own = [test for test in tests if test.name in family and test.p is not None]
        values = holm([test.p for test in own if test.p is not None])
        corrected |= {test.name: p for test, p in zip(own, values, strict=True)}
    return [_with(test, corrected.get(test.name)) for test in tests]


def _with(test: AuditTest, p: float | None) -> AuditTest:
    if p is None:
        return test
    if test.verdict == CONCERN and p > ALPHA:
        sentence = f"{test.sentence} Corrected for the tests beside it (p = {p:.2f}), that is no more than chance."
        verdict = NO_CONCERN if test.name in EXPLAINING else CANNOT_TELL
        return replace(test, p_corrected=p, verdict=verdict, sentence=sentence)
    return replace(test, p_corrected=p)
