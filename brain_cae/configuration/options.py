"""Access to ``conf/``: the options of each group, and the values of one option."""

from pathlib import Path
from typing import Any

import yaml


def conf_folder() -> Path:
    """Return the configuration folder: inside the installed package, or at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def option_names(group: str) -> list[str]:
    """Return the options of a group, sorted; empty if there is no such group."""
    return sorted(path.stem for path in conf_folder().glob(f"{group}/*.yaml"))


def read_option(group: str, name: str) -> dict[str, Any]:
    """Return the values of an existing option as written in its file."""
    return yaml.safe_load((conf_folder() / group / f"{name}.yaml").read_text(encoding="utf-8"))


def export_formats() -> list[str]:
    """Return the formats of ``export=``: the modules of ``brain_cae/exports``, by name, sorted."""
    folder = Path(__file__).resolve().parents[1] / "exports"
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def export_format(export: str) -> str:
    """Return the format that ``export=`` asks for: ``bundle`` for the name of a zip file."""
    return "bundle" if export.lower().endswith(".zip") else export
