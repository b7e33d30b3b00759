"""Identity of a configuration: the choices that a result depends on, and their hash."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from brain_cae.configuration import Config

WITHOUT_EFFECT = (
    "cache",
    "workers",
    "executor",
    "extensions",
    "logger",
    "verbosity",
    "trainer.progress",
    "trainer.workers",
    "trainer.panel_every",
)
"""Keys that do not affect results and may differ between machines."""

SKULL_STRIP = "preprocess.skull_strip"
"""A run replaces ``auto`` by a tool or ``none``, so that its stored configuration differs from the one as given."""


def configuration_hash(config: Config) -> str:
    """Return a hash (16 hexadecimal digits) of all choices that a result depends on."""
    content = json.dumps(choices(asdict(config)), sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def choices(config: dict[str, Any]) -> dict[str, Any]:
    """Return all keys that a result depends on; the folder of a simulated cohort is not one of them."""
    flat = dict(flattened(config))
    for cohort in ("dataset", "external"):
        if flat.get(f"{cohort}.name") == "phantom":
            del flat[f"{cohort}.root"]
    return flat


def flattened(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings by dotted key, except those that do not affect results."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name in WITHOUT_EFFECT:
            continue
        if isinstance(value, dict):
            yield from flattened(value, f"{name}.")
        else:
            yield name, value
