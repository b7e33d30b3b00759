"""Resuming an interrupted run: its stored choices are added to the command line."""

from pathlib import Path

import yaml


def with_stored_choices(arguments: list[str]) -> list[str]:
    """Return the arguments of ``train.py``, preceded by those of the run given by ``resume=``.

    Args:
        arguments: Arguments as typed. A typed key replaces the stored one; whether it may differ is checked later, see
            :func:`brain_cae.stages.checkpoint.last_checkpoint`.
    """
    keys = {_key(argument) for argument in arguments if "=" in argument}
    run = next((argument.partition("=")[2] for argument in arguments if _key(argument) == "resume"), "")
    path = Path(run) / ".hydra" / "overrides.yaml"
    if not run or not path.is_file() or {"-m", "--multirun"} & set(arguments):
        return arguments
    stored = [str(item) for item in yaml.safe_load(path.read_text(encoding="utf-8")) or []]
    kept = [item for item in stored if _key(item) not in keys]
    if "hydra.mode" not in keys and any(_key(item) == "experiment" for item in kept):
        # Resume this one job, not the whole sweep of the experiment.
        kept.append("hydra.mode=RUN")
    return [*kept, *arguments]


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")
