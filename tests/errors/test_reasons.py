import pytest

from brain_cae.errors import ScanError
from brain_cae.errors.reasons import WHAT_TO_DO, advice_for


@pytest.mark.parametrize("reason", ["gap between slices", "gap between slices: 3 of 20", "gap between slices (12 mm)"])
def test_a_reason_may_continue_after_a_colon_or_a_bracket(reason):
    assert advice_for(reason) == WHAT_TO_DO["gap between slices"]
    assert ScanError(reason).advice == WHAT_TO_DO["gap between slices"]


def test_an_unknown_reason_has_no_advice():
    assert advice_for("the moon") is None
