"""Every test lands where the truth is known: confounding absent, partial, complete; with and without a real effect."""

from collections import Counter

import pytest

from brain_cae.audit import audit, audit_headers

CONCERN, NO_CONCERN, CANNOT_TELL = "concern", "no concern", "cannot tell"
LARGE = {"healthy": 60, "abnormal": 140, "dependence": 0.7}
EXPECTED = {
    # confounding, effect: verdict, and the answers that follow from the truth
    (0.0, 1.5): ("clear", {"metadata_only": NO_CONCERN, "score_dependence": CONCERN, "partial_confounder": CONCERN,
                           "contribution": NO_CONCERN, "within_protocol": NO_CONCERN, "full_confounder": NO_CONCERN,
                           "header_comparison": NO_CONCERN, "reshape_group": NO_CONCERN, "overlap": NO_CONCERN}),
    (0.6, 1.5): ("at risk", {"metadata_only": CONCERN, "protocol_label": CONCERN, "score_dependence": CONCERN,
                             "within_protocol": NO_CONCERN, "full_confounder": NO_CONCERN, "contribution": CONCERN,
                             "header_comparison": CONCERN, "reshape_group": CONCERN, "overlap": NO_CONCERN}),
    (0.6, 0.0): ("confounded", {"metadata_only": CONCERN, "score_dependence": CONCERN, "within_protocol": CONCERN,
                                "full_confounder": CONCERN, "header_comparison": CONCERN, "overlap": NO_CONCERN}),
    (1.0, 1.5): ("confounded", {"overlap": CONCERN, "metadata_only": CONCERN, "within_protocol": CANNOT_TELL,
                                "full_confounder": CANNOT_TELL, "contribution": CANNOT_TELL}),
    (1.0, 0.0): ("confounded", {"overlap": CONCERN, "header_comparison": CONCERN, "within_protocol": CANNOT_TELL}),
}  # fmt: skip


@pytest.mark.parametrize(("confounding", "effect"), EXPECTED)
def test_the_verdict_and_every_test(simulate, confounding: float, effect: float) -> None:
    verdict, answers = EXPECTED[confounding, effect]
    subjects, acquisition = simulate(2, confounding=confounding, effect=effect, **LARGE)
    result = audit(subjects, acquisition=acquisition)
    found = {test.name: test.verdict for test in result.tests}
    assert result.verdict == verdict
    assert {name: found[name] for name in answers} == answers
    assert len(result.reasons) <= 3


def headers_of(tables) -> str:
    subjects, acquisition = tables
    return audit_headers(subjects.drop(columns="score"), acquisition=acquisition).verdict


def test_headers_alone_see_the_association_and_no_more(simulate) -> None:
    found = {
        confounding: Counter(
            headers_of(simulate(seed, confounding=confounding, healthy=60, abnormal=140)) for seed in range(8)
        )
        for confounding in (0.0, 0.6, 1.0)
    }
    assert found[0.0]["confounded"] + found[0.0]["at risk"] <= 2 and found[0.0]["clear"] >= 5
    assert found[0.6] == {"at risk": 8}
    assert found[1.0] == {"confounded": 8}


@pytest.mark.soak
@pytest.mark.parametrize("effect", [0.0, 1.5])
@pytest.mark.parametrize("dependence", [0.0, 0.7])
def test_false_alarm_rate_over_many_cohorts(simulate, effect: float, dependence: float) -> None:
    verdicts: Counter = Counter()
    alarms: Counter = Counter()
    for seed in range(1000, 1400):
        subjects, acquisition = simulate(seed, effect=effect, dependence=dependence)
        result = audit(subjects, acquisition=acquisition)
        verdicts[result.verdict] += 1
        alarms.update(test.name for test in result.tests if test.verdict == CONCERN)
    # 5 % of 400 is 20; more than 31 would happen once in a hundred times.
    assert verdicts["confounded"] + verdicts["at risk"] <= 31
    for name in ("metadata_only", "protocol_label", "header_comparison", "reshape_group", "overlap"):
        assert alarms[name] <= 31, name
    if dependence == 0:
        assert alarms["score_dependence"] <= 31 and alarms["partial_confounder"] <= 31
