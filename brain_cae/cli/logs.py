"""Log lines: on the console by verbosity, and with escapes, so that names from data cannot act on the terminal."""

import logging
import textwrap
import time
from copy import copy

from rich import get_console
from rich.console import Console
from rich.text import Text

from brain_cae.files.names import printable

TIME = "%H:%M:%S "
PREFIXES = {logging.WARNING: ("Caution: ", "bold yellow"), logging.ERROR: ("Error: ", "bold red")}
WARNINGS = "py.warnings"
"""Logger of Python's warnings, which libraries address to programmers."""

DRAWING = "matplotlib"
"""Logger of the library that draws, which warns of its own cache where the home folder cannot be written."""


class PrintableFormatter(logging.Formatter):
    """Formats records with escapes in place of controls; arguments that are text become one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, see :func:`printable`; only the message itself may have several lines."""
        record = copy(record)
        if isinstance(record.args, tuple):
            record.args = tuple(printable(one) if isinstance(one, str) else one for one in record.args)
        return printable(super().format(record), lines=True)


class ConsoleHandler(logging.Handler):
    """Prints records above the progress bar: the time, ``Caution`` or ``Error`` where it is one, and the message.

    On a terminal, lines break between words, and a path that is longer than a line is left whole, so that it can be
    copied. Elsewhere a line of a message is a line of the output.
    """

    def __init__(self) -> None:
        super().__init__()
        self.console: Console | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        try:
            console = self.console or get_console()
            console.print(_line(record, self.format(record), console), soft_wrap=True, highlight=False)
        except SystemExit:
            # Rich ends the program once nobody reads its output (``| head``), after silencing the console. A run goes
            # on: its files and its log do not need the console.
            pass
        except Exception:
            self.handleError(record)


def set_verbosity(verbosity: str) -> None:
    """Show less or more on the console; the log file of a run always has the lines of ``normal``.

    Args:
        verbosity: ``quiet`` shows cautions and errors only, on the standard error, and no bars; ``normal`` also shows
            stages and progress; ``debug`` shows details and the warnings of libraries, which the log file then has too.
    """
    quiet, debug = verbosity == "quiet", verbosity == "debug"
    logging.captureWarnings(True)
    for name in (WARNINGS, DRAWING):
        logging.getLogger(name).setLevel(logging.WARNING if debug else logging.CRITICAL)
    logging.getLogger("brain_cae").setLevel(logging.DEBUG if debug else logging.INFO)
    get_console().quiet = quiet
    for handler in logging.getLogger().handlers:
        if isinstance(handler, ConsoleHandler):
            handler.setLevel(logging.WARNING if quiet else logging.NOTSET)
            handler.console = Console(stderr=True) if quiet else None


def _line(record: logging.LogRecord, message: str, console: Console) -> Text:
    moment = time.strftime(TIME, time.localtime(record.created))
    prefix, style = PREFIXES.get(min(record.levelno, logging.ERROR), ("", ""))
    if console.is_terminal:
        message = wrapped(prefix + message, console.width, len(moment)).removeprefix(prefix)
    return Text.assemble((moment, "dim"), (prefix, style), message)


def wrapped(text: str, width: int, indent: int) -> str:
    """Break lines between words, with ``indent`` columns free in front of each; a longer word is left whole."""
    lines = []
    for line in text.splitlines() or [""]:
        kept = line[: len(line) - len(line.lstrip())]
        lines += textwrap.wrap(
            line,
            max(20, width - indent),
            subsequent_indent=kept,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [""]
    return ("\n" + " " * indent).join(lines)
