"""References are whole BibTeX entries under their own key."""

import re

import pytest

from brain_cae.reporting.references import BIBTEX, bibtex, cite


def test_every_entry_is_complete_and_under_its_key():
    for key, entry in BIBTEX.items():
        assert re.match(rf"@(article|inproceedings|misc)\{{{key},", entry) and entry.count("{") == entry.count("}")
        assert all(f"{field} = " in entry for field in ("author", "title", "year"))


def test_entries_are_listed_once_and_unknown_ones_are_refused():
    assert bibtex(["yadan2019", "baur2021", "baur2021"]).count("@") == 2
    assert cite("baur2021", "vovk2012") == "[@baur2021; @vovk2012]"
    with pytest.raises(ValueError, match="no such reference: nobody2000"):
        cite("nobody2000")
