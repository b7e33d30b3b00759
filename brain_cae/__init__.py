"""Learn healthy brains with a 3D autoencoder, find gliomas, and audit whether the answer can be believed."""

import getpass
import os
from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_API = ("Detector", "Findings", "audit_table", "fit", "simulate")


try:
    getpass.getuser()
except (KeyError, OSError):  # no name in the environment and none for this number, as in a container with `--user`
    os.environ["USER"] = "unnamed"  # MONAI and PyTorch ask for it when they are imported


def __getattr__(name: str) -> Any:
    # Importing brain_cae stays quick: what brain_cae.api needs is imported when one of its names is asked for.
    if name in _API:
        return getattr(import_module("brain_cae.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_API])
