"""The configuration that a finished run stores with its model."""

from pathlib import Path
from typing import Any

from brain_cae.configuration.kinds import with_class
from brain_cae.configuration.options import read_option
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.documents import read_yaml


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
            expected=str(path),
            found="a run that is still training or failed, or another folder" if run.is_dir() else "no such folder",
            where=str(run),
            advice="Give a finished run: run=outputs/<date>/<time>.",
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
            "The stored model cannot be read.",
            expected="config.yaml as `train.py` writes it",
            found="a file that is damaged, or no mapping",
            where=str(path),
            advice="Copy the whole folder model/ again, or train again.",
        )
    return completed(content)


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
