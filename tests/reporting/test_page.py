"""Pages are escaped and complete."""

import pytest
from jinja2 import UndefinedError

from brain_cae.reporting.page import render


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError):
        render("report.html.j2")
