"""Reads JSON and YAML that others may have written: plain values from a file of bounded size, or an error."""

import json
from pathlib import Path
from typing import Any

import yaml

from brain_cae.files.special import is_special

LARGEST_JSON = 64 * 2**20
"""Bytes. The metrics of ten thousand subjects take less than one tenth of it."""
LARGEST_YAML = 4 * 2**20
"""Bytes; a configuration takes some thousands."""


DEEPEST = 50
"""Levels of nesting in YAML; a configuration has about ten."""


class _PlainLoader(yaml.SafeLoader):
    """Builds no object but plain values, and refuses aliases: ten lines of them can stand for a billion values."""

    def fetch_more_tokens(self) -> Any:
        # Checked here because the time that the scanner takes grows with the square of the nesting.
        if self.flow_level + len(self.indents) > DEEPEST:
            raise yaml.YAMLError("nested too deeply")
        return super().fetch_more_tokens()

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def read_json(path: Path, *, encoding: str = "utf-8") -> Any:
    """Return the content of a JSON file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not JSON, larger than ``LARGEST_JSON``, or nested too deeply.
    """
    try:
        return json.loads(_text(path, LARGEST_JSON, encoding))
    except RecursionError as error:
        raise ValueError(f"{path} is nested too deeply") from error


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file, which may hold plain values only: no tags of Python, no aliases.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not such YAML, larger than ``LARGEST_YAML``, or nested too deeply.
    """
    text = _text(path, LARGEST_YAML, "utf-8")
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} does not hold plain values") from error


def _text(path: Path, largest: int, encoding: str) -> str:
    if is_special(path):
        raise OSError(f"{path} is not a file")
    with path.open("rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"{path} is larger than {largest} bytes")
    return content.decode(encoding)
