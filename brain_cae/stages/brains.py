"""Work on prepared brains one by one, in this process or in others, whichever takes less time."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from brain_cae.executor import HERE, Executor, results
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

    The first items are worked on here and timed: other processes are started if they save more time than they cost.

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
    with counter(task, len(items), bar=bar) as advance:
        done = results(
            function,
            items,
            executor=HERE if here else executor,
            task=task,
            name=name,
            minimum=0,
            threads=1,
            start_s=START_S,
        )
        for number, result in done:
            found[number] = result
            advance()
    return [found[number] for number in range(len(items))]
