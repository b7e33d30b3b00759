"""Pages are escaped, complete, and there as a whole or not at all."""

import pytest
from jinja2 import UndefinedError

from brain_cae.reporting.page import render, write_whole


def test_a_value_that_is_missing_is_an_error_and_not_a_gap():
    with pytest.raises(UndefinedError):
        render("report.html.j2")


def test_a_failure_leaves_the_old_page_and_nothing_aside(tmp_path):
    path = write_whole(tmp_path / "deep" / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800")
    assert path.read_text() == "old"
    assert [item.name for item in path.parent.iterdir()] == ["page.html"]
    assert write_whole(path, "new\n").read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o644
