"""The page of all configuration keys, from the files in ``conf/``, their comments and the typed schema.

It is written anew at each build, so it cannot be out of date. A key without a comment stops the build.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from brain_cae.configuration.checks import RANGES, WORDS
from brain_cae.configuration.groups import OPTIONS
from brain_cae.configuration.kinds import KINDS, find_class, rules
from brain_cae.configuration.options import conf_folder
from brain_cae.configuration.schema import Config, EvaluateConfig
from brain_cae.keys import Between

PAGE = "reference/configuration.md"
MACHINERY = ("name", "_target_", "defaults", "hydra")
WORD = {int: "whole number", float: "number", str: "text", bool: "true or false", Any: "any"}
UNITS = {"mm": "mm", "min": "minutes", "gb": "GB"}


@dataclass(frozen=True)
class Key:
    """A key as one file of ``conf/`` has it.

    Attributes:
        name: As typed on the command line, such as ``reshape.tolerance``.
        option: The option of its group that has it, such as ``clustered``; empty for a key of the command itself.
        default: As written in the file.
        type: In words.
        allowed: Range with unit, or words; empty if its type says all.
        comment: What the key means.
    """

    name: str
    option: str
    default: str
    type: str
    allowed: str
    comment: str


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=page(conf_folder())))
    return files


def page(conf: Path) -> str:
    """Return the page as Markdown.

    Args:
        conf: The folder ``conf``.

    Raises:
        ValueError: A key or an option has no comment.
    """
    groups = {group: keys_of_group(conf, group) for group in group_names(conf)}
    train, evaluate = (keys_of_command(conf, name) for name in ("train", "evaluate"))
    everything = [key for keys in [*groups.values(), train, evaluate] for key in keys]
    if missing := sorted({f"{key.name} ({key.option or 'conf/*.yaml'})" for key in everything if not key.comment}):
        raise ValueError(f"These keys have no comment in conf/: {', '.join(missing)}")
    chosen = defaults(conf / "train.yaml")
    sections = [_section(conf, group, keys, chosen.get(group)) for group, keys in groups.items()]
    return "\n\n".join(
        [
            "# Configuration keys",
            INTRODUCTION,
            "## Keys of `train.py` { #train }",
            *_entries(train),
            *sections,
            "## Keys of `evaluate.py` { #evaluate }",
            EVALUATION,
            *_entries(evaluate, anchor="evaluate-"),
        ]
    )


INTRODUCTION = """\
Every key of the program, with its type, default, range and meaning. Type a key as `key=value`, an option of a group as
`group=option`; `python train.py --help` prints the same values. A wrong key or value stops the program before any work
starts. This page is generated from the files in `conf/` and from the typed schema.

`null` means "not set". A list is typed without spaces: `modality.names=[t1,flair]`. Quote an argument that holds
characters of the shell: `'executor.setup=["module load python"]'`. Folders of runs and sweeps are Hydra's keys
`hydra.run.dir` and `hydra.sweep.dir`; `hydra/launcher=joblib` runs the jobs of a sweep in parallel.

`dataset@external=folder` adds a second data set, which the trained model scores. Its keys are those of `dataset`, with
`external.` in front: `external.root`. The parts of `dataset=combined` have them too: `dataset.parts.ixi.root`."""

EVALUATION = """\
An evaluation takes only these keys, and the groups `dataset`, `classifier`, `balancing`, `executor` and `audit`.
Everything else is fixed by the training run: overriding it is an error."""


def group_names(conf: Path) -> list[str]:
    """Return the groups in the order in which ``train.yaml`` composes them, each followed by the groups inside it."""
    names = [group for group in defaults(conf / "train.yaml") if "@" not in group]
    inside = sorted(
        path.relative_to(conf).as_posix()
        for path in conf.glob("*/*")
        if path.is_dir() and path.parent.name in names and any(path.glob("*.yaml"))
    )
    return [name for group in names for name in (group, *(sub for sub in inside if sub.startswith(f"{group}/")))]


def defaults(path: Path) -> dict[str, str | None]:
    """Return the option of each group in a defaults list; None for a group that is off."""
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))["defaults"]
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    return {group: option for group, option in pairs if not group.startswith("override ")}


def keys_of_group(conf: Path, group: str) -> list[Key]:
    """Return the keys of all options of a group; none if its options set keys of other groups."""
    keys = []
    for path in sorted((conf / group).glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if "@package _global_" not in text:
            prefix = "scoring.scores.<name>" if group == "scoring/score" else group
            for name, default, comment in entries(text):
                kind, allowed = _type_of(group, text, name, default)
                allowed = allowed or _allowed(f"{prefix}.{name}")
                keys.append(Key(f"{prefix}.{name}", path.stem, default, kind, allowed, comment))
    return keys


def keys_of_command(conf: Path, command: str) -> list[Key]:
    """Return the keys of a command that belong to no group."""
    schema = {"train": Config, "evaluate": EvaluateConfig}[command]
    text = (conf / f"{command}.yaml").read_text(encoding="utf-8")
    return [
        Key(name, "", default, _words(_follow(schema, name)) or _value_type(default), _allowed(name), comment)
        for name, default, comment in entries(text)
    ]


def entries(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield name, value as written, and comment of each key in a YAML file.

    A block with a comment on its first line only is one key; of other blocks, each key inside is one.

    Args:
        text: Content of a file of ``conf/``.
    """
    lines = text.splitlines()

    def walk(node: yaml.MappingNode, prefix: str) -> Iterator[tuple[str, str, str]]:
        for key, value in node.value:
            if (not prefix and key.value in MACHINERY) or key.value == "_target_":
                continue
            block = isinstance(value, yaml.CollectionNode) and not value.flow_style
            mark = key.end_mark if block else value.end_mark
            comment = _comment(lines, mark.line, mark.column + block)
            inside = list(walk(value, f"{prefix}{key.value}.")) if block and isinstance(value, yaml.MappingNode) else []
            if inside and (not comment or any(about for _, _, about in inside)):
                yield from inside
            else:
                yield f"{prefix}{key.value}", _as_written(text, value, block=block), comment

    root = yaml.compose(text, yaml.SafeLoader)
    if isinstance(root, yaml.MappingNode):
        yield from walk(root, "")


