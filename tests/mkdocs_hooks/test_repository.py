"""Links between files of the repository hold on the site."""

import pytest

from mkdocs_hooks.repository import MEASUREMENTS, PAGES, ROOT, fill, site_links


@pytest.mark.parametrize(
    ("page", "link", "on_site"),
    [
        ("data.md", "[x](scans.md#names)", "[x](scans.md#names)"),
        ("models.md", "[x](../benchmarks/results/models.md)", "[x](measurements/models.md)"),
        ("experiments/reshape.md", "[x](../results.md)", "[x](../results.md)"),
        ("experiments/reshape.md", "[x](../../CHANGELOG.md)", "[x](../changelog.md)"),
        ("contributing.md", "[x](docs/extending.md#a-network)", "[x](extending.md#a-network)"),
        ("vulnerabilities.md", "[x](CHANGELOG.md)", "[x](changelog.md)"),
        ("measurements/models.md", "[x](../../docs/models.md)", "[x](../models.md)"),
        ("data.md", "[the code](../conf/train.yaml)", "the code (`conf/train.yaml`)"),
        ("data.md", "[`conf/train.yaml`](../conf/train.yaml)", "`conf/train.yaml`"),
        ("index.md", "[x](tutorials/first_verdict.py)", "[x](tutorials/first_verdict.md)"),
        ("data.md", "[x](../nowhere.md)", "[x](../nowhere.md)"),
        ("data.md", "[x](https://example.org/a.md)", "[x](https://example.org/a.md)"),
        ("data.md", "[x](#here)", "[x](#here)"),
        ("data.md", "`[x](../CHANGELOG.md)`", "`[x](../CHANGELOG.md)`"),
        ("data.md", "```\n[x](../CHANGELOG.md)\n```", "```\n[x](../CHANGELOG.md)\n```"),
    ],
)
def test_a_link_leads_to_the_page_of_its_file(page, link, on_site):
    assert site_links(link, page) == on_site


def test_the_files_of_the_pages_exist_and_the_measurements_are_found():
    assert all((ROOT / source).is_file() for source in PAGES | MEASUREMENTS)
    assert "measurements/models.md" in MEASUREMENTS.values()


def test_a_section_is_filled_or_removed():
    nav = [{"A": ["a.md", {"M": []}]}, "b.md"]
    fill(nav, "M", ["m.md"])
    assert nav == [{"A": ["a.md", {"M": ["m.md"]}]}, "b.md"]
    empty = [{"A": ["a.md", {"M": []}]}]
    fill(empty, "M", [])
    assert empty == [{"A": ["a.md"]}]
