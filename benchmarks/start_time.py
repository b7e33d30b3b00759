"""Seconds from a command to its first line and its first progress bar, for `train.py` and `train.py inspect=true`.

Each command runs in a pseudo-terminal, so that it draws bars, with scans on disk that it has not imported yet, and is
stopped at its first bar. CPU time counts user and system; on a busy machine it says more than the clock.
"""

import argparse
import json
import os
import pty
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {"train": [], "inspect": ["inspect=true"]}
SUBJECTS = 16
SERIES = 2 * SUBJECTS
"""T1 and FLAIR of each subject."""

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BAR = re.compile(rf"\b\d+/{SERIES}\b")


def overrides(folder: Path, cache: Path) -> list[str]:
    """Return the arguments of a command on a small cohort in ``folder`` that imports into ``cache``."""
    chosen = [f"dataset.subjects={SUBJECTS}", f"dataset.root={folder / 'phantom'}", "scoring.alpha=0.2", "trainer=cpu"]
    return [*chosen, f"cache={cache}", f"hydra.run.dir={cache / 'run'}"]


def start(arguments: list[str]) -> dict[str, float]:
    """Start ``train.py`` and stop it at its first bar.

    Returns:
        Seconds until the first line (``line``) and the first bar (``bar``), and CPU seconds until the bar (``cpu``).

    Raises:
        RuntimeError: It ended without a bar.
    """
    terminal, inside = pty.openpty()
    begin = time.perf_counter()
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    process = subprocess.Popen(command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True)
    os.close(inside)
    shown, times = "", {}
    while "bar" not in times:
        try:
            shown += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the command has closed its terminal
            process.wait()
            raise RuntimeError(f"{' '.join(command)} drew no bar:\n{shown}") from None
        text, now = ESCAPE.sub("", shown), time.perf_counter() - begin
        if text.strip():
            times.setdefault("line", now)
        if BAR.search(text):
            times["bar"] = now
    os.killpg(process.pid, signal.SIGKILL)
    _, _, usage = os.wait4(process.pid, 0)
    os.close(terminal)
    return times | {"cpu": usage.ru_utime + usage.ru_stime}


def main() -> None:
    """Print a table, and the medians as JSON in the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    times: dict[str, list[dict[str, float]]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = [*overrides(folder, folder / "written"), "stop_after=import"]
        subprocess.run([sys.executable, str(ROOT / "train.py"), *written], check=True, capture_output=True)
        for number in range(rounds):
            for command, arguments in COMMANDS.items():
                cache = folder / f"{command}{number}"
                times[command].append(start([*overrides(folder, cache), *arguments]))
    figures = {
        f"{command}.{key}": round(statistics.median(one[key] for one in measured), 2)
        for command, measured in times.items()
        for key in ("line", "bar", "cpu")
    }
    print(f"{'command':<10}{'first line':>12}{'first bar':>12}{'CPU':>8}   (s, median of {rounds})")
    for command in COMMANDS:
        line, bar, cpu = (figures[f"{command}.{key}"] for key in ("line", "bar", "cpu"))
        print(f"{command:<10}{line:>12}{bar:>12}{cpu:>8}")
    print(json.dumps({"name": "start_time", "figures": figures}))


if __name__ == "__main__":
    main()
