"""The processes of a run that trains on several devices."""

import os

from brain_cae.configuration.schema import Trainer
from brain_cae.errors import ConfigurationError

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Variables with the number of a process, in the order in which Lightning reads them.

Lightning itself is not asked, since it takes seconds to import, and a run needs the answer first.
"""

INTERACTIVE = ("bash", "interactive")
"""Names of jobs in which Lightning starts the processes of a training itself, and does not ask Slurm."""


def is_main_process() -> bool:
    """Return False in the additional processes that Lightning or the cluster starts for DDP."""
    rank = next((os.environ[name] for name in RANKS if name in os.environ), "0")
    return int(rank) == 0 and os.environ.get("NODE_RANK", "0") == "0"


def on_slurm() -> bool:
    """Return whether Slurm starts the processes of a training on several devices."""
    started = "SLURM_NTASKS" in os.environ and "TORCHELASTIC_RUN_ID" not in os.environ
    return started and os.environ.get("SLURM_JOB_NAME") not in INTERACTIVE


def check_processes(settings: Trainer) -> None:
    """Check before the import that the cluster starts as many processes as train together.

    Raises:
        ConfigurationError: A training on one device has several processes, or Slurm starts another number of them than
            there are devices, of which some would wait for ever.
    """
    together = settings.devices * settings.nodes
    if together == 1 and not is_main_process():
        rank = next(name for name in (*RANKS, "NODE_RANK") if os.environ.get(name, "0") != "0")
        raise ConfigurationError(
            "Several processes were started for a training on one device.",
            expected="one process; for several devices trainer=ddp trainer.devices=<number>",
            found=f"another process, {rank}={os.environ[rank]}",
            where="trainer.devices",
            advice="Ask Slurm for --ntasks=1, and for cores with --cpus-per-task, or remove the variable.",
        )
    tasks = os.environ.get("SLURM_NTASKS_PER_NODE")
    if together > 1 and on_slurm() and tasks != str(settings.devices):
        raise ConfigurationError(
            "Slurm starts another number of processes than there are devices.",
            expected=f"--ntasks-per-node={settings.devices}, and the command started by srun",
            found=f"--ntasks-per-node={tasks}" if tasks else "no --ntasks-per-node",
            where="trainer.devices",
            advice=f"Add #SBATCH --ntasks-per-node={settings.devices} to the script of the job, and begin the command "
            "with srun.",
        )
