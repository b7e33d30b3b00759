"""Numbered cases: a few run with every test run, the others with `make soak`."""

from typing import Any

import pytest


def cases(total: int, *, always: int) -> list[Any]:
    """Parameters 0 to ``total`` - 1, all but the first ``always`` of them marked as long."""
    return [pytest.param(number, marks=[] if number < always else [pytest.mark.soak]) for number in range(total)]
