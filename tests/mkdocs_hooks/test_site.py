"""The built site: complete, and of one piece, so that it can be read from disk without a network."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytestmark = pytest.mark.extras

ROOT = Path(__file__).parents[2]
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "link": "href",
    "source": "src",
    "video": "src",
    "object": "data",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site as `make docs` builds it; any warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "--quiet", "build", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Resources(HTMLParser):
    """The addresses that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag != "link" or given.get("rel") not in ("next", "prev", "canonical"):
            self.found.append(given.get(LOADED.get(tag, "")) or "")


def test_no_page_and_no_style_loads_anything_from_elsewhere(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        resources = Resources()
        resources.feed(page.read_text(encoding="utf-8"))
        for address in filter(None, resources.found):
            assert not re.match(r"(?:\w+:)?//", address), f"{page.name} loads {address}"
            if page.name != "404.html" and not address.startswith("data:"):  # 404 is for servers
                assert (page.parent / address.partition("?")[0]).exists(), f"{page.name} lacks {address}"
    for style in site.rglob("*.css"):
        outside = re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", style.read_text(encoding="utf-8"))
        assert outside == [], style.name


def test_search_works_from_disk_and_finds_keys_and_functions(site):
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert index.startswith("var __index = ")
    for address in ("reference/configuration.html#scoring-alpha", "reference/python.html#brain_cae.api.Detector.score"):
        assert f'"{address}"' in index
    assert 'location.protocol === "file:"' in (site / "javascripts" / "iframe-worker.js").read_text(encoding="utf-8")


def test_every_document_and_every_tutorial_is_a_page(site):
    documents = [
        path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*") if path.suffix in (".md", ".py")
    ]
    assert [str(path) for path in documents if not (site / path.with_suffix(".html")).is_file()] == []
    changes = (site / "changelog.html").read_text(encoding="utf-8")
    assert "<h1" in changes and "0.1.0" in changes
