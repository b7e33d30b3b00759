"""The two commands: compose and validate the configuration, call the workflow, and report errors."""

import io
import logging
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from brain_cae import configuration
from brain_cae.cli import logs, sweep
from brain_cae.cli.help import choices, dataset_keys
from brain_cae.cli.messages import groups, interrupted, message_for
from brain_cae.cli.resume import with_stored_choices
from brain_cae.configuration import as_typed, conf_folder
from brain_cae.errors import BrainCaeError, ConfigurationError
from brain_cae.executor import start_server
from brain_cae.executor.garbage import collect_rarely
from brain_cae.files.links import refuse_links
from brain_cae.files.names import in_home, printable
from brain_cae.stages.processes import is_main_process

Job = TypeVar("Job", bound=Callable[[DictConfig], Any])

# Part of each run's folder name, so that runs started in the same second do not share a folder.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)
OmegaConf.register_new_resolver("choices", choices, replace=True)
OmegaConf.register_new_resolver("dataset_keys", dataset_keys, replace=True)


def command(job: Job, inspect: Callable[[DictConfig], None], config_name: str) -> Callable[[], None]:
    """Return a command-line entry point for a job that takes the composed configuration.

    Args:
        job: Function to call.
        inspect: Function to call instead with ``inspect=true``; no run folder is created for it.
        config_name: The file in ``conf/`` that composes the configuration, without ``.yaml``.
    """
    started: list[Path] = []

    def run(config: DictConfig) -> Any:
        started.append(Path(HydraConfig.get().runtime.output_dir))
        return job(config)

    entry = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=config_name)(run)

    def call() -> None:
        collect_rarely()
        # With this, Hydra raises exceptions instead of printing a shortened traceback.
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")
        # Without this, a failed log record, for example on a full disk, prints another traceback.
        logging.raiseExceptions = False
        _prepare_streams()
        if "--version" in sys.argv[1:]:
            from brain_cae.cli import info

            print("\n".join(info.lines()))  # noqa: T201
            return
        started.clear()
        try:
            sys.argv[1:] = at_home(sweep_first(sys.argv[1:]))
            if config_name == "train":
                sys.argv[1:] = with_stored_choices(sys.argv[1:])
            inspected = _to_inspect(sys.argv[1:], config_name)
            inspect(inspected) if inspected is not None else entry()
        except KeyboardInterrupt:
            _stop(interrupted(config_name, started), code=130)
        except Exception as error:
            _explain(error, config_name, started=bool(started))

    return call


def _prepare_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file has few characters on Windows
    if foreign := foreign_names(sys.getfilesystemencoding()):
        print(foreign, file=sys.stderr)  # noqa: T201


def _explain(error: Exception, config_name: str, *, started: bool) -> None:
    """End the command with the message of an error; raise an error that the user cannot fix."""
    if isinstance(error, BrokenPipeError) and not started:
        # Nobody reads on (``--help | head``); without this, Python would try to write the rest as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    message = message_for(error, config_name, started=started)
    if message is None:
        raise error
    _stop(message)


def foreign_names(encoding: str) -> str:
    """Return the caution about an encoding of file names other than UTF-8, which the files of a run have; or ``""``.

    Python takes UTF-8 in the locale C; others, or ``PYTHONUTF8=0``, give the names of subjects other letters.
    """
    if encoding.lower() in ("utf-8", "utf8"):
        return ""
    return (
        f"Caution: This environment reads names of files as {encoding}: letters such as ü are read as others, and "
        "subjects that are called so match no table. Set PYTHONUTF8=1, then run the same command again."
    )


def sweep_first(arguments: list[str]) -> list[str]:
    """Return the arguments with ``-m`` before all others: between others, Hydra's parser does not know the later ones.

    Example:
        >>> sweep_first(["modality=t1", "-m", "seed=0,1"])
        ['-m', 'modality=t1', 'seed=0,1']
    """
    return sorted(arguments, key=lambda argument: argument not in ("-m", "--multirun"))


def at_home(arguments: list[str]) -> list[str]:
    """Return the arguments with the home folder in place of ``~/`` at the start of a value.

    Shells leave it where the key has a dot (``hydra.run.dir=~/runs``) or the value has quotes; Hydra cannot parse the
    former, and takes the latter for a folder that is called ``~``.

    Example:
        >>> at_home(["cache=~/cache", "-m"]) == [f'cache="{Path.home()}/cache"', "-m"]
        True
    """

    def expanded(path: str) -> str:
        text = path[1:-1] if len(path) > 1 and path[0] == path[-1] and path[0] in "'\"" else path
        return path if (full := in_home(text)) == text else as_typed(full)

    def values(key: str, text: str) -> str:
        # An option (``--config-dir``) takes quotes as part of its value; in that of a key, a comma without quotes
        # separates the values of a sweep.
        return in_home(text) if key.startswith("-") else ",".join(map(expanded, text.split(",")))

    split = [argument.partition("=") for argument in arguments]
    return [f"{key}{sign}{values(key, text)}" for key, sign, text in split]


