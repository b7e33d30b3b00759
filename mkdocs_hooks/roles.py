"""Docstrings name functions and classes with roles, as in ``:func:`fit```; pages show the names alone."""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

ROLE = re.compile(r":(?:func|class|mod|meth|attr|data):<code>[~.]?([^<]+)</code>")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return the page without roles."""
    return ROLE.sub(r"<code>\1</code>", html)
