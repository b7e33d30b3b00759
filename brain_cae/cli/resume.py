"""Resuming an interrupted run: its stored choices are added to the command line."""

from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from brain_cae.errors import ConfigurationError
from brain_cae.files.documents import read_yaml

RUNS_CODE = ("hydra", "extensions", "executor.setup", "executor.additional_parameters")
"""Keys that a stored run may not give: they name classes of other packages, or commands for a shell."""


def with_stored_choices(arguments: list[str]) -> list[str]:
    """Return the arguments of ``train.py``, preceded by those of the run given by ``resume=``.

    Args:
        arguments: Arguments as typed. A typed key replaces the stored one; whether it may differ is checked later, see
            :func:`brain_cae.stages.checkpoint.last_checkpoint`.

    Raises:
        ConfigurationError: The stored choices are damaged, or one could run code and is not typed as well.
    """
    keys = {_key(argument) for argument in arguments if "=" in argument}
    run = next((_value(argument) for argument in arguments if _key(argument) == "resume"), "")
    path = Path(run) / ".hydra" / "overrides.yaml"
    if not run or not path.is_file() or {"-m", "--multirun"} & set(arguments):
        return arguments
    kept = [item for item in _stored(path) if _key(item) not in keys]
    _refuse_code(kept, path)
    if "hydra.mode" not in keys and any(_key(item) == "experiment" for item in kept):
        # Resume this one job, not the whole sweep of the experiment.
        kept.append("hydra.mode=RUN")
    return [*kept, *arguments]


def _stored(path: Path) -> list[str]:
    try:
        stored = read_yaml(path) or []
    except ValueError:
        stored = None
    if not isinstance(stored, list) or not all(isinstance(item, str) for item in stored):
        raise ConfigurationError(
            "The stored choices of the run to resume cannot be read.",
            expected="a list of key=value, as Hydra writes it",
            found="a file that is damaged, or of another program",
            where=str(path),
            advice="Start a new run; the imported and prepared scans are reused.",
        )
    return stored


def _refuse_code(stored: list[str], path: Path) -> None:
    parser = OverridesParser.create()
    for item in stored:
        try:
            parsed = parser.parse_override(item)
        except HydraException:  # such as an option of the command, --config-dir
            key = item
        else:
            # A group takes the name of an option; a mapping would bring keys of its own.
            key = parsed.key_or_group + (".setup" if isinstance(parsed.value(), dict) else "")
            if not any(f"{key}/.".startswith((f"{name}.", f"{name}/")) for name in RUNS_CODE):
                continue
        raise ConfigurationError(
            "A stored choice of the run to resume could run code.",
            expected=f"no option of the command, and none of {', '.join(RUNS_CODE)}",
            found=item,
            where=str(path),
            advice="If you trust it, give it on the command line as well.",
        )


def _value(argument: str) -> str:
    """Return the text after ``=``, without the quotes that Hydra takes off."""
    try:
        return str(OverridesParser.create().parse_override(argument).value())
    except HydraException:
        return argument.partition("=")[2]


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+~")