def train(config: DictConfig) -> float | None:
    """Run ``train.py`` once; return the AUROC, or that of a finished job when a sweep is resumed."""
    logs.set_verbosity(str(config.verbosity))
    _refuse_lists()
    typed = configuration.validate(config)
    output = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().mode == RunMode.MULTIRUN and (stored := sweep.stored_result(typed, output)) is not None:
        return stored["detection"]["auroc"]["value"] if "detection" in stored else None
    _load_readers(typed.workers)
    from brain_cae.workflows import training

    result = training.run(typed, output)
    if is_main_process():
        _close(output)
    return result


def _load_readers(workers: int) -> None:
    """Let the processes that read scans load their libraries while this one loads its own."""
    if workers > 1 and is_main_process():
        start_server("brain_cae.scans.entry")


def evaluate(config: DictConfig) -> float | None:
    """Run ``evaluate.py`` once."""
    logs.set_verbosity(str(config.verbosity))
    _refuse_lists()
    typed = configuration.validate_evaluate(config)
    output = Path(HydraConfig.get().runtime.output_dir)
    result = None
    if typed.audit is not None and typed.audit.table is not None:
        from brain_cae.workflows import table_audit

        table_audit.run(typed, output)
    elif typed.audit_only:
        from brain_cae.workflows import header_audit

        header_audit.run(typed, output)
    else:
        from brain_cae.workflows import evaluation

        result = evaluation.run(typed, output)
    _close(output)
    return result


def inspect_training(config: DictConfig) -> None:
    """Run ``train.py inspect=true``."""
    _refuse_lists()
    typed = configuration.validate(config)
    _load_readers(typed.workers)
    from brain_cae.workflows import inspection

    inspection.show(inspection.inspect_training(typed))


def inspect_evaluation(config: DictConfig) -> None:
    """Run ``evaluate.py inspect=true``."""
    _refuse_lists()
    typed = configuration.validate_evaluate(config)
    from brain_cae.workflows import inspection

    inspection.show(inspection.inspect_evaluation(typed))


train_command = command(train, inspect_training, "train")
evaluate_command = command(evaluate, inspect_evaluation, "evaluate")


class SweepSummary(Callback):
    """Writes the summary of a sweep after every job: after a failed job Hydra does not report the end of the sweep."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse a folder with links that lead out of it, before Hydra writes to it."""
        try:
            refuse_links(Path(config.hydra.run.dir))
        except BrainCaeError as error:
            _stop(str(error))  # Hydra would turn the exception into a warning and continue

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse to resume a sweep with other choices."""
        try:
            sweep.prepare_folder(config)
        except BrainCaeError as error:
            _stop(str(error))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Write the summary of the jobs finished so far; name the job if it has failed."""
        if "num" in config.hydra.job and config.hydra.mode is not None and config.hydra.mode.name == "MULTIRUN":
            from brain_cae.cli import closing
            from brain_cae.reporting.summary import write_summary

            if job_return.status == JobStatus.FAILED:
                error = str(job_return._return_value) or type(job_return._return_value).__name__
                folder = Path(config.hydra.runtime.output_dir)
                sweep.keep_failure(folder, error)
                closing.show_failure(config.hydra.job.num, folder, error)
            closing.show_summary(write_summary(Path(config.hydra.sweep.dir)).with_name("summary.html"))


def _close(output: Path) -> None:
    """Print what a finished run has found; a job of a sweep gets one line."""
    # Imported here because a report needs pandas and matplotlib, and help or an error needs neither.
    from brain_cae.cli import closing

    if HydraConfig.get().mode == RunMode.MULTIRUN:
        closing.show_job(HydraConfig.get().job.num, output)
    else:
        closing.show_closing(output)


def _to_inspect(arguments: list[str], config_name: str) -> DictConfig | None:
    """Return the configuration of a command with ``inspect=true``; None for every other command.

    It is composed here because ``hydra.main`` would create a run folder for each inspection.
    """
    asked = [argument.partition("=")[2] for argument in arguments if argument.lstrip("+").startswith("inspect=")]
    if not asked:
        return None
    if any(argument.startswith("--") and argument != "--multirun" for argument in arguments):
        return None
    given = [argument for argument in arguments if not argument.startswith("-")]
    if given != arguments and asked[-1].lower() not in ("false", "no", "off", "0"):
        # A list of values for the sweep cannot be composed.
        raise ConfigurationError("`inspect=true` cannot be used with a sweep.", where="inspect", advice="Remove -m.")
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = compose(config_name, overrides=given, return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config if config.inspect else None


def _refuse_lists() -> None:
    """Refuse ``classifier=[a,b]``: Hydra would merge both options into one mapping that matches neither."""
    known = groups()
    given = {override.split("=", 1)[0].lstrip("+") for override in HydraConfig.get().overrides.task}
    for group in sorted(known & given - set(HydraConfig.get().runtime.choices)):
        raise ConfigurationError(
            f"`{group}` takes one option.", where=group, advice=f"For a sweep over several options: -m {group}=a,b"
        )


def _stop(message: str, code: int = 1) -> None:
    print(f"\n{printable(message, lines=True)}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
