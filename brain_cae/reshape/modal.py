"""Resize every volume to the most common dimensions of the training set."""

from typing import Any

from brain_cae.reshape.base import Crop, Group, NativeGrid, Reshape, Shape, Tolerance, distinct, most_common


class Modal(Reshape):
    """Resize every volume to the modal dimensions of the training volumes, so that most of them are unchanged.

    Args:
        tolerance: A volume that differs by more than this (relative, any axis) from every training volume is
            reported as unknown.
        crop: See :class:`Reshape`.
    """

    def __init__(self, tolerance: Tolerance = 0.25, crop: Crop = "foreground") -> None:
        super().__init__(tolerance, crop)
        self.target: Shape = (0, 0, 0)
        self.members = 0

    def fit(self, grids: list[NativeGrid]) -> "Modal":
        """Fit the most common dimensions; of equally common ones the largest."""
        shapes = [grid.shape for grid in grids]
        self.target, self.members = most_common(shapes), len(shapes)
        self.know(shapes)
        return self

    def group(self, grid: NativeGrid) -> Group:
        """Return the one group of all volumes."""
        return Group(name="modal", target=self.target, known=self.is_known(grid.shape))

    def state(self) -> dict[str, Any]:
        """Return the target, the number of training volumes, and their dimensions."""
        return {"target": list(self.target), "members": self.members, "shapes": self.shapes}

    def restore(self, state: dict[str, Any]) -> "Modal":
        """Restore a stored state."""
        self.target = distinct([state["target"]])[0]
        self.members = int(state["members"])
        self.know(state["shapes"])
        return self

    def groups(self) -> list[dict[str, Any]]:
        """Return the one group as a row."""
        return [{"name": "modal", "target": list(self.target), "members": self.members}]
