"""The page itself: what is read from it and written again is the page."""

from .document import FAMILIES, PATH, Document


def test_the_page_is_what_its_rows_give(tmp_path):
    Document().read().write(tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == PATH.read_text()


def test_no_family_is_empty():
    rows = Document().read().rows
    assert [family for family in FAMILIES if not rows[family]] == []
