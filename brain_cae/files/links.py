"""Symbolic links in folders that are written to: scans are read through links, results are not written through them."""

import os
from pathlib import Path

from brain_cae.errors import RunError


def refuse_links(folder: Path) -> None:
    """Check that no symbolic link in a folder, at any depth, leads out of it; the folder itself may be a link.

    Args:
        folder: Folder that is about to be written to; it need not exist.

    Raises:
        RunError: A link leads out of the folder: whoever made it would choose which file is overwritten.
    """
    real = Path(os.path.realpath(folder))
    for top, folders, files in os.walk(folder):
        for path in (Path(top, name) for name in (*folders, *files)):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(real):
                raise RunError(
                    "A link leads out of the folder of this run.",
                    expected="a folder whose files all lie in it",
                    found=f"a link to {os.path.realpath(path)}",
                    where=str(path),
                    advice="Remove the link, or name another folder: hydra.run.dir=<folder>.",
                )
