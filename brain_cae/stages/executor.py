"""Where subjects are worked on, as configured: processes on this machine, or jobs of a cluster."""

import importlib.util
import shutil
from dataclasses import asdict
from pathlib import Path

from brain_cae.configuration import Config, EvaluateConfig
from brain_cae.configuration.schema import SlurmJobs
from brain_cae.errors import ConfigurationError
from brain_cae.executor import Executor, Jobs, Processes

OF_SLURM = ("partition", "account", "qos", "setup", "additional_parameters")
"""Keys that submitit knows with ``slurm_`` before them."""


def make_executor(config: Config | EvaluateConfig) -> Executor:
    """Return the configured executor; its files are in ``<cache>/jobs`` while it works.

    Raises:
        ConfigurationError: submitit is not installed, or Slurm is not on this machine.
    """
    choice = config.executor
    if choice.name == "processes":
        return Processes(config.workers)
    if importlib.util.find_spec("submitit") is None:
        raise ConfigurationError(
            f"executor={choice.name} needs submitit, which is not installed.",
            where="executor",
            advice="Install it: pip install 'brain-cae[sweep]'.",
        )
    slurm = isinstance(choice, SlurmJobs)
    if slurm and shutil.which("sbatch") is None:
        raise ConfigurationError(
            f"executor={choice.name} must be started on a machine of the cluster.",
            expected="the commands of Slurm: sbatch, srun, sacct, scancel",
            found="no command `sbatch` on the PATH",
            where="executor",
            advice="Start it on the cluster's login node, or use executor=processes.",
        )
    parameters = {
        f"slurm_{key}" if key in OF_SLURM else key: value
        for key, value in asdict(choice).items()
        if key not in ("name", "chunk", "jobs")
    }
    return Jobs(
        "slurm" if slurm else "local",
        Path(config.cache) / "jobs",
        chunk=choice.chunk,
        jobs=choice.jobs,
        parameters=parameters,
        workers=config.workers,
    )
