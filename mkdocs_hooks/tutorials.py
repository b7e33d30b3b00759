"""Tutorials of the site: scripts in percent format (``# %%``) become pages.

A cell that starts with ``# %% [markdown]`` is text behind ``# ``; every other cell is code. The script itself is
beside the page, to download and run.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
FOLDER = "tutorials"
ORDER = ("first_verdict", "audit_a_cohort")  # the others follow by name
CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
HEADER = re.compile(r"\A# ---\n(?:#.*\n)*?# ---\n")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the tutorials in their section of the navigation."""
    pages = [f"{FOLDER}/{path.stem}.md" for path in scripts(Path(config.docs_dir))]
    config.nav = [entry if "Tutorials" not in entry else {"Tutorials": pages} for entry in config.nav or []]
    config.nav = [entry for entry in config.nav if entry != {"Tutorials": []}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page of each tutorial."""
    for path in scripts(Path(config.docs_dir)):
        text = page(path.read_text(encoding="utf-8"), path.name)
        files.append(File.generated(config, f"{FOLDER}/{path.stem}.md", content=text))
    return files


def scripts(docs: Path) -> list[Path]:
    """Return the tutorials, in the order in which they are to be read."""
    place = {name: index for index, name in enumerate(ORDER)}
    return sorted((docs / FOLDER).glob("*.py"), key=lambda path: (place.get(path.stem, len(ORDER)), path.stem))


def page(script: str, name: str) -> str:
    """Return a script in percent format as Markdown.

    Raises:
        ValueError: It has no cell with a heading, which a page needs as its title.
    """
    pieces: list[Any] = CELL.split(HEADER.sub("", script))
    cells = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    text = "\n\n".join(filter(None, (_cell(kind, body.strip("\n")) for kind, body in cells)))
    title = re.search(r"^# .+$", text, re.MULTILINE)
    if title is None:
        raise ValueError(f"{name} has no `# %% [markdown]` cell with a title: `# # Title`.")
    source = f"[Download this page as a script]({name}){{ download }}"
    return f"{text[: title.end()]}\n\n{source}\n{text[title.end() :]}\n"


def _cell(kind: str, body: str) -> str:
    if "[markdown]" in kind or "[md]" in kind:
        return "\n".join(re.sub(r"^# ?", "", line) for line in body.splitlines())
    return f"```python\n{body}\n```" if body else ""
