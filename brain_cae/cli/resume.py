"""Going on with a run that was interrupted: its choices, and the state of its network."""

from pathlib import Path

import yaml


def with_stored_choices(arguments: list[str]) -> list[str]:
    """Arguments of ``train.py``, those of the run that ``resume=`` names in front: ``resume=<run>`` alone is enough.

    Args:
        arguments: As typed. A key that is given again is taken as typed; whether that can be done is another question,
            see :func:`last_checkpoint`.
    """
    keys = {_key(argument) for argument in arguments if "=" in argument}
    run = next((argument.partition("=")[2] for argument in arguments if _key(argument) == "resume"), "")
    path = Path(run) / ".hydra" / "overrides.yaml"
    if not run or not path.is_file() or {"-m", "--multirun"} & set(arguments):
        return arguments
    stored = [str(item) for item in yaml.safe_load(path.read_text(encoding="utf-8")) or []]
    kept = [item for item in stored if _key(item) not in keys]
    if "hydra.mode" not in keys and any(_key(item) == "experiment" for item in kept):
        # One job of a study goes on, not the whole study again.
        kept.append("hydra.mode=RUN")
    return [*kept, *arguments]


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")
