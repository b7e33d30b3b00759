"""What this machine offers: GPUs, precision, the device for scoring, and which process is the main one."""

import os

import torch
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brain_cae.configuration.schema import Trainer
from brain_cae.errors import ConfigurationError


def check_hardware(settings: Trainer) -> None:
    """Report missing GPUs before the import.

    Raises:
        ConfigurationError: Fewer GPUs than ``trainer.devices``.
    """
    if settings.accelerator == "gpu" and torch.cuda.device_count() < settings.devices:
        raise ConfigurationError(
            "There are not enough GPUs on this machine.",
            expected=f"{settings.devices}",
            found=f"{torch.cuda.device_count()} that PyTorch {torch.__version__} can use",
            where="trainer",
            advice="Use trainer=auto or trainer=cpu, or install a build of PyTorch for your GPU.",
        )


def precision(asked: str, accelerator: str) -> str:
    """``auto`` means bfloat16 where the hardware multiplies it, else single precision."""
    if asked != "auto":
        return asked
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported() else "32-true"
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16-mixed" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "32-true"


def scoring_device(accelerator: str) -> torch.device:
    """Where brains are scored after training: the GPU unless the CPU is asked for."""
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def is_main_process() -> bool:
    """False in the further processes that Lightning or the cluster starts for DDP."""
    return getattr(rank_zero_only, "rank", 0) == 0 and os.environ.get("NODE_RANK", "0") == "0"
