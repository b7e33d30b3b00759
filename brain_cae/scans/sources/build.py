"""From the configuration of a dataset to its source."""

import inspect
from dataclasses import replace
from typing import Any

from hydra.utils import get_class

from brain_cae.scans.sources.base import Source
from brain_cae.scans.sources.combined import Combined
from brain_cae.scans.sources.roots import as_path
from brain_cae.scans.sources.series_table import SeriesLine


def make_source(dataset: Any, **run: Any) -> Source:
    """The source that a dataset's ``_target_`` names; a combined one with its parts.

    Args:
        dataset: The keys of its option.
        run: What the run gives, see :class:`Source`; a class gets what it takes.
    """
    kind = get_class(dataset._target_)
    keys = {name: value for name, value in vars(dataset).items() if name not in ("name", "_target_")}
    # In the middle of an argument no shell expands ~ or removes quotes, and a configuration file has no shell.
    for name in ("root", "table", "key_file", "series", "write_series", "labels"):
        if isinstance(keys.get(name), str):
            keys[name] = as_path(keys[name])
    if "parts" in keys:
        keys["parts"] = {name: make_source(part, **run) for name, part in keys["parts"].items()}
    taken = inspect.signature(kind).parameters
    return kind(**keys, **{name: value for name, value in run.items() if name in taken})


def overview_of(source: Any) -> list[SeriesLine]:
    """Return what a source took each series for, after it has located them; empty for sources that go by names."""
    if isinstance(source, Combined):
        return [
            replace(line, subject=f"{name}-{line.subject}")
            for name, part in source.parts.items()
            for line in overview_of(part)
        ]
    return source.overview() if hasattr(source, "overview") else []
