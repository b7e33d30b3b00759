"""Progress of long work: a bar on a terminal, log lines if the output goes to a file."""

import logging
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

log = logging.getLogger(__name__)

Item = TypeVar("Item")


def on_terminal() -> bool:
    """Return whether bars can be shown: on a terminal or in a notebook, and not in a file, in a pipe or if quiet."""
    console = get_console()
    return (console.is_interactive or console.is_jupyter) and not console.quiet


def track(items: Collection[Item], name: str, *, bar: bool = True) -> Iterator[Item]:
    """Yield the items and show how many have been processed; ``bar`` as in :func:`counter`."""
    with counter(name, len(items), bar=bar) as advance:
        for item in items:
            yield item
            advance()


@contextmanager
def counter(name: str, total: int, *, done: int = 0, bar: bool = True) -> Iterator[Callable[[], None]]:
    """Show the progress of a stage; yields a function to call after each item.

    Args:
        name: Name of the stage.
        total: Number of items.
        done: Number of items that an earlier run has finished; nothing is shown if these are all.
        bar: Draw a bar on a terminal. Otherwise a line is logged after each tenth of the items, regardless of ``bar``.
    """
    if not on_terminal():
        yield _lines(name, total, done)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    shown = bar and done < total
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), disable=not shown) as drawn:
        task = drawn.add_task(name, total=total, completed=done)
        yield lambda: drawn.advance(task)


def duration(seconds: float) -> str:
    """Return a time as text: ``43 s``, ``5 min 3 s``, ``2 h 10 min``.

    Example:
        >>> duration(303)
        '5 min 3 s'
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _lines(name: str, total: int, done: int) -> Callable[[], None]:
    start, begun = time.monotonic(), done

    def advance() -> None:
        nonlocal done
        done += 1
        if 10 * done // total > 10 * (done - 1) // total:
            elapsed = time.monotonic() - start
            left = elapsed * (total - done) / (done - begun)
            rest = f", about {duration(left)} left" if left >= 1 else ""
            log.info("%s: %d of %d (%s%s)", name, done, total, duration(elapsed), rest)

    return advance
