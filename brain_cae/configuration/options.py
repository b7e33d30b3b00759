"""What ``conf/`` offers: the options of each group, and what one of them holds."""

from pathlib import Path
from typing import Any

import yaml


def conf_folder() -> Path:
    """Where the configuration lies: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parent / "conf"


def option_names(group: str) -> list[str]:
    """The options of a group, sorted; none where there is no such group."""
    return sorted(path.stem for path in conf_folder().glob(f"{group}/*.yaml"))


def read_option(group: str, name: str) -> dict[str, Any]:
    """The values of one option that is there, as its file gives them."""
    return yaml.safe_load((conf_folder() / group / f"{name}.yaml").read_text(encoding="utf-8"))
