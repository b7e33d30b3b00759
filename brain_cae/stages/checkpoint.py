"""The state of a network that goes on learning: where it is, and whether the choices allow it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from brain_cae.configuration import Config
from brain_cae.configuration.identity import flattened
from brain_cae.configuration.stored import completed
from brain_cae.errors import ConfigurationError, RunError

LEARNING = (
    "dataset", "modality", "preprocess", "reshape", "harmonise", "split", "model", "trainer", "seed", "overfit_subjects"
)  # fmt: skip
"""What a network that goes on learning must have in common with the run that it comes from."""


def last_checkpoint(config: Config) -> Path | None:
    """The state to go on from; None begins with the first epoch, in a new run as in one that never ended an epoch.

    Raises:
        RunError: ``resume`` names no run, one that is finished, or one whose checkpoint is damaged.
        ConfigurationError: A value differs from the run's: going on would apply it in part, or not at all.
    """
    if config.resume is None:
        return None
    run = Path(config.resume)
    stored = run / ".hydra" / "config.yaml"
    if not stored.is_file():
        raise RunError(
            "There is nothing to go on from.",
            expected=f"{stored}, which `train.py` writes when it starts",
            found="no such file" if run.is_dir() else "no such folder",
            where="resume",
            advice="Name the folder of an interrupted run: resume=outputs/<date>/<time>.",
        )
    _refuse_changes(completed(yaml.safe_load(stored.read_text(encoding="utf-8")) or {}), config)
    if _finished(run):
        raise RunError(
            "This run is finished: there is nothing to go on with.",
            where=str(run),
            advice=f"Score again with `python evaluate.py run={run}`, or start a new run. The learning rate falls over "
            "the epochs that were asked for, so a finished training cannot be made longer.",
        )
    checkpoint = run / "checkpoints" / "last.ckpt"
    if not checkpoint.is_file():
        return None
    _check_readable(checkpoint)
    return checkpoint


def _refuse_changes(before: dict[str, Any], config: Config) -> None:
    now = asdict(config)
    old, new = (dict(flattened({group: tree.get(group) for group in LEARNING})) for tree in (before, now))
    keys = (old.keys() | new.keys()) - {"dataset.root"}  # the same scans may have moved
    changed = sorted(key for key in keys if old.get(key) != new.get(key))
    if changed:
        raise ConfigurationError(
            f"`{changed[0]}` differs from the run that is to go on.",
            expected=", ".join(f"{key}={old.get(key)}" for key in changed[:5]),
            found=", ".join(f"{key}={new.get(key)}" for key in changed[:5]),
            where="resume",
            advice=f"`python train.py resume={config.resume}` alone takes the run's own choices; "
            "for other choices start a new run.",
        )


def _finished(run: Path) -> bool:
    """Whether nothing is left to do; a run that was asked to stop after the import has left no metrics."""
    try:
        status = json.loads((run / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return status.get("status") == "finished" and (run / "metrics.json").is_file()


def _check_readable(checkpoint: Path) -> None:
    import torch

    try:
        content = torch.load(checkpoint, weights_only=True, map_location="cpu")
        missing = {"state_dict", "optimizer_states", "loops"} - set(content)
        problem = f"without {', '.join(sorted(missing))}" if missing else ""
    except Exception as error:
        # PyTorch's own words advise to load it without the check, which would run whatever the file says.
        problem = f"a damaged file, or one of another program ({type(error).__name__})"
    if problem:
        raise RunError(
            "The checkpoint to go on from cannot be read.",
            expected="the state of a training, as `train.py` writes it",
            found=problem,
            where=str(checkpoint),
            advice="Start a new run; what was imported and prepared is kept.",
        )
