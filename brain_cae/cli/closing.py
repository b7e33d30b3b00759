"""What a command prints when it has finished."""

import logging
from pathlib import Path

from rich import get_console
from rich.text import Text

from brain_cae.cli.logs import wrapped
from brain_cae.files.names import printable
from brain_cae.reporting.closing import CAUTIONS_FIRST, closing_rows, one_line, shown
from brain_cae.reporting.doubts import VERDICT_TONES

log = logging.getLogger(__name__)

COLOURS = {"red": "bold red", "amber": "bold yellow", "green": "bold green", "grey": "bold"}


def show_closing(folder: Path) -> None:
    """Print the closing table of a run; if the console is quiet, only the path of the report."""
    console = get_console()
    report = folder / "report.html"
    if console.quiet:
        if report.exists():
            print(printable(shown(report)))  # noqa: T201
        return
    rows = closing_rows(folder)
    width = max((len(name) for name, _ in rows), default=0) + 4
    console.print()
    for name, text in rows:
        words = printable(text)
        if console.is_terminal:
            words = wrapped(words, console.width, width)
        line = Text.assemble("  ", (name.ljust(width - 2), "dim"), words)
        if name == "verdict":
            verdict = words.partition(".")[0]
            colour = VERDICT_TONES.get(verdict, "grey")
            if colour == "green" and CAUTIONS_FIRST in text:
                colour = "grey"
            line.stylize(COLOURS[colour], width, width + len(verdict))
        console.print(line, soft_wrap=True, highlight=False)
    console.print()


def show_job(number: int, folder: Path) -> None:
    """Print the result of a finished job of a sweep in one line."""
    _print_line(f"job {number}: {one_line(folder) or 'finished'}; {shown(folder)}")


def show_failure(number: int, folder: Path, error: str) -> None:
    """Log that a job of a sweep has failed, with its number, when it fails."""
    log.error("job %s failed: %s (%s)", number, error.splitlines()[0], shown(folder))


def show_summary(path: Path) -> None:
    """Print the path of the summary of a sweep, after each job: after a failed one Hydra does not report the end."""
    _print_line(f"summary of the jobs so far: {shown(path)}")


def _print_line(text: str) -> None:
    """Print one line; a path in it is not broken."""
    get_console().print(Text(printable(text)), soft_wrap=True)
