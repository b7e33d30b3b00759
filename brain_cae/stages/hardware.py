"""Hardware of this machine: GPUs, precision and device for scoring."""

import os
from functools import cache, partial

import torch

from brain_cae.configuration.schema import Trainer
from brain_cae.errors import ConfigurationError


def check_hardware(settings: Trainer) -> None:
    """Check the number of GPUs before the import.

    Raises:
        ConfigurationError: There are fewer GPUs than ``trainer.devices``.
    """
    if settings.accelerator == "gpu" and torch.cuda.device_count() < settings.devices:
        raise ConfigurationError(
            "There are not enough GPUs on this machine.",
            expected=f"{settings.devices}",
            found=f"{torch.cuda.device_count()} that PyTorch {torch.__version__} can use",
            where="trainer",
            advice="Use trainer=auto or trainer=cpu, or install a build of PyTorch for your GPU.",
        )


def precision(requested: str, accelerator: str) -> str:
    """Return the precision; ``auto`` is bfloat16 if the hardware supports it, otherwise single precision."""
    if requested != "auto":
        return requested
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16-mixed" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "32-true"


def scoring_device(accelerator: str) -> torch.device:
    """Return the device for scoring after training: the GPU if there is one, unless the CPU is requested."""
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


@cache
def one_thread_in_forks() -> None:
    """Let processes that are forked from this one run PyTorch in one thread, as its loaders of data do.

    A fork has none of the threads of OpenMP that its parent had started, and would wait for them for ever.
    """
    if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
