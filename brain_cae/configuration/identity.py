"""What stands for a configuration: its choices one by one, and one hash of them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from brain_cae.configuration import Config

WITHOUT_EFFECT = ("cache", "workers", "extensions", "trainer.progress", "trainer.workers", "trainer.panel_every")
"""Keys that change no result: another machine may have others."""


def configuration_hash(config: Config) -> str:
    """16 hexadecimal digits that stand for every choice that a result depends on."""
    content = json.dumps(choices(asdict(config)), sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def choices(config: dict[str, Any]) -> dict[str, Any]:
    """Every key that a result depends on; where the simulated cohort is kept is none of them."""
    flat = dict(flattened(config))
    for cohort in ("dataset", "external"):
        if flat.get(f"{cohort}.name") == "phantom":
            del flat[f"{cohort}.root"]
    return flat


def flattened(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables by dotted key, but for those without effect on a result."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name in WITHOUT_EFFECT:
            continue
        if isinstance(value, dict):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value
