"""Resize every volume to the same given dimensions."""

from typing import Any

from brain_cae.errors import ConfigurationError
from brain_cae.reshape.base import SMALLEST, Crop, Group, NativeGrid, Reshape, Shape, Tolerance, distinct


class Fixed(Reshape):
    """Resize every volume to ``dimensions``.

    Args:
        dimensions: Target (R, A, S) in voxels.
        tolerance: A volume that differs by more than this (relative, any axis) from every training volume is
            reported as unknown.
        crop: See :class:`Reshape`.
    """

    @staticmethod
    def check(choice: Any, key: str) -> None:
        """The target must hold a brain: raises ConfigurationError."""
        if len(choice.dimensions) != 3 or min(choice.dimensions) < SMALLEST:
            raise ConfigurationError(
                f"`{key}.dimensions` is not a valid volume size.",
                expected=f"three whole numbers (R, A, S), each at least {SMALLEST}",
                found=str(list(choice.dimensions)),
                where=f"{key}.dimensions",
            )

    def __init__(self, dimensions: list[int], tolerance: Tolerance = 0.25, crop: Crop = "foreground") -> None:
        super().__init__(tolerance, crop)
        self.dimensions: Shape = (int(dimensions[0]), int(dimensions[1]), int(dimensions[2]))
        self.members = 0

    def fit(self, grids: list[NativeGrid]) -> "Fixed":
        """Store the dimensions of the training volumes, to report volumes that differ from them."""
        self.members = len(grids)
        self.know([grid.shape for grid in grids])
        return self

    def group(self, grid: NativeGrid) -> Group:
        """Return the one group of all volumes."""
        return Group(name="fixed", target=self.dimensions, known=self.is_known(grid.shape))

    def state(self) -> dict[str, Any]:
        """Return the target, the number of training volumes, and their dimensions."""
        return {"dimensions": list(self.dimensions), "members": self.members, "shapes": self.shapes}

    def restore(self, state: dict[str, Any]) -> "Fixed":
        """Restore a stored state."""
        self.dimensions = distinct([state["dimensions"]])[0]
        self.members = int(state["members"])
        self.know(state["shapes"])
        return self

    def groups(self) -> list[dict[str, Any]]:
        """Return the one group as a row."""
        return [{"name": "fixed", "target": list(self.dimensions), "members": self.members}]
