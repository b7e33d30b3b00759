"""Score a brain: from its smoothed maps to anomaly map, score and p-value.

The autoencoder's residual and the two baselines use the same code and differ only in their input:
``residual`` compares x - x̂ with healthy brains at the same place, ``healthy_mean`` compares x itself, and
``intensity`` uses x without comparison.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from brain_cae.scoring.calibration import Calibration, voxel_threshold
from brain_cae.scoring.direction import directed, joint
from brain_cae.scoring.frame import from_frame, to_frame
from brain_cae.scoring.reference import SMALLEST_GROUP, HealthyReference

VOXELS_PER_BRAIN = 20_000
"""Voxels drawn from each calibration brain for the voxel threshold, so that large matrices do not weigh more."""


@dataclass(frozen=True)
class Signal:
    """Smoothed maps of one brain on its native grid.

    Attributes:
        maps: (C, X, Y, Z), 0 outside the mask.
        mask: (X, Y, Z) boolean.
        group: Reshape group.
        place: Where the grid lies in the shared frame, see :func:`brain_cae.scoring.frame.place_in_frame`; None takes
            the box of the mask as the frame.
    """

    maps: np.ndarray
    mask: np.ndarray
    group: str
    place: np.ndarray | None = None


class Scorer:
    """Score brains against healthy ones.

    Args:
        modalities: Name of each channel.
        sign: Direction for each modality.
        percentile: Percentile of the joint map inside the mask that is the volume's score.
        frame: Dimensions of the shared frame.
        shrinkage: See :class:`HealthyReference`.
        voxel_rate: Voxel false-positive rate that sets the voxel threshold.
        signal: What it looks at, ``residual`` of the network or ``intensity`` of the image; with the latter it is a
            baseline.
        signed: False counts both directions alike, whatever ``sign`` says.
        compare: False takes the maps as they are (the ``intensity`` baseline).
    """

    def __init__(
        self,
        *,
        modalities: list[str],
        sign: dict[str, str],
        percentile: float,
        frame: tuple[int, int, int],
        shrinkage: float,
        voxel_rate: float,
        signal: str = "residual",
        signed: bool = True,
        compare: bool = True,
    ) -> None:
        self.modalities = modalities
        self.sign = sign if signed else dict.fromkeys(sign, "both")
        self.signal = signal
        self.percentile = percentile
        self.frame = frame
        self.shrinkage = shrinkage
        self.voxel_rate = voxel_rate
        self.compare = compare
        self.reference: HealthyReference | None = None
        self.calibration = Calibration(np.empty(0), float("inf"))

    def fit(self, healthy: list[Signal], *, seed: int = 0) -> "Scorer":
        """Fit reference, calibration scores and voxel threshold on healthy brains.

        Each brain is compared only with the *others*. Compared with statistics that include it, a brain looks more
        normal than a new brain does, so the calibration would give too many false alarms.
        """
        generator = np.random.default_rng(seed)
        leave_one_out = self._leave_one_out(healthy)
        scores, samples = [], []
        for signal, reference in zip(healthy, leave_one_out, strict=True):
            inside = self._joint(signal, reference)[signal.mask]
            scores.append(self.statistic(inside))
            samples.append(generator.choice(inside, VOXELS_PER_BRAIN, replace=len(inside) < VOXELS_PER_BRAIN))
        self.calibration = Calibration(np.asarray(scores), voxel_threshold(samples, self.voxel_rate))
        if self.compare:
            groups = [signal.group for signal in healthy]
            self.reference = HealthyReference.fit(*self._framed(healthy), groups, shrinkage=self.shrinkage)
        return self

    def maps(self, signal: Signal) -> np.ndarray:
        """Return the directed maps (C, X, Y, Z) of one brain: z-scores, or plain values without a reference."""
        return self._directed(signal, self.reference)

    def joint(self, signal: Signal) -> np.ndarray:
        """Return the joint map (X, Y, Z): mean of the directed maps, 0 outside the mask."""
        return self._joint(signal, self.reference)

    def score(self, joint_map: np.ndarray, mask: np.ndarray) -> float:
        """Return the volume's score from its joint map."""
        return self.statistic(joint_map[mask])

    def statistic(self, values: np.ndarray) -> float:
        """The volume's score from the values (n,) of its joint map inside the mask."""
        return float(np.percentile(values, self.percentile))

    def _joint(self, signal: Signal, reference: HealthyReference | None) -> np.ndarray:
        return joint(self._directed(signal, reference))

    def _directed(self, signal: Signal, reference: HealthyReference | None) -> np.ndarray:
        # Scaled intensities have a median of 1, z-scores a median of 0.
        centre = 0.0 if self.compare else 1.0
        turned = directed(self._compared(signal, reference), self.modalities, self.sign, centre=centre)
        return np.where(signal.mask, turned, 0).astype(np.float32)

    def _compared(self, signal: Signal, reference: HealthyReference | None) -> np.ndarray:
        if reference is None:
            return signal.maps
        here = from_frame(np.concatenate([reference.mean, reference.spread]), signal.mask, signal.place)
        mean, spread = np.split(here, 2)
        z = (signal.maps - mean) / np.maximum(spread * reference.factor(signal.group), 1e-6)
        return np.where(signal.mask, z, 0).astype(np.float32)

    def _leave_one_out(self, healthy: list[Signal]) -> list[HealthyReference | None]:
        if not self.compare:
            return [None] * len(healthy)
        maps, masks = self._framed(healthy)
        groups = [signal.group for signal in healthy]
        references: list[HealthyReference | None] = []
        for left_out in range(len(healthy)):
            others = [i for i in range(len(healthy)) if i != left_out]
            # One fewer, so that a group has a separate factor here exactly when it has one in the final fit.
            references.append(
                HealthyReference.fit(
                    maps[others],
                    masks[others],
                    [groups[i] for i in others],
                    shrinkage=self.shrinkage,
                    smallest=SMALLEST_GROUP - 1,
                )
            )
        return references

    def _framed(self, healthy: list[Signal]) -> tuple[np.ndarray, np.ndarray]:
        framed = [to_frame(signal.maps, signal.mask, self.frame, signal.place) for signal in healthy]
        return np.stack([maps for maps, _ in framed]), np.stack([mask for _, mask in framed])

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the fitted state: arrays for an ``.npz`` and plain values for JSON."""
        arrays = {"scores": self.calibration.scores}
        values: dict[str, Any] = {"voxel_threshold": self.calibration.voxel_threshold, "factors": {}}
        if self.reference is not None:
            arrays |= {"mean": self.reference.mean, "spread": self.reference.spread}
            values["factors"] = self.reference.factors
        return arrays, values

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> "Scorer":
        """Restore a stored state and return self."""
        self.calibration = Calibration(arrays["scores"], float(values["voxel_threshold"]))
        if self.compare:
            self.reference = HealthyReference(arrays["mean"], arrays["spread"], values["factors"])
        return self
