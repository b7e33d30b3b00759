"""Pages are escaped and complete."""

import pytest
from jinja2 import UndefinedError

from brain_cae.reporting.page import content_policy, render, script


def test_a_missing_value_is_an_error():
    with pytest.raises(UndefinedError):
        render("report.html.j2")


def test_the_policy_allows_the_scripts_of_the_page_by_their_hash():
    assert "script-src" not in content_policy([])
    # The hash of the empty text is well known.
    assert "script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; " in content_policy([""])
    assert content_policy([""], "'self'") != content_policy([""])


def test_a_script_of_a_page_cannot_end_early():
    for name in ("tables.js", "viewer.js"):
        assert "</script" not in script(name).lower() and "<!--" not in script(name)
