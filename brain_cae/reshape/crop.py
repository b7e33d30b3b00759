"""Crop what a strategy resizes to the brain: four fifths of a scan are air, at which a network need not look."""

from dataclasses import replace
from typing import Any

import numpy as np

from brain_cae.reshape.base import Group, NativeGrid, Reshape, Shape


class Cropped(Reshape):
    """A strategy whose volumes are cut to a window around the foreground, the same for all volumes of a group.

    Groups and scale factors are those of the strategy, from whole volumes. The window of a group holds the foreground
    of each training volume; a volume with a larger foreground has a larger window, so that nothing is cut off.

    Args:
        strategy: Says to which dimensions the whole volume is resized.
        stride: Total stride of the network: sides of windows are multiples of it.
    """

    def __init__(self, strategy: Reshape, stride: int) -> None:
        super().__init__(strategy.tolerance)
        self.strategy = strategy
        self.stride = stride
        self.windows: dict[str, Shape] = {}

    def know(self, shapes: list[Shape]) -> None:
        """Set the known native dimensions."""
        self.strategy.know(shapes)

    def fit(self, grids: list[NativeGrid]) -> "Cropped":
        """Fit the strategy, and the window of each group."""
        self.strategy.fit(grids)
        windows: dict[str, np.ndarray] = {}
        for grid in grids:
            group = self.strategy.group(grid)
            first, end = _foreground(grid, group)
            windows[group.name] = np.maximum(windows.get(group.name, 0), end - first)
        self.windows = {name: self._rounded(sides) for name, sides in windows.items()}
        return self

    def group(self, grid: NativeGrid) -> Group:
        """Return the strategy's target with a window around the foreground."""
        whole = self.strategy.group(grid)
        first, end = _foreground(grid, whole)
        window = np.maximum(self.windows.get(whole.name, (0, 0, 0)), self._rounded(end - first))
        # Centred; a side that is larger than the foreground by an odd number has the additional voxel behind it.
        start = first - (window - (end - first)) // 2
        return replace(whole, target=_shape(window), resized=whole.size, start=_shape(start))

    def _rounded(self, sides: np.ndarray) -> Shape:
        return _shape(-(-sides // self.stride) * self.stride)

    def state(self) -> dict[str, Any]:
        """Return the state of the strategy, and the windows."""
        return {"strategy": self.strategy.state(), "windows": {name: list(side) for name, side in self.windows.items()}}

    def restore(self, state: dict[str, Any]) -> "Cropped":
        """Restore a stored state."""
        self.strategy.restore(state["strategy"])
        self.windows = {str(name): _shape(np.asarray(sides)) for name, sides in state["windows"].items()}
        return self

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of the strategy, each with its window."""
        return [row | {"window": list(self.windows.get(row["name"], ()))} for row in self.strategy.groups()]


def _foreground(grid: NativeGrid, group: Group) -> tuple[np.ndarray, np.ndarray]:
    """Return first and last index, plus one, of the foreground in the resized volume, (3,) each."""
    scale = np.asarray(group.size) / np.asarray(grid.shape)
    first, end = (np.asarray(grid.foreground, float) * scale[:, None]).T
    return np.floor(first + 1e-6).astype(int), np.ceil(end - 1e-6).astype(int)


def _shape(sides: np.ndarray) -> Shape:
    return int(sides[0]), int(sides[1]), int(sides[2])
