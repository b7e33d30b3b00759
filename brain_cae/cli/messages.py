"""Error messages of the commands, shown instead of a traceback."""

import re
import shlex
import sys
from pathlib import Path

import hydra
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from brain_cae import configuration
from brain_cae.configuration import conf_folder
from brain_cae.errors import BrainCaeError, ConfigurationError, StorageError
from brain_cae.files.system_errors import explain


def groups() -> set[str]:
    """Return the configuration groups in ``conf/``."""
    return {path.name for path in conf_folder().iterdir() if any(path.glob("*.yaml"))}


def message_for(error: Exception, config_name: str, *, started: bool) -> str | None:
    """Return the message to show instead of a traceback; None for an error that the user cannot fix."""
    if isinstance(error, BrainCaeError):
        return str(error)
    if isinstance(error, (HydraException, OmegaConfBaseException)):
        return _explain(error, config_name)
    if isinstance(error, OSError) and (refusal := explain(error)) is not None:
        return str(refusal)
    if started:
        return None
    if isinstance(error, OSError):
        return str(
            StorageError(
                "The run folder cannot be created.",
                found=error.strerror,
                where=error.filename and str(error.filename),
                advice="Use another folder: hydra.run.dir=<folder>.",
            )
        )
    if isinstance(error, (TypeError, ValueError)):
        # Hydra's message for a choice of the wrong type, such as classifier=1.
        return f"{error}\n  What to do: Give one option of each group, see `python {config_name}.py --help`."
    return None


def _explain(error: Exception, config_name: str) -> str:
    """Return Hydra's message, or for an unknown key or option a message that lists the valid ones."""
    if isinstance(error, OverrideParseException):
        return str(_unreadable(error.override))
    if ambiguous := re.search("Ambiguous value for argument '(.*)'", str(error)):
        others = "A list is written key=[a,b]; for a run with each of them, add --multirun."
        return str(_unreadable(ambiguous[1], others))
    option = re.search(r"Could not find '([^']+)/([^'/]+)'", str(error))
    if option is not None:
        group, name = option.groups()
        options = re.findall(r"^\t([\w-]+)$", str(error), re.MULTILINE)  # those of other packages among them
        advice = "`pip install 'brain-cae[sweep]'` installs the launchers." if group == "hydra/launcher" else None
        return str(configuration.unknown_option(group, name, options, advice))
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match is None:
        return str(error)
    key = match.group(1)
    if config_name == "evaluate" and configuration.is_fixed(key):
        return str(configuration.fixed_by_run(key))
    known = groups() | {"hydra.searchpath"}  # where options of other packages are
    chosen = [word for word in sys.argv[1:] if re.split("[@=]", word.lstrip("+"))[0] in known and "," not in word]
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose(config_name, overrides=chosen)
    group, _, name = key.rpartition(".")
    names = configuration.option_names(group) if group in known else []
    options = [option for option in names if name in configuration.read_option(group, option)]
    elsewhere = configuration.keys_called(config, name)
    return str(configuration.unknown_key(key, configuration.keys_beside(config, key), elsewhere, options))


def _unreadable(argument: str, others: str = "") -> ConfigurationError:
    key, separator, value = argument.partition("=")
    quoted = shlex.quote(f"{key}={configuration.as_typed(value)}")
    advice = f"Quote the value for Hydra, and the whole argument for the shell: {quoted}. {others}".rstrip()
    if not separator:
        advice = "Write each choice without spaces around the sign: key=value. `--help` shows every key with its value."
    return ConfigurationError(
        "An argument cannot be parsed.",
        expected="key=value, with double quotes around a value that contains characters such as ~ ( ) [ ] { } , :",
        found=argument,
        where=key,
        advice=advice,
    )


def interrupted(config_name: str, started: list[Path]) -> str:
    """Return the message after Ctrl-C, which says how to continue."""
    if config_name == "train" and started:
        again = f"Continue with `python train.py resume={started[-1]}`"
    else:
        again = "Run the same command again"
    return f"Interrupted. {again}: imported and prepared scans are kept."
