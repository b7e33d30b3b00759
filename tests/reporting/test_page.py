"""Pages are complete and written atomically."""

import pytest
from jinja2 import UndefinedError

from brain_cae.reporting.page import render, write_whole


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError):
        render("report.html.j2")


def test_a_failure_leaves_the_old_page_and_no_temporary_file(tmp_path):
    path = write_whole(tmp_path / "deep" / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800")
    assert path.read_text() == "old"
    assert [item.name for item in path.parent.iterdir()] == ["page.html"]
    assert write_whole(path, "new\n").read_bytes() == b"new\n"
    assert path.stat().st_mode & 0o777 == 0o644
