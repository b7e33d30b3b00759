"""Hydra composes the same choices once in a process of tests: what it builds from files takes most of a composition.

The values on the command line are set anew each time, by Hydra, on a copy. The commands that tests start as processes
are not affected.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hydra._internal import config_loader_impl as loader
from hydra._internal.defaults_list import DefaultsList, Overrides


def remember_compositions() -> None:
    """Replace Hydra's two slow steps by ones that remember their results, by search path, choices and options."""
    loader.create_defaults_list = _remembered_defaults(loader.create_defaults_list)
    kind = loader.ConfigLoaderImpl
    kind._compose_config_from_defaults_list = _remembered_files(kind._compose_config_from_defaults_list)


def _remembered_defaults(usual: Callable[..., DefaultsList]) -> Callable[..., DefaultsList]:
    known: dict[Any, DefaultsList] = {}

    def create(repo: Any, config_name: str | None, overrides_list: list, **options: bool) -> DefaultsList:
        values = Overrides(repo, overrides_list).config_overrides
        choices = [one for one in overrides_list if all(one is not value for value in values)]
        key = (_sources(repo), config_name, *(one.input_line for one in choices), *options.items())
        if key not in known:
            known[key] = usual(repo, config_name, choices, **options)
        return replace(known[key], config_overrides=values)

    return create


def _remembered_files(usual: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def load(self: Any, defaults: list, repo: Any) -> Any:
        key = (_sources(repo), repr(defaults))
        if key not in known:
            known[key] = usual(self, defaults, repo)
        return copy.deepcopy(known[key])

    return load


def _sources(repo: Any) -> str:
    return repr([(source.scheme(), source.provider, source.path) for source in repo.get_sources()])
