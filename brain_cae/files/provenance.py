"""Provenance of a result: commit of the code, seed, roles, data, package versions."""

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

PACKAGES = ("brain-cae", "torch", "monai", "pytorch-lightning", "numpy", "scikit-learn", "pydicom", "nibabel")


def environment(seed: int, splits: pd.DataFrame, index: pd.DataFrame) -> dict[str, Any]:
    """Return the section ``environment`` of ``metrics.json``; the same roles and scans give the same hashes."""
    hashes = index.sort_values(["subject", "modality"])["series_hash"].tolist()
    return {
        "git": _git(),
        "seed": seed,
        "split_hash": hashlib.sha256(splits.to_csv(index=False).encode()).hexdigest()[:16],
        "data_hash": hashlib.sha256("".join(map(str, hashes)).encode()).hexdigest()[:16],
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
    }


def _git() -> str | None:
    """Return the commit of the code, followed by ``+`` if files were modified; None outside a repository."""
    where = Path(__file__).parent
    # A status that is stopped halfway would leave its lock, and git refuse the user's next commit.
    commands = (["rev-parse", "--short", "HEAD"], ["--no-optional-locks", "status", "--porcelain", "-uno"])
    try:
        commit, changes = (
            subprocess.run(
                ["git", *command], cwd=where, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changes else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except Exception:
        return "unknown"
