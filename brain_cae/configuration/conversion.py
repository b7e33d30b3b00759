"""Conversion of a composed configuration to the dataclasses; errors name unknown keys and wrong types."""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from types import SimpleNamespace
from typing import Any, get_args

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_cae.configuration.groups import OPTIONS
from brain_cae.configuration.kinds import KINDS, check_bounds, find_class, prefixes, schema_of, with_class
from brain_cae.configuration.options import option_names
from brain_cae.errors import ConfigurationError
from brain_cae.files.names import in_home


def to_dataclass(composed: DictConfig, schema: type) -> Any:
    """Return an instance of ``schema`` from a composed configuration, with all keys and types checked."""
    try:
        plain: Any = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        key = str(error.full_key or "")
        raise ConfigurationError(
            "A reference cannot be resolved.", found=str(error).splitlines()[0], where=key
        ) from error
    if not isinstance(plain, dict):
        raise ConfigurationError("The configuration is not a mapping.", found=type(plain).__name__)
    plain.pop("experiment", None)
    plain = _at_home(plain)
    refuse_unknown(plain, [f.name for f in fields(schema)], prefix="")
    _refuse_endless(plain)
    for f in fields(schema):
        if f.name not in plain and f.default is MISSING and f.default_factory is MISSING:
            raise ConfigurationError(
                f"The key `{f.name}` is missing.", where=f.name, advice="Keep its default in the configuration."
            )
    values: dict[str, Any] = {}
    for f in fields(schema):
        if f.name not in plain:
            continue
        value = plain[f.name]
        kind: Any = f.type if value is None else _present(f.type)
        if f.name in KINDS and (value is not None or f.default is MISSING):
            values[f.name] = _fit_kind(f.name, value, plain)
            continue
        if f.name in OPTIONS and (value is not None or f.default is MISSING):
            kind = _option(f.name, value.get("name") if isinstance(value, dict) else value, f.name)
        is_group = is_dataclass(kind)
        if is_group and not isinstance(value, dict):
            raise ConfigurationError(f"`{f.name}` is a group of keys.", found=repr(value), where=f.name)
        values[f.name] = fit_group(kind, value, f.name) if is_group else value
    scalars = {name: v for name, v in values.items() if not hasattr(v, "__dataclass_fields__") and name not in KINDS}
    checked = _merge(schema, scalars, prefix="")
    return schema(**{**values, **{name: checked[name] for name in scalars}})


def _present(kind: Any) -> Any:
    """Return the dataclass of an optional group, or the type itself if it is not a group."""
    return next((option for option in get_args(kind) if is_dataclass(option)), kind)


def _at_home(value: Any) -> Any:
    """Return a configuration with the home folder in place of ``~/`` where a text starts so; no shell does it in all.

    Example:
        >>> _at_home({"cache": "~/cache"}) == {"cache": f"{Path.home()}/cache"}
        True
    """
    if isinstance(value, dict):
        return {key: _at_home(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_at_home(item) for item in value]
    return in_home(value) if isinstance(value, str) else value


def _refuse_endless(value: Any, key: str = "") -> None:
    """Check that no value is infinite or NaN."""
    if isinstance(value, dict):
        for name, item in value.items():
            _refuse_endless(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for item in value:
            _refuse_endless(item, key)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"The value of `{key}` is not a finite number.", found=str(value), where=key)


TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a group of keys",
    "list": "a list",
}
"""What a reader who does not program calls a type, by how its name starts."""


def _option(group: str, name: Any, prefix: str) -> type:
    if not isinstance(name, str) or name not in OPTIONS[group]:
        raise ConfigurationError(
            f"`{prefix}` has no option `{name}`.", expected=" | ".join(OPTIONS[group]), where=f"{prefix}.name"
        )
    return OPTIONS[group][name]


def _fit_kind(group: str, value: Any, plain: dict[str, Any]) -> Any:
    """Return the keys of an option that is a class, checked as the class declares them; for a look, datasets only.

    Importing the class of a reshape strategy takes longer than reading a hundred headers.
    """
    if not isinstance(value, dict):
        raise ConfigurationError(f"`{group}` is a group of keys.", found=repr(value), where=group)
    if plain.get("inspect") is True and KINDS[group] is not KINDS["dataset"]:
        return SimpleNamespace(**value)
    return fit_option(group, value, group, list(plain.get("extensions") or []))


