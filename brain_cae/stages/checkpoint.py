"""The checkpoint of an interrupted run, and whether the configuration allows training to continue from it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from brain_cae.configuration import Config
from brain_cae.configuration.identity import SKULL_STRIP, flattened
from brain_cae.configuration.stored import completed
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.documents import read_json, read_yaml

LEARNING = (
    "dataset", "modality", "preprocess", "reshape", "harmonise", "split", "model", "trainer", "calibration", "seed",
    "overfit_subjects",
)  # fmt: skip
"""Groups of the configuration that must be the same in an interrupted run and the run that resumes it."""


def last_checkpoint(config: Config) -> Path | None:
    """Return the checkpoint to resume from; None for a new run, or if no epoch was completed.

    Raises:
        RunError: ``resume`` is not a run, or the run is finished, or its checkpoint is damaged.
        ConfigurationError: A value differs from the interrupted run and could be applied only in part or not at all.
    """
    if config.resume is None:
        return None
    run = Path(config.resume)
    stored = run / ".hydra" / "config.yaml"
    if not stored.is_file():
        raise RunError(
            "There is no run to resume.",
            expected=f"{stored}, written when `train.py` starts",
            found="no such file" if run.is_dir() else "no such folder",
            where="resume",
            advice="Name the folder of an interrupted run: resume=outputs/<date>/<time>.",
        )
    _refuse_changes(_configuration(stored), config)
    if _finished(run):
        raise RunError(
            "This run is finished and cannot be resumed.",
            where=str(run),
            advice=f"Score again with `python evaluate.py run={run}`, or start a new run. The learning rate schedule "
            "ends with the configured number of epochs, so a finished training cannot be extended.",
        )
    checkpoint = run / "checkpoints" / "last.ckpt"
    if not checkpoint.is_file():
        return None
    _check_readable(checkpoint)
    return checkpoint


def _configuration(stored: Path) -> dict[str, Any]:
    try:
        content = read_yaml(stored)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RunError(
            "The configuration of the run to resume cannot be read.",
            expected="plain values, as `train.py` writes them",
            found="a file that is damaged, or of another program",
            where=str(stored),
            advice="Start a new run; the imported and prepared scans are reused.",
        )
    return completed(content)


def _refuse_changes(before: dict[str, Any], config: Config) -> None:
    trees = (before, asdict(config))
    old, new = (dict(flattened({group: tree.get(group) for group in LEARNING})) for tree in trees)
    keys = (old.keys() | new.keys()) - {"dataset.root"}  # the scans may have been moved
    if old.get(SKULL_STRIP) == "auto":
        keys -= {SKULL_STRIP}  # replaced by the tool before the run starts
    changed = sorted(key for key in keys if old.get(key) != new.get(key))
    if changed:
        raise ConfigurationError(
            f"`{changed[0]}` differs from the run to resume.",
            expected=", ".join(f"{key}={old.get(key)}" for key in changed[:5]),
            found=", ".join(f"{key}={new.get(key)}" for key in changed[:5]),
            where="resume",
            advice=f"`python train.py resume={config.resume}` without other keys takes the configuration of "
            "the run; for a different configuration start a new run.",
        )


def _finished(run: Path) -> bool:
    """Return whether the run is complete; a run with ``stop_after`` has no metrics."""
    try:
        status = read_json(run / "status.json")
    except (OSError, ValueError):
        return False
    finished = isinstance(status, dict) and status.get("status") == "finished"
    return finished and (run / "metrics.json").is_file()


def _check_readable(checkpoint: Path) -> None:
    import torch

    try:
        content = torch.load(checkpoint, weights_only=True, map_location="cpu")
        missing = {"state_dict", "optimizer_states", "loops"} - set(content)
        problem = f"without {', '.join(sorted(missing))}" if missing else ""
    except Exception as error:
        # The message of PyTorch recommends loading without the check, which would execute code in the file.
        problem = f"a damaged file, or a file of another program ({type(error).__name__})"
    if problem:
        raise RunError(
            "The checkpoint to resume from cannot be read.",
            expected="a training checkpoint written by `train.py`",
            found=problem,
            where=str(checkpoint),
            advice="Start a new run; the imported and prepared scans are reused.",
        )
