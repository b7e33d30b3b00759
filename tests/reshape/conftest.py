"""Fixtures of the reshape tests: grids without scans."""

from collections.abc import Callable

import pytest

from brain_cae.reshape import NativeGrid


def make(shape, spacing=(2.0, 2.0, 4.0), foreground=None) -> NativeGrid:
    """Return a grid whose foreground is the whole volume, unless given."""
    return NativeGrid(tuple(shape), tuple(spacing), foreground or tuple((0, size) for size in shape))


@pytest.fixture(scope="session")
def make_grid() -> Callable[..., NativeGrid]:
    return make


@pytest.fixture(scope="session")
def make_grids() -> Callable[..., list[NativeGrid]]:
    return lambda shapes: [make(shape) for shape in shapes]
