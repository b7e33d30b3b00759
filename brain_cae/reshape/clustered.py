"""Clustered reshape: group volumes by their dimensions, resize each to its group's most common dimensions."""

import math
from typing import Annotated, Any

import numpy as np

from brain_cae.errors import ConfigurationError
from brain_cae.keys import Between
from brain_cae.reshape.base import Crop, Group, NativeGrid, Reshape, Shape, Tolerance, distinct, most_common


class Clustered(Reshape):
    """Cluster native dimensions by complete linkage on the logarithm of the three sizes.

    The distance between two volumes is the largest absolute difference of log size over the axes, so a distance of
    log(1.25) means that no axis differs by more than a quarter between them.

    Args:
        groups: Number of groups; ``None`` uses as few as ``tolerance`` allows.
        tolerance: Largest relative difference of any axis within a group. A new volume farther than this from
            every training volume still goes to the nearest group and is reported as unknown.
        crop: See :class:`Reshape`.
    """

    def __init__(
        self,
        groups: Annotated[int, Between(1, math.inf, "a number of groups")] | None = None,
        tolerance: Tolerance = 0.25,
        crop: Crop = "foreground",
    ) -> None:
        super().__init__(tolerance, crop)
        self.count = groups
        self.targets: list[Shape] = []
        self.members: list[int] = []

    def fit(self, grids: list[NativeGrid]) -> "Clustered":
        """Find the groups among the training volumes' native dimensions.

        Raises:
            ConfigurationError: There are fewer distinct dimensions than ``groups``.
        """
        shapes = [grid.shape for grid in grids]
        self.know(shapes)
        if self.count is not None and self.count > len(self.shapes):
            raise ConfigurationError(
                "There are fewer distinct dimensions than groups.",
                expected=f"at most {len(self.shapes)} groups",
                found=str(self.count),
                where="reshape.groups",
            )
        labels = self._cluster(np.log(np.asarray(self.shapes, float)))
        group_of = dict(zip(self.shapes, labels, strict=True))
        targets = []
        for label in np.unique(labels):
            members = [shape for shape in shapes if group_of[distinct([shape])[0]] == label]
            targets.append((most_common(members), len(members)))
        targets.sort(key=lambda item: (-item[1], item[0]))
        self.targets, self.members = [target for target, _ in targets], [members for _, members in targets]
        return self

    def _cluster(self, points: np.ndarray) -> np.ndarray:
        if len(points) == 1 or self.count == 1:
            return np.zeros(len(points), int)
        # Imported here: the configuration check reads this class for its keys, and scikit-learn takes a second.
        from sklearn.cluster import AgglomerativeClustering

        threshold = None if self.count else float(np.log1p(self.tolerance))
        clustering = AgglomerativeClustering(
            n_clusters=self.count, distance_threshold=threshold, metric="chebyshev", linkage="complete"
        )
        return clustering.fit_predict(points)

    def group(self, grid: NativeGrid) -> Group:
        """Return the group with the nearest target; not ``known`` if no training volume is within the tolerance."""
        distances = np.abs(np.log(np.asarray(self.targets, float)) - np.log(np.asarray(grid.shape, float))).max(axis=1)
        nearest = int(distances.argmin())
        return Group(name=self._name(nearest), target=self.targets[nearest], known=self.is_known(grid.shape))

    def _name(self, number: int) -> str:
        return "x".join(str(size) for size in self.targets[number])

    def state(self) -> dict[str, Any]:
        """Return targets, members, and the dimensions of the training volumes."""
        return {
            "targets": [list(target) for target in self.targets],
            "members": self.members,
            "shapes": [list(shape) for shape in self.shapes],
        }

    def restore(self, state: dict[str, Any]) -> "Clustered":
        """Restore a stored state."""
        self.targets = [(int(x), int(y), int(z)) for x, y, z in state["targets"]]
        self.members = [int(count) for count in state["members"]]
        self.know(state["shapes"])
        return self

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups, the largest first."""
        return [
            {"name": self._name(number), "target": list(target), "members": self.members[number]}
            for number, target in enumerate(self.targets)
        ]
