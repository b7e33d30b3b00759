"""The folder of a run: its files, its status, the duration of each stage."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from brain_cae.errors import RunError, StorageError
from brain_cae.files.atomic import whole
from brain_cae.files.links import refuse_links
from brain_cae.files.locks import hold, is_held
from brain_cae.files.system_errors import explain, writing
from brain_cae.files.tables import to_csv

log = logging.getLogger(__name__)


class RunFolder:
    """Writes the files of a run atomically: each is complete or absent.

    Args:
        path: The folder; created if it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = {}

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def status(self, configuration: str = "") -> Iterator[None]:
        """Keep ``status.json`` up to date: running, then finished, or failed with the first line of the error.

        Args:
            configuration: Hash of the configuration, stored with the status.

        Raises:
            RunError: The folder already contains a run, or links that lead out of it.
            StorageError: The folder cannot be created, the disk is full, or permission is denied.
        """
        known = {"configuration": configuration} if configuration else {}
        with self._begin(known):
            try:
                yield
            except BaseException as error:
                shown = (explain(error) if isinstance(error, OSError) else None) or error
                first = str(shown).splitlines()[0] if str(shown) else type(shown).__name__
                if isinstance(error, KeyboardInterrupt):
                    first = "interrupted"
                self._end({"status": "failed", "error": first, "seconds": self.seconds} | known)
                if shown is not error:
                    raise shown from error
                raise
            self._end({"status": "finished", "seconds": self.seconds} | known)

    def _begin(self, known: dict[str, str]) -> AbstractContextManager[Any]:
        """Claim the folder until the context ends; the system ends the claim if the process is killed."""
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            refuse_links(self.path)
            try:
                # Exclusive creation: if two runs use the same folder, the second one stops here.
                file = (self / "status.json").open("x")
            except FileExistsError as error:
                advice = "Leave hydra.run.dir out, or name an empty folder."
                if (self / "checkpoints" / "last.ckpt").is_file() and not (self / "metrics.json").is_file():
                    advice += f" `python train.py resume={self.path}` continues that run in a new folder."
                raise RunError(
                    "This folder holds another run.",
                    expected="a folder of its own for each run",
                    where=str(self.path),
                    advice=advice,
                ) from error
            return hold(file, json.dumps({"status": "running"} | known))

    def _end(self, status: dict[str, Any]) -> None:
        """Write the final status of a run; on a full disk overwrite the existing file, which needs no extra space."""
        try:
            self.write_json("status.json", status)
        except StorageError:
            with suppress(OSError), (self / "status.json").open("r+") as file:
                file.write(json.dumps(status) + "\n")
                file.truncate()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Log the start of a stage and record its duration (s)."""
        log.info("%s …", name)
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file; NaN is refused, since JSON has no such value."""
        self.write(name, lambda path: path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n"))

    def write_csv(self, name: str, table: Any) -> None:
        """Write a table (pandas DataFrame) without its index, see :func:`brain_cae.files.tables.to_csv`."""
        self.write(name, lambda path: path.write_text(to_csv(table), encoding="utf-8", newline=""))

    def write(self, name: str, writer: Callable[[Path], Any]) -> None:
        """Let ``writer`` write a temporary file, then move it into place; a StorageError names the target file.

        Raises:
            ValueError: The name leads out of the folder. Names from data go through :func:`file_names` first.
        """
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"{name!r} is not a file of {self.path}")
        with whole(self / name) as aside:
            writer(aside)


def is_running(folder: Path) -> bool:
    """Return whether a process on this machine is currently running in this folder."""
    return is_held(folder / "status.json")


def peak_memory_mb() -> float | None:
    """Return the peak memory of this process in MiB; None on Windows, which does not say."""
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 0)


def newest_run(folder: Path) -> Path:
    """Return the newest run with a model in a folder of runs.

    Raises:
        RunError: There is no run with a model.
    """
    models = sorted(folder.glob("*/*/model/config.yaml"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise RunError(
            "There is no run with a model.",
            expected=f"{folder}/<date>/<time>/model/",
            advice="Train one with `python train.py`, or name it: run=<folder>.",
        )
    return models[-1].parent.parent
