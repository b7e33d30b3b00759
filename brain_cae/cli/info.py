"""What a bug report needs: ``python -m brain_cae.cli.info``, also printed by ``train.py --version``.

No package of deep learning is imported, so that it answers at once.
"""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import joblib

from brain_cae import __version__

PACKAGES = (
    "torch",
    "monai",
    "pytorch-lightning",
    "hydra-core",
    "numpy",
    "scikit-learn",
    "simpleitk",
    "pydicom",
    "nibabel",
)
EXTRAS = {
    "strip": ("deepbet",),
    "sweep": ("hydra-joblib-launcher", "hydra-submitit-launcher"),
    "export": ("highdicom", "onnx", "onnxscript", "onnxruntime"),
    "mlflow": ("mlflow",),
    "wandb": ("wandb",),
}
"""Optional packages by the extra of ``pyproject.toml`` that installs them; ``all`` installs all of them."""


def lines() -> list[str]:
    """Return versions, hardware and folders, one line each; the home folder is written as ``~``."""
    packages = {name: _version(name) for name in PACKAGES}
    optional = {
        name: _version(name) or f"not installed: pip install 'brain-cae[{extra}]'"
        for extra, names in EXTRAS.items()
        for name in names
    }
    cache = Path(os.environ.get("BRAIN_CAE_CACHE", ".cache"))
    rows = {
        "brain_cae": __version__,
        "Python": f"{platform.python_version()}, {platform.system()} {platform.release()} {platform.machine()}",
        **{name: found or "not installed" for name, found in packages.items()},
        **optional,
        "CPU": f"{_processor()}, {joblib.cpu_count()} of {os.cpu_count()} cores",
        "memory": _memory(),
        "GPU": _graphics(),
        "package": _tidy(Path(__file__).parents[1]),
        "cache": _tidy(cache),
        "imported scans": _tidy(cache / "imported"),
        "outputs": f"{_tidy(Path('outputs'))}, sweeps {_tidy(Path('multirun'))}",
    }
    width = max(map(len, rows)) + 2
    return [f"{name:<{width}}{text}" for name, text in rows.items()]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        names = [
            line for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines() if line.startswith("model name")
        ]
    except OSError:
        names = []
    return names[0].partition(":")[2].strip() if names else platform.processor() or "unknown"


def _memory() -> str:
    try:
        total = f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.1f} GiB"
    except (AttributeError, ValueError):  # Windows has no sysconf; other systems need not know the name
        total = "unknown"
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    return f"{total}; {free:.1f} GiB free on the disk of this folder"


def _graphics() -> str:
    """Return names and memory of the GPUs, as the driver's own tool lists them."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    return "; ".join(listed.splitlines()) or "none found"


def _tidy(path: Path) -> str:
    try:
        home = "~" / path.absolute().relative_to(Path.home())
    except (ValueError, RuntimeError):
        return str(path.absolute())
    return str(home)


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201
