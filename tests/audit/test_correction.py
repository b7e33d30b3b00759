"""p values are corrected within their family, and only there."""

from brain_cae.audit.correction import correct
from brain_cae.audit.result import AuditTest


def made(name: str, p: float | None, verdict: str = "concern") -> AuditTest:
    return AuditTest(name, 0.6, 0.5, 0.7, p, verdict, f"{name} speaks.", 80)


def test_holm_within_each_family() -> None:
    tests = [made("metadata_only", 0.03), made("protocol_label", 0.20, "no concern"), made("score_dependence", 0.04),
             made("false_alarms", 0.01), made("reshape_group", 0.04), made("nuisance_mask", 0.5, "no concern"),
             made("within_protocol", 0.001, "no concern"), made("overlap", 0.9, "no concern")]  # fmt: skip
    found = {test.name: test for test in correct(tests)}
    assert [test.name for test in correct(tests)] == [test.name for test in tests]
    assert found["metadata_only"].p_corrected == 0.06 and found["metadata_only"].verdict == "cannot tell"
    assert found["score_dependence"].p_corrected == 0.04 and found["score_dependence"].verdict == "concern"
    assert found["false_alarms"].p_corrected == 0.03 and found["false_alarms"].verdict == "concern"
    assert found["reshape_group"].p_corrected == 0.08 and found["reshape_group"].verdict == "no concern"
    assert "more than chance" in found["reshape_group"].sentence
    assert found["within_protocol"].p_corrected is None and found["overlap"].p_corrected is None