def fit_option(group: str, value: dict[str, Any], key: str, extensions: list[str]) -> Any:
    """Return the keys of an option, with all types and bounds checked.

    Args:
        group: One of ``KINDS``.
        value: The option's table, with ``name`` and ``_target_``.
        key: Key of the option in the configuration.
        extensions: Further packages whose classes may be used.

    Raises:
        ConfigurationError: The class is not allowed, a key is unknown or missing, or a value does not fit.
    """
    kind, value = KINDS[group], with_class(group, value)
    if "_target_" not in value:
        options = option_names("dataset" if group == "external" else group)
        raise ConfigurationError(
            f"`{key}` has no option `{value.get('name')}`.", expected=" | ".join(options), where=f"{key}.name"
        )
    option = find_class(str(value.get("_target_", "")), key, (*kind.packages, *prefixes(extensions)))
    choice = fit_group(schema_of(option, kind.run), value, key, layout=getattr(option, "layout", None))
    if hasattr(choice, "parts"):
        choice.parts = _parts(choice.parts, f"{key}.parts", extensions)
    check_bounds(option, choice, key)
    return choice


def _parts(parts: dict[str, Any], prefix: str, extensions: list[str]) -> dict[str, Any]:
    """Return the parts of a combined data set that have a folder or table; the others are unused."""
    fitted = {}
    for name, part in parts.items():
        key = f"{prefix}.{name}"
        if not isinstance(part, dict):
            raise ConfigurationError(f"`{key}` is a group of keys.", found=repr(part), where=key)
        if "parts" in part or re.fullmatch(r"[A-Za-z0-9_]+", name) is None:
            raise ConfigurationError(
                f"`{key}` is not a valid part.",
                expected="a name of letters, digits and _, and any data set except combined",
                found=f"{name}: {part.get('name')}",
                where=key,
            )
        waiting = part.get("root") in (None, "???") and part.get("table") is None
        # Parts from conf/dataset/combined.yaml have the name of their data set, and are optional.
        if not waiting or name != part.get("name"):
            fitted[name] = fit_option("dataset", part, key, extensions)
    if not fitted:
        raise ConfigurationError(
            "No part of the combined data set has a folder or table.",
            expected=f"at least one of {', '.join(f'{prefix}.{name}.root' for name in parts)}",
            where=prefix,
            advice=f"Set it on the command line: {prefix}.{next(iter(parts), 'ixi')}.root=…",
        )
    return fitted


def fit_group(kind: type, value: dict[str, Any], prefix: str, *, layout: str | None = None) -> Any:
    """Return an instance of a group's dataclass, with all keys and types checked, also in nested groups.

    ``layout`` describes what is expected in a ``root`` without a value.
    """
    names = [f.name for f in fields(kind)]
    refuse_unknown(value, names, prefix=f"{prefix}.")
    optional = {f.name for f in fields(kind) if f.default is not MISSING or f.default_factory is not MISSING}
    missing = [name for name in names if value.get(name, "???") == "???" and (name in value or name not in optional)]
    if missing:
        raise ConfigurationError(
            f"The key `{prefix}.{missing[0]}` has no value.",
            expected=layout if missing[0] == "root" and layout else "a value",
            found="no value",
            where=f"{prefix}.{missing[0]}",
            advice=f"Set it on the command line: {prefix}.{missing[0]}=…",
        )
    nested_kinds = {f.name: f.type for f in fields(kind) if isinstance(f.type, type) and is_dataclass(f.type)}
    inner = {name: nested for name, nested in nested_kinds.items() if name in value}
    for name in inner:
        if not isinstance(value[name], dict):
            raise ConfigurationError(
                f"`{prefix}.{name}` is a group of keys.", found=repr(value[name]), where=f"{prefix}.{name}"
            )
    groups = {name: fit_group(nested, value[name], f"{prefix}.{name}") for name, nested in inner.items()}
    plain = {name: item for name, item in value.items() if name not in inner}
    return kind(**_merge(kind, plain, prefix=f"{prefix}."), **groups)


