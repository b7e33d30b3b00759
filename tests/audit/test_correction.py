"""p values are corrected within their family only."""

from brain_cae.audit.correction import correct
from brain_cae.audit.result import AuditTest


def made(name: str, p: float | None, verdict: str = "concern") -> AuditTest:
    return AuditTest(name, 0.6, 0.5, 0.7, p, verdict, f"The sentence of {name}.", 80)


def test_holm_within_each_family() -> None:
    tests = [made("metadata_only", 0.03), made("protocol_label", 0.20, "no concern"), made("score_dependence", 0.04),
             made("false_alarms", 0.01), made("reshape_group", 0.04), made("nuisance_mask", 0.5, "no concern"),
             made("within_protocol", 0.001, "no concern"), made("overlap", 0.9, "no concern")]  # fmt: skip
    corrected = {test.name: test for test in correct(tests)}
    assert [test.name for test in correct(tests)] == [test.name for test in tests]
    assert corrected["metadata_only"].p_corrected == 0.06 and corrected["metadata_only"].verdict == "cannot tell"
    assert corrected["score_dependence"].p_corrected == 0.04 and corrected["score_dependence"].verdict == "concern"
    assert corrected["false_alarms"].p_corrected == 0.03 and corrected["false_alarms"].verdict == "concern"
    assert corrected["reshape_group"].p_corrected == 0.08 and corrected["reshape_group"].verdict == "no concern"
    assert "compatible with chance" in corrected["reshape_group"].sentence
    assert corrected["within_protocol"].p_corrected is None and corrected["overlap"].p_corrected is None
