"""The configuration that a finished run stores with its model."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from brain_cae.configuration.kinds import with_class
from brain_cae.configuration.options import read_option
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.atomic import write_text
from brain_cae.files.documents import read_yaml

UNREADABLE = "The stored model cannot be read."


def read_stored(run: Path) -> dict[str, Any]:
    """Return the content of a run's ``model/config.yaml`` as plain values, not yet validated.

    Raises:
        RunError: The folder contains no model, or its configuration is damaged.
        ConfigurationError: The file does not hold plain values.
    """
    path = run / "model" / "config.yaml"
    if not path.is_file():
        raise RunError(
            "This run has no model.",
            expected=str(path if run.suffix.lower() != ".zip" else run),
            found="a run that is still training or failed, or another folder"
            if run.is_dir()
            else ("a file" if run.is_file() else f"no such {'file' if run.suffix.lower() == '.zip' else 'folder'}"),
            where=str(run),
            advice=_meant(run) or "Give a finished run: run=outputs/<date>/<time>.",
        )
    try:
        content = read_yaml(path)
    except ValueError:
        content = None
    # Of the values, not of the text, in which YAML can write any character by its number.
    if "${" in str(content):
        raise ConfigurationError(
            "The stored configuration contains a reference.", expected="plain values", found="${", where=str(path)
        )
    if not isinstance(content, dict):
        raise RunError(
            UNREADABLE,
            expected="config.yaml as `train.py` writes it",
            found="a file that is damaged, or no mapping",
            where=str(path),
            advice="Copy the whole folder model/ again, or train again.",
        )
    return completed(content)


def _meant(path: Path) -> str:
    """Return the advice for a path inside of a run, or for a folder of runs such as a sweep; empty if it is neither."""
    above = [run for run in path.parents if path.exists() and (run / "model" / "config.yaml").is_file()]
    runs = sorted({file.parents[1] for depth in ("*", "*/*") for file in path.glob(f"{depth}/model/config.yaml")})
    if above or len(runs) == 1:
        return f"Did you mean run={[*above, *runs][0]}?"
    return f"It holds {len(runs)} runs with a model; name one of them, such as run={runs[0]}." if runs else ""


def write_choices(run: Path, config: dict[str, Any], options: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Write the choices of a run that no command started into its folder, as the command does, so that it is resumed.

    Args:
        run: Folder of the run; the choices of another run there stay.
        config: The whole configuration.
        options: Option of each group that was chosen.
        values: Values of further keys.
    """
    if (run / "status.json").exists():
        return
    typed = [f"{group}={name}" for group, name in options.items()]
    typed += [f"++{key}={as_typed(value)}" for key, value in values.items()]
    for name, content in (("config", config), ("overrides", typed)):
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        write_text(run / ".hydra" / f"{name}.yaml", text)


def as_typed(value: Any) -> str:
    """Return a value as Hydra reads it on the command line, text in quotes.

    Example:
        >>> print(as_typed({"names": ['a "b"', 1], "x": None}))
        {names:["a \\"b\\"",1],x:null}
    """
    if isinstance(value, str):
        # A backslash is one except before a quote.
        return '"' + re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + end[2].replace('"', r"\""), value) + '"'
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{as_typed(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def completed(content: dict[str, Any]) -> dict[str, Any]:
    """Return a stored configuration with the keys that earlier versions did not store, at the values of that time.

    Classes of datasets and harmonisers followed from the name of the option, the scores were always the same four,
    scans lay where their headers said, places were compared in the box of the mask, a brain was flagged by its
    p-value, brains that trained no network calibrated, nothing was removed from residuals before they were compared,
    and these were compared at every voxel. Early stopping (``trainer.patience``) is left out.
    """
    content = {**content}
    if "split" in content:
        content = {"calibration": {"name": "split"}} | content
    for group in ("dataset", "external", "harmonise"):
        if isinstance(content.get(group), dict):
            content[group] = with_class(group, content[group])
    if isinstance(content.get("scoring"), dict):
        scores = {
            name: read_option("scoring/score", name) | {"components": 0}
            for name in ("residual", "absolute", "intensity", "healthy_mean")
        }
        earlier = {
            "guarantee": "average",
            "confidence": 0.95,
            "joint": "mean",
            "statistic": "percentile",
            "cluster_share": 0.0,
            "samples_per_deviation": 0.0,
        }
        content["scoring"] = {"scores": scores} | earlier | content["scoring"]
    if isinstance(content.get("model"), dict):
        content["model"] = {"members": []} | content["model"]
    reshape = content.get("reshape")
    # Strategies of other packages have keys of their own.
    if isinstance(reshape, dict) and str(reshape.get("_target_")).startswith("brain_cae."):
        content["reshape"] = {"crop": "none"} | content["reshape"]
    if isinstance(content.get("preprocess"), dict):
        earlier = {"align": "affine_only", "space": "box", "bias_correction": "none"}
        content["preprocess"] = earlier | content["preprocess"]
    if isinstance(content.get("trainer"), dict):
        content["trainer"] = {name: value for name, value in content["trainer"].items() if name != "patience"}
    if isinstance(content.get("audit"), dict):
        content["audit"] = {"extra": {}} | content["audit"]
    return content
