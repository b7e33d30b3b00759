"""Pages of the site whose files lie outside of ``docs/``, and links that leave it.

On a forge, a page links to another file of the repository by its relative path. On the site the same link leads to
the page of that file; a file that is no page is named without a link.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "vulnerabilities.md",
}
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.md"))
MEASUREMENTS = {f"benchmarks/results/{path.name}": f"measurements/{path.name}" for path in RESULTS}
# A fence, a link, or code; whichever begins first, so that links in code stay as they are.
PIECE = re.compile(
    r"^ *```.*?^ *```|(?<!!)\[(?P<text>[^\]]*)\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)|`[^`\n]*`",
    re.MULTILINE | re.DOTALL,
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the measurements in their section of the navigation."""
    fill(config.nav or [], "Measurements", list(MEASUREMENTS.values()))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of ``docs/``."""
    for source, page in (PAGES | MEASUREMENTS).items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the repository lead to their pages."""
    return site_links(markdown, page.file.src_uri)


def fill(nav: list[Any], title: str, pages: list[Any]) -> None:
    """Fill the section of this title, at any depth; remove it if there are no pages."""
    for entry in [entry for entry in nav if isinstance(entry, dict)]:
        for name, inside in entry.items():
            if name == title:
                nav.remove(entry) if not pages else entry.update({name: pages})
                return
            if isinstance(inside, list):
                fill(inside, title, pages)


def site_links(markdown: str, page: str) -> str:
    """Return a page's text with its links as they hold on the site.

    Args:
        markdown: Text with links that are relative to the file in the repository.
        page: Path of the page in the site's sources, such as ``experiments/reshape.md``.
    """
    places = PAGES | MEASUREMENTS
    source = next((source for source, uri in places.items() if uri == page), f"docs/{page}")

    def replaced(match: re.Match[str]) -> str:
        if match["path"] is None:
            return match[0]
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match["path"]))
        if target in places:
            uri = places[target]
        elif target.startswith("docs/"):
            uri = re.sub(r"^(tutorials/.+)\.py$", r"\1.md", target.removeprefix("docs/"))  # see tutorials.py
        elif (ROOT / target).exists():
            return f"{match['text']} (`{target}`)" if f"`{target}`" != match["text"] else match["text"]
        else:
            return match[0]  # leads nowhere: MkDocs warns, which ends the build
        return f"[{match['text']}]({posixpath.relpath(uri, posixpath.dirname(page) or '.')}{match['anchor'] or ''})"

    return PIECE.sub(replaced, markdown)
