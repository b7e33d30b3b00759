"""NiiVue (BSD-2-Clause), the viewer of volumes that nilearn ships for its own pages."""

from __future__ import annotations

import base64
import gzip
import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path

log = logging.getLogger(__name__)

ASSET = Path("_assets", "js", "niivue.umd.js")
"""Place in nilearn; it is private and may move."""


@cache
def bundle() -> str:
    """Return the script of the viewer; empty, with a caution in the log, if nilearn does not have it where it was."""
    found = find_spec("nilearn")  # finds the package without importing it
    for folder in (found.submodule_search_locations or []) if found else []:
        path = Path(folder) / ASSET
        if path.is_file():
            return path.read_text(encoding="utf-8")
    log.warning("The viewer NiiVue is not in this version of nilearn: pages show pictures only.")
    return ""


@cache
def packed() -> str:
    """Return the script as base64 of gzip, a third of its size; empty if there is none."""
    text = bundle()
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode() if text else ""