def _comment(lines: list[str], line: int, column: int) -> str:
    """Return the comment behind a value, with the lines below that continue it in the same column."""
    start = lines[line].find("#", column)
    if start < 0 or lines[line][column:start].strip():
        return ""
    words = [lines[line][start:]]
    for following in lines[line + 1 :]:
        if following.strip().startswith("#") and following.find("#") == start:
            words.append(following)
        else:
            break
    return " ".join(word.strip().lstrip("# ") for word in words)


def _as_written(text: str, value: yaml.Node, *, block: bool) -> str:
    written = text[value.start_mark.index : value.end_mark.index].strip()
    if not block:
        return written
    loaded = yaml.safe_load("\n" + " " * value.start_mark.column + written)
    return yaml.safe_dump(loaded, default_flow_style=True, width=1000, sort_keys=False).strip()


def header(text: str) -> str:
    """Return the comment at the top of a file."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(line.lstrip("#").removeprefix(" "))
    return "\n".join(lines)


@cache
def _schema(group: str, option: str, target: str) -> tuple[Any, bool]:
    """Return the class whose arguments or fields are the keys of an option, and whether it declares their bounds."""
    if group in KINDS:
        return find_class(target, group, KINDS[group].packages), True
    if group in OPTIONS:
        return OPTIONS[group][option], False
    return get_type_hints(Config).get(group), False


def _type_of(group: str, text: str, name: str, default: str) -> tuple[str, str]:
    """Return type and range of a key in words."""
    values = yaml.safe_load(text)
    schema, bounded = _schema(group, values.get("name", ""), values.get("_target_", ""))
    if bounded:
        hint = get_type_hints(schema.__init__, include_extras=True).get(name, Any)
        words = [
            rule.meaning if isinstance(rule, Between) else " | ".join(f"`{word}`" for word in rule.words)
            for rule in rules(hint)
        ]
        plain = get_type_hints(schema.__init__).get(name, Any)
        return _words(plain) or _value_type(default), words[0] if words else ""
    return _words(_follow(schema, name)) or _value_type(default), ""


def _follow(schema: Any, name: str) -> Any:
    """Return the type of a dotted name in a dataclass; Any where the schema leaves it open."""
    for part in name.split("."):
        inside = [kind for kind in (get_args(schema) or [schema]) if is_dataclass(kind)]
        if not inside:
            return Any
        schema = next((get_type_hints(inside[0])[field.name] for field in fields(inside[0]) if field.name == part), Any)
    return schema


def _words(hint: Any) -> str:
    """Return a type in words; empty for a type that says nothing."""
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        parts = [_words(part) for part in get_args(hint) if part is not NoneType]
        return " or ".join(filter(None, dict.fromkeys(parts))) + (" or null" if NoneType in get_args(hint) else "")
    origin, inner = get_origin(hint), get_args(hint)
    if origin is dict:
        return "mapping"
    if origin is not None and inner:
        word = WORD.get(inner[0], "")
        return f"list of {word}{'' if word == 'text' else 's'}" if word else "list"
    return WORD.get(hint, "") if hint is not Any else ""


def _value_type(default: str) -> str:
    value = yaml.safe_load(default)
    if isinstance(value, list):
        return _words(list[type(value[0])]) if value else "list"  # type: ignore[misc]
    return {NoneType: "text or null", dict: "mapping"}.get(type(value)) or WORD[type(value)]


def _allowed(name: str) -> str:
    """Return the range or the words of a key that the checks of the whole configuration know."""
    if name in WORDS:
        return " | ".join(f"`{word}`" for word in WORDS[name])
    if name in RANGES:
        return RANGES[name][2]
    unit = UNITS.get(name.rpartition("_")[2], "")
    return f"in {unit}" if unit else ""


def _section(conf: Path, group: str, keys: list[Key], default: str | None) -> str:
    files = sorted((conf / group).glob("*.yaml"))
    texts = {path.stem: path.read_text(encoding="utf-8") for path in files}
    if missing := [option for option, text in texts.items() if not header(text)]:
        raise ValueError(f"These options have no comment at the top of their file: {group}: {', '.join(missing)}")
    title = f"## `{group}`: {_purpose(conf, group)} {{ #{_anchor(group)} }}"
    options = [f"- `{group}={option}`: {_prose(header(text))}" for option, text in texts.items()]
    chosen = [f"Default: `{group}={default}`."] if default else ["Off by default."] if "/" not in group else []
    code = [
        f"`{group}={option}` sets:\n\n```yaml\n{_without_header(text)}\n```"
        for option, text in texts.items()
        if "@package _global_" in text
    ]
    return "\n\n".join([title, *chosen, "\n".join(options), *_entries(keys), *code])


def _purpose(conf: Path, group: str) -> str:
    """Return what ``--help`` says of a group."""
    text = (conf / "hydra" / "help" / "brain_cae.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^ +{re.escape(group.partition('/')[0])} +(.+)$", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"conf/hydra/help/brain_cae.yaml says nothing of the group {group}.")
    return "the scores that are compared" if "/" in group else found[1]


def _prose(comment: str) -> str:
    """Return a file's comment as one list item; its indented lines are shown as they are."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in comment.splitlines():
        if not blocks or blocks[-1][0] != line.startswith("  "):
            blocks.append((line.startswith("  "), []))
        blocks[-1][1].append(line.strip())
    return "\n\n    ".join(
        "\n    ".join(["```text", *lines, "```"]) if code else _escaped(" ".join(lines)) for code, lines in blocks
    )


