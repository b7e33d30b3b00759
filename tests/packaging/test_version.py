"""The version stands in `brain_cae/__init__.py`; what names it elsewhere agrees."""

import re
from datetime import date
from pathlib import Path

import yaml

from brain_cae import __version__

ROOT = Path(__file__).parents[2]
HEADING = re.compile(r"^## (\S+) - (\S+)$", re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_changelog_begins_with_this_version_and_older_ones_follow():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = HEADING.findall(text)
    assert versions[0][0] == __version__
    numbers = [tuple(map(int, number.split("."))) for number, _ in versions]
    dates = [date.fromisoformat(day) for _, day in versions]
    assert numbers == sorted(set(numbers), reverse=True) and dates == sorted(dates, reverse=True)
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= KINDS
    lines = re.findall(r"^- .*$", text, re.MULTILINE)
    assert len(lines) == len(set(lines)), "a line stands there twice"


def test_the_citation_names_this_version_its_date_and_no_person():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys(), "required by the format"
    assert (citation["cff-version"], citation["type"], citation["license"]) == ("1.2.0", "software", "Apache-2.0")
    ((version, day), *_) = HEADING.findall((ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert (citation["version"], citation["date-released"]) == (version, day)
    assert citation["authors"] == [{"name": "The brain_cae developers"}]
