"""Work on prepared brains one by one, in this process or in others, whichever takes less time."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from brain_cae.executor import HERE, Executor, Processes, results
from brain_cae.progress import counter

START_S = 7.0
"""CPU time (s) that a process needs until PyTorch and the program are loaded (measured: 6 to 6.6)."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    task: str,
    *,
    executor: Executor,
    name: Callable[[Item], str],
    bar: bool,
    here: bool = False,
) -> list[Result]:
    """Apply a function to items and return the results in their order.

    The first item is worked on here and timed: other processes are started if they save more time than they cost.

    Args:
        function: Called once for each item.
        items: As for :func:`brain_cae.executor.results`.
        task: Name of the stage, for progress and messages.
        executor: Where the work is done.
        name: Returns the name of an item for messages.
        bar: Draw a progress bar if the output is a terminal.
        here: Do all the work in this process, as with a network on a GPU.
    """
    found: dict[int, Result] = {}
    rest, where = range(len(items)), HERE if here else executor
    with counter(task, len(items), bar=bar) as advance:
        if rest and isinstance(where, Processes):
            begin = time.monotonic()
            found[0] = function(items[0])
            advance()
            rest = rest[1:]
            if not worth_starting(len(rest), time.monotonic() - begin, where.workers):
                where = HERE
        done = results(function, _Others(items, rest), executor=where, task=task, name=name, minimum=0, threads=1)
        for number, result in done:
            found[rest[number]] = result
            advance()
    return [found[number] for number in range(len(items))]


def worth_starting(items: int, seconds: float, workers: int) -> bool:
    """Return whether processes are faster than this one, for items of which each takes some seconds."""
    if workers < 2:
        return False
    return items * seconds > START_S + math.ceil(items / workers) * seconds


@dataclass(frozen=True)
class _Others(Sequence[Item]):
    """Some of the items, each made when it is asked for."""

    items: Sequence[Item]
    chosen: range

    def __len__(self) -> int:
        return len(self.chosen)

    def __getitem__(self, number: Any) -> Any:
        return self.items[self.chosen[number]]
