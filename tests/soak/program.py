"""A subprocess in a separate process group that tests can stop at a chosen moment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240.0


class Program:
    """A Python process, started at once; leaving the context kills every process that remains in its group.

    Args:
        arguments: Command-line arguments of Python.
        cwd: Working directory; ``output.txt`` in it receives stdout and stderr.
    """

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self.output = cwd / "output.txt"
        with self.output.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # Children of a shell that runs the tests in the background ignore Ctrl-C by default.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def stop(self, ready: Callable[[], bool], *, delay: float, number: signal.Signals) -> int:
        """Send a signal ``delay`` s after ``ready()``: SIGINT to the group, as Ctrl-C does, others to the process.

        Returns:
            The exit code; negative signal number if a signal ended the process.
        """
        end = time.monotonic() + PATIENCE_S
        while not ready():
            assert self.process.poll() is None, f"the process ended before it was stopped:\n{self.text}"
            assert time.monotonic() < end, f"the process was never ready to be stopped:\n{self.text}"
            time.sleep(0.001)
        time.sleep(delay)
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def others(self) -> list[int]:
        """IDs of the processes in the group that are still running, without zombies."""
        running = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid and fields[0] != "Z":
                running.append(int(path.parent.name))
        return running


def train(*overrides: str, cwd: Path) -> Program:
    return Program(str(ROOT / "train.py"), *overrides, cwd=cwd)


def evaluate(*overrides: str, cwd: Path) -> Program:
    return Program(str(ROOT / "evaluate.py"), *overrides, cwd=cwd)


def visible(folder: Path) -> dict[str, bytes]:
    """Content of every file that is not temporary, by relative path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    inner = {path.relative_to(folder): path for path in files}
    return {
        str(name): path.read_bytes() for name, path in inner.items() if not any(p.startswith(".") for p in name.parts)
    }


def count(folder: Path, *patterns: str) -> int:
    """Number of files and folders in a folder that match a pattern."""
    return sum(1 for pattern in patterns for _ in folder.glob(pattern))
