"""HTML pages, rendered with autoescape, and the policy that lets a browser run their own scripts only."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from brain_cae.reporting.figures import DARK, LIGHT, palette


def render(
    template: str, *, scripts: Sequence[Markup] = (), allowed: Sequence[str] = (), files: str = "", **values: Any
) -> str:
    """Render a template of this package; all values are escaped, except ``Markup``.

    Args:
        template: Name of the template.
        scripts: Scripts of the page, from :func:`script`.
        allowed: Text of further scripts that those may add.
        files: Further sources of scripts, as in a content security policy.
        values: Values of the template.
    """
    policy = content_policy([*scripts, *allowed], files)
    colours = {"light": palette(LIGHT), "dark": palette(DARK)}
    return _environment().get_template(template).render(scripts=scripts, policy=policy, colours=colours, **values)


@cache
def script(name: str) -> Markup:
    """Return a script of this package, to be put into a page as it is."""
    source, _, _ = PackageLoader("brain_cae.reporting", "templates").get_source(_environment(), name)
    return Markup(source)


def content_policy(scripts: Sequence[str], files: str = "") -> str:
    """Return the content security policy of a page: nothing is loaded, and no other script runs, also none from data.

    Args:
        scripts: Text of each script in the page.
        files: Further sources of scripts, such as files beside the page.
    """
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in scripts)
    allowed = " ".join(filter(None, [hashes, files]))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return f"{policy}; script-src {allowed}; connect-src data:" if allowed else policy


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("brain_cae.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )


def _unbroken(value: Any) -> Any:
    """Return text in which no line ends between a number and its percent sign; anything else as it is."""
    return re.sub(r"(?<=\d) (?=%)", "\N{NO-BREAK SPACE}", value) if type(value) is str else value
