"""Tells named pipes, devices and sockets from files: opening one may wait for ever, or never end."""

import stat
from pathlib import Path


def is_special(path: Path) -> bool:
    """Return whether something that is neither a file nor a folder is at a path; links are followed."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # nothing is there, or nothing that the system lets us look at
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
