"""Numbered test cases: a few run in every test run, the rest only with `make soak`."""

from typing import Any

import pytest


def cases(total: int, *, always: int) -> list[Any]:
    """Parameters 0 to ``total`` - 1; all but the first ``always`` are marked `soak`."""
    return [pytest.param(number, marks=[] if number < always else [pytest.mark.soak]) for number in range(total)]
