"""The two commands: compose, validate, call; and say in plain words what went wrong."""

import os
import re
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import hydra
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from brain_cae import configuration, sweep
from brain_cae.errors import BrainCaeError, ConfigurationError
from brain_cae.resuming import with_stored_choices

Job = TypeVar("Job", bound=Callable[[DictConfig], Any])

# Part of each run's folder name, so that two runs started in the same second do not share one.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def conf_folder() -> Path:
    """Where the configuration lies: inside the installed package, or at the top of a checkout."""
    installed = Path(__file__).resolve().parent / "conf"
    return installed if installed.is_dir() else installed.parent.parent / "conf"


def command(job: Job, config_name: str) -> Callable[[], None]:
    """Make a command of a job that takes the composed configuration.

    Args:
        job: What to do.
        config_name: The file in ``conf/`` that composes the configuration, without ``.yaml``.
    """
    started = False

    def run(config: DictConfig) -> Any:
        nonlocal started
        started = True
        return job(config)

    entry = hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name=config_name)(run)

    def call() -> None:
        # Hydra would print its own shortened traceback; with this it hands the exception to us.
        os.environ.setdefault("HYDRA_FULL_ERROR", "1")
        if config_name == "train":
            sys.argv[1:] = with_stored_choices(sys.argv[1:])
        try:
            entry()
        except BrainCaeError as error:
            _stop(str(error))
        except (HydraException, OmegaConfBaseException) as error:
            _stop(_explain(error, config_name))
        except (TypeError, ValueError) as error:
            if started:
                raise
            # Hydra's own words for a choice of the wrong kind, such as classifier=1.
            _stop(f"{error}\n  What to do: Give one option of each group, see `python {config_name}.py --help`.")
        except KeyboardInterrupt:
            _stop("Interrupted. What was imported and prepared is kept; go on with resume=<run folder>.", code=130)

    return call


def train(config: DictConfig) -> float | None:
    """One run of ``train.py``."""
    _refuse_lists()
    typed = configuration.validate(config)
    output = Path(HydraConfig.get().runtime.output_dir)
    if HydraConfig.get().mode == RunMode.MULTIRUN and (found := sweep.stored_result(typed, output)) is not None:
        return found["detection"]["auroc"]["value"] if "detection" in found else None
    from brain_cae import training

    return training.run(typed, output)


def evaluate(config: DictConfig) -> float | None:
    """One run of ``evaluate.py``."""
    _refuse_lists()
    typed = configuration.validate_evaluate(config)
    from brain_cae import evaluation

    return evaluation.run(typed, Path(HydraConfig.get().runtime.output_dir))


train_command = command(train, "train")
evaluate_command = command(evaluate, "evaluate")


class SweepSummary(Callback):
    """Writes a sweep's summary after every job: with a failed job Hydra never says that the sweep has ended."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse to take up a sweep with other choices."""
        try:
            sweep.take_up(config)
        except BrainCaeError as error:
            _stop(str(error))  # Hydra would turn the exception into a warning and go on

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Summarise what is there so far."""
        if "num" in config.hydra.job and config.hydra.mode is not None and config.hydra.mode.name == "MULTIRUN":
            from brain_cae.reporting import write_summary

            write_summary(Path(config.hydra.sweep.dir))


def _refuse_lists() -> None:
    """Hydra merges ``classifier=[a,b]`` into one table that is neither, and then names no choice for the group."""
    groups = {path.name for path in conf_folder().iterdir() if any(path.glob("*.yaml"))}
    given = {override.split("=", 1)[0].lstrip("+") for override in HydraConfig.get().overrides.task}
    for group in sorted(groups & given - set(HydraConfig.get().runtime.choices)):
        raise ConfigurationError(
            f"`{group}` takes one option.", where=group, advice=f"For several runs, one after the other: -m {group}=a,b"
        )


def _explain(error: Exception, config_name: str) -> str:
    """Hydra's message; for a key that does not exist also the ones that do."""
    match = re.search(r"Could not override '([^']+)'", str(error))
    if match is None:
        return str(error)
    key = match.group(1)
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        names = configuration.keys_beside(compose(config_name), key)
    return str(configuration.unknown_key(key, names))


def _stop(message: str, code: int = 1) -> None:
    print(f"\n{message}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