def _merge(kind: type, value: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the values with types checked by OmegaConf against the dataclass."""
    structure = OmegaConf.structured(kind)
    with suppress(OmegaConfBaseException):
        return _checked(structure, value)
    result: dict[str, Any] = {}
    for name, item in value.items():  # one by one, to name the key
        try:
            result |= _checked(structure, {name: item})
        except OmegaConfBaseException as error:
            below = error.full_key.split(".")[1:] if error.full_key else []
            expected = next(str(getattr(f.type, "__name__", f.type)) for f in fields(kind) if f.name == name)
            word = next((start for start in TYPES if expected.startswith(start)), None)
            key = prefix + ".".join([name, *below])
            one = word == "list" and isinstance(item, (str, int, float))
            raise ConfigurationError(
                f"The value of `{key}` has the wrong type.",
                expected=TYPES[word] if word else expected,
                found=repr(_at(item, below)),
                where=key,
                **({"advice": f"A list is written in brackets, also with one item: {key}=[{item}]"} if one else {}),
            ) from error
    return result


def _at(item: Any, keys: list[str]) -> Any:
    """Return the value below the keys, as far down as they lead."""
    for key in keys:
        if not isinstance(item, dict) or key not in item:
            break
        item = item[key]
    return item


def _checked(structure: DictConfig, value: dict[str, Any]) -> dict[str, Any]:
    merged = OmegaConf.merge(structure, value)
    plain: Any = OmegaConf.to_container(OmegaConf.masked_copy(merged, list(value)))  # type: ignore[arg-type]
    return {name: plain[name] for name in value}


def refuse_unknown(value: dict[str, Any], names: list[str], prefix: str) -> None:
    """Raise ConfigurationError for the first key that is not among ``names``."""
    for key in value:
        if key not in names:
            raise unknown_key(f"{prefix}{key}", names)


def unknown_key(
    key: str, names: list[str], elsewhere: Sequence[str] = (), options: Sequence[str] = ()
) -> ConfigurationError:
    """Return the error for an unknown key; it lists ``names``.

    It advises the ``options`` of the key's group that have it, or the same word ``elsewhere``, or the closest one.
    """
    group, _, last = key.rpartition(".")
    closest = [key[: -len(last)] + name for name in difflib.get_close_matches(last, names, n=1)]
    near = elsewhere if 0 < len(elsewhere) < 4 else closest  # more, as of `name`, help nobody
    advice = f"Did you mean {' or '.join(f'`{name}`' for name in near)}?" if near else None
    if options:
        advice = f"Choose an option of `{group}` that has it: {group}={' | '.join(options)}."
    return ConfigurationError(
        f"There is no key `{key}`.",
        expected=f"one of {', '.join(sorted(names))}",
        where=key,
        **({"advice": advice} if advice else {}),
    )


def unknown_option(group: str, name: str, options: Iterable[str], advice: str | None = None) -> ConfigurationError:
    """Return the error for an unknown option of a group: it lists ``options``, and the closest or ``advice``."""
    known = sorted(options)
    near = difflib.get_close_matches(name, known, n=1) or [option for option in known if name in option]
    advice = f"Did you mean `{group}={near[0]}`?" if near else advice
    return ConfigurationError(
        f"`{group}` has no option `{name}`." if known else f"There is no group `{group}`.",
        expected=" | ".join(known) or None,
        where=group,
        **({"advice": advice} if advice else {}),
    )


def keys_beside(config: DictConfig, key: str) -> list[str]:
    """Return the keys of the mapping in which the unknown ``key`` was expected."""
    node: Any = config
    for name in key.split(".")[:-1]:
        node = node[name] if isinstance(node, DictConfig) and name in node else node
    return [str(name) for name in node] if isinstance(node, DictConfig) else []


def keys_called(config: DictConfig, name: str) -> list[str]:
    """Return the whole keys, such as ``dataset.root``, whose last part is ``name``."""
    found = []
    for key, value in config.items_ex(resolve=False):
        found += [name] if key == name else []
        found += [f"{key!s}.{below}" for below in keys_called(value, name)] if isinstance(value, DictConfig) else []
    return found