def _escaped(text: str) -> str:
    """Return a comment as Markdown: what looks like markup is shown as it is; pages of the site are linked."""
    parts = re.split(r"(`[^`]*`)", text)
    safe = [part if part.startswith("`") else re.sub(r"([\\*_\[<|])", r"\\\1", part) for part in parts]
    return re.sub(r"docs/(\w+)\.md", r"[\1](../\1.md)", "".join(safe))


def _without_header(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _entries(keys: list[Key], anchor: str = "") -> list[str]:
    """Return the keys as headings with their facts; options that agree share one paragraph."""
    blocks = []
    for name in dict.fromkeys(key.name for key in keys):
        same = [key for key in keys if key.name == name]
        blocks.append(f"### `{name}` {{ #{anchor}{_anchor(name)} .key }}")
        variants = dict.fromkeys((key.type, key.allowed, key.comment) for key in same)
        for kind, allowed, comment in variants:
            members = [key for key in same if (key.type, key.allowed, key.comment) == (kind, allowed, comment)]
            options = {key.option for key in keys if key.option}
            some = len(options) > len(members) and members[0].option
            where = [f"with {', '.join(f'`{key.option}`' for key in members)}"] if some else []
            default, by_option = _default(members)
            facts = " · ".join(filter(None, [*where, kind, default, allowed]))
            blocks += [f"{facts}\n{{: .facts }}", _sentence(comment, allowed), *by_option]
    return blocks


def _default(members: list[Key]) -> tuple[str, list[str]]:
    """Return the default in a few words and, where options differ in long values, a list of them."""
    values: dict[str, list[str]] = {}
    for key in members:
        values.setdefault(key.default, []).append(key.option)
    if list(values) == ["???"]:
        return "required", []
    if len(values) == 1:
        return f"default `{members[0].default}`", []
    if sum(map(len, values)) > 100:  # characters that fit into a line or two
        return "", ["\n".join(f"- `{', '.join(options)}`: `{value}`" for value, options in values.items())]
    return "default " + ", ".join(f"`{value}` ({', '.join(options)})" for value, options in values.items()), []


def _sentence(comment: str, allowed: str) -> str:
    """Return a comment as a sentence, in which the values of its key are code."""
    values = "|".join(["true", "false", "null", *re.findall(r"`(\w+)`", allowed)])
    marked = re.sub(rf"(?<![`\w])\"?({values})\"?(?= \||:|;|$)", r"`\1`", comment)
    text = _escaped(marked)
    first = text[:1].upper() if text.partition(" ")[0].rstrip(":,;").isalpha() else text[:1]
    return first + text[1:] + ("" if text.endswith((".", "…", "?")) else ".")
