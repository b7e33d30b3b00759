"""Reading the page and writing it again gives the same page."""

from .document import FAMILIES, PATH, Document


def test_the_page_is_reproduced_from_its_rows(tmp_path):
    Document().read().write(tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == PATH.read_text()


def test_no_family_is_empty():
    rows = Document().read().rows
    assert [family for family in FAMILIES if not rows[family]] == []
