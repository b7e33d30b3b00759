"""Pages are escaped and complete."""

import pytest
from jinja2 import UndefinedError

from brain_cae.reporting.page import render


def test_a_value_that_is_missing_is_an_error_and_not_a_gap():
    with pytest.raises(UndefinedError):
        render("report.html.j2")
