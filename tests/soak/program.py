"""A program of its own process group, to be stopped at a chosen moment."""

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
    """Python with arguments, started at once; leaving the context ends whatever is left of its group.

    Args:
        arguments: Of Python.
        cwd: Where it runs, and where its output is kept.
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
                # A shell that runs the tests in the background has its children ignore Ctrl-C.
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
        """Send the signal ``delay`` s after ``ready``, to the process alone (a kill) or to all of them (Ctrl-C).

        Returns:
            The exit code; minus the signal's number for a process that a signal has ended.
        """
        end = time.monotonic() + PATIENCE_S
        while not ready():
            assert self.process.poll() is None, f"it ended before it could be stopped:\n{self.text}"
            assert time.monotonic() < end, f"the moment never came:\n{self.text}"
            time.sleep(0.001)
        time.sleep(delay)
        if number == signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)

    def others(self) -> list[int]:
        """Processes of its group that still run; the first one has been waited for."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid and fields[0] != "Z":
                found.append(int(path.parent.name))
        return found


def train(*overrides: str, cwd: Path) -> Program:
    return Program(str(ROOT / "train.py"), *overrides, cwd=cwd)
