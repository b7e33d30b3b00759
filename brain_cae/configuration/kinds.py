"""Groups whose options are classes: the class in ``_target_`` declares the keys of its option.

Arguments of the class are the keys, their types are the keys' types, and ``Annotated`` types (:mod:`brain_cae.keys`)
hold their bounds. A class may define ``check(choice, key)`` for what only shows when its keys are seen together.
"""

import importlib
import inspect
from dataclasses import dataclass, make_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

from brain_cae.configuration.options import option_names, read_option
from brain_cae.errors import ConfigurationError
from brain_cae.keys import Between, OneOf


@dataclass(frozen=True)
class Kind:
    """What the options of a group have in common.

    Attributes:
        packages: Prefixes of the classes that are allowed, in addition to the packages in ``extensions``.
        run: Arguments that the run gives, not the configuration.
    """

    packages: tuple[str, ...]
    run: tuple[str, ...] = ()


SOURCES = Kind(("brain_cae.scans.sources.",), run=("modalities", "workers", "limit", "progress", "write", "cache"))
KINDS = {
    "dataset": SOURCES,
    "external": SOURCES,
    "reshape": Kind(("brain_cae.reshape.",)),
    "harmonise": Kind(("brain_cae.harmonise.",), run=("carried",)),
}
"""By group. Datasets are read without torch; the others may take seconds to import."""


def with_class(group: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return an option with the ``_target_`` that belongs to its name, if it has none; also in its parts."""
    value = {**value}
    folder = "dataset" if group == "external" else group
    if "_target_" not in value and value.get("name") in option_names(folder):
        value["_target_"] = read_option(folder, value["name"])["_target_"]
    if isinstance(value.get("parts"), dict):
        value["parts"] = {
            name: with_class(group, part) if isinstance(part, dict) else part for name, part in value["parts"].items()
        }
    return value


def prefixes(extensions: list[str]) -> tuple[str, ...]:
    """Return the prefixes of class names in the packages of ``extensions``."""
    return tuple(f"{name}." for name in extensions)


def find_class(target: str, key: str, allowed: tuple[str, ...]) -> type:
    """Import the class that a ``_target_`` names.

    Args:
        target: Dotted name.
        key: Key of the option in the configuration.
        allowed: Prefixes of allowed names.

    Raises:
        ConfigurationError: It does not exist, belongs to another package, or is not a class.
    """
    if not target.startswith(allowed):
        raise ConfigurationError(
            f"`{key}` must not use `{target}`.",
            expected=f"a class of {' or '.join(name.rstrip('.') for name in allowed)}",
            where=f"{key}._target_",
            advice="To use a class of a package that you trust, add extensions=[<package>]; see docs/extending.md.",
        )
    module, _, name = target.rpartition(".")
    try:
        member = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"There is no class `{target}`.", where=f"{key}._target_") from error
    # A function, or a class that the module only imports, could run arbitrary code.
    if not isinstance(member, type) or not f"{member.__module__}.".startswith(allowed):
        raise ConfigurationError(f"`{target}` is not a class of that package.", where=f"{key}._target_")
    return member


@cache
def schema_of(option: type, run: tuple[str, ...]) -> type:
    """Return the dataclass of an option's keys: ``name``, ``_target_``, and the arguments not in ``run``."""
    hints = get_type_hints(option.__init__)  # type: ignore[misc]
    keys = [(name, hints.get(name, Any)) for name in inspect.signature(option).parameters if name not in run]
    # A class that no module holds: copies of its objects for other processes name the option instead.
    methods = {"__reduce__": lambda choice: (_restored, (option, run, vars(choice)))}
    return make_dataclass(f"{option.__name__}Keys", [("name", str), ("_target_", str), *keys], namespace=methods)


def _restored(option: type, run: tuple[str, ...], values: dict[str, Any]) -> Any:
    return schema_of(option, run)(**values)


def check_bounds(option: type, choice: Any, key: str) -> None:
    """Check each key against the bounds that the class declares, then let the class check them together.

    Raises:
        ConfigurationError: A value lies outside its bounds, or is not among its words.
    """
    hints = get_type_hints(option.__init__, include_extras=True)  # type: ignore[misc]
    for name, hint in hints.items():
        value: Any = getattr(choice, name, None)
        for rule in _rules(hint) if value is not None else ():
            if isinstance(rule, Between) and not rule.low <= value <= rule.high:
                raise out_of_range(f"{key}.{name}", value, rule.meaning)
            if isinstance(rule, OneOf) and value not in rule.words:
                raise not_a_choice(f"{key}.{name}", value, rule.words, rule.advice)
    if hasattr(option, "check"):
        option.check(choice, key)


def _rules(hint: Any) -> list[Any]:
    """Return the bounds declared in a type, also in an optional one."""
    return [*getattr(hint, "__metadata__", ()), *(rule for part in get_args(hint) for rule in _rules(part))]


def out_of_range(key: str, value: Any, meaning: str) -> ConfigurationError:
    """Return the error for a number outside its bounds."""
    return ConfigurationError(f"The value of `{key}` is out of range.", expected=meaning, found=str(value), where=key)


def not_a_choice(key: str, value: Any, words: tuple[str, ...], advice: str | None = None) -> ConfigurationError:
    """Return the error for a word that is not allowed."""
    return ConfigurationError(
        f"The value of `{key}` is not valid.",
        expected=" | ".join(words),
        found=str(value),
        where=key,
        **({"advice": advice} if advice else {}),
    )
