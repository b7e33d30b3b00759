"""Every volume to the same dimensions, whatever it was."""

from typing import Any

from brain_cae.reshape.base import Group, Reshape, Shape


class Fixed(Reshape):
    """Resize every volume to ``dimensions``.

    Args:
        dimensions: Target (R, A, S) in voxels.
    """

    def __init__(self, dimensions: list[int]) -> None:
        self.dimensions: Shape = (int(dimensions[0]), int(dimensions[1]), int(dimensions[2]))
        self.members = 0

    def fit(self, shapes: list[Shape]) -> "Fixed":
        """Nothing is learnt; the number of training volumes is kept for the report."""
        self.members = len(shapes)
        return self

    def group(self, shape: Shape) -> Group:
        """One group for all."""
        return Group(name="fixed", target=self.dimensions)

    def state(self) -> dict[str, Any]:
        """The target and how many volumes it was used for."""
        return {"dimensions": list(self.dimensions), "members": self.members}

    def restore(self, state: dict[str, Any]) -> "Fixed":
        """Take up a stored state."""
        sizes = state["dimensions"]
        self.dimensions, self.members = (int(sizes[0]), int(sizes[1]), int(sizes[2])), int(state["members"])
        return self

    def groups(self) -> list[dict[str, Any]]:
        """The one group."""
        return [{"name": "fixed", "target": list(self.dimensions), "members": self.members}]
