"""Score a brain: from its smoothed maps to anomaly map, score and p-value.

The model's residual and the baselines use the same code and differ only in their input: ``residual`` compares x - x̂
with healthy brains at the same place, ``healthy_mean`` compares x itself, ``healthy_subspace`` compares what a linear
space of healthy brains leaves of x, and ``intensity`` uses x without comparison.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from brain_cae.arrays.voxels import at_voxels
from brain_cae.scoring.calibration import VOXEL_RATES, Calibration, voxel_threshold
from brain_cae.scoring.clusters import largest_mass
from brain_cae.scoring.direction import channel_weights, directed, joint
from brain_cae.scoring.frame import from_frame, to_frame
from brain_cae.scoring.reference import SMALLEST_GROUP, HealthyReference
from brain_cae.scoring.subspace import HealthySubspace, left_out

VOXELS_PER_BRAIN = 20_000
"""Voxels drawn from each calibration brain for the voxel threshold, so that large matrices do not weigh more."""


@dataclass(frozen=True)
class Framed:
    """A brain in the shared frame: maps (C, *frame), mask (*frame), reshape group."""

    maps: np.ndarray
    mask: np.ndarray
    group: str


@dataclass(frozen=True)
class Signal:
    """Smoothed maps of one brain on its native grid.

    Attributes:
        maps: (C, X, Y, Z), 0 outside the mask.
        mask: (X, Y, Z) boolean.
        group: Reshape group.
        place: Where the grid lies in the shared frame, see :func:`brain_cae.scoring.frame.place_in_frame`; None takes
            the box of the mask as the frame.
        voxel_ml: Volume of a voxel in mL.
    """

    maps: np.ndarray
    mask: np.ndarray
    group: str
    place: np.ndarray | None = None
    voxel_ml: float = 0.001

    def framed(self, frame: tuple[int, int, int]) -> Framed:
        """Return the maps in the shared frame of these dimensions: all that a reference needs of a healthy brain."""
        return Framed(*to_frame(self.maps, self.mask, frame, self.place), self.group)

    @cached_property
    def values(self) -> np.ndarray:
        """(C, n), the maps at the voxels of the mask."""
        return at_voxels(self.maps, self.mask)

    @cached_property
    def _normal(self) -> list[tuple[HealthyReference, np.ndarray]]:
        return []

    def normal(self, reference: HealthyReference) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and spread (C, n) of healthy brains at the voxels of the mask.

        Several scorers look at one signal, most of them with the same reference: each is brought here once.
        """
        here = next((here for known, here in self._normal if known.equals(reference)), None)
        if here is None:
            here = self.from_frame(np.concatenate([reference.mean, reference.spread]))
            self._normal.append((reference, here))
        mean, spread = np.split(here, 2)
        return mean, spread

    def from_frame(self, maps: np.ndarray) -> np.ndarray:
        """Return the values (C, n) of maps (C, *frame) at the voxels of the mask."""
        return from_frame(maps, self.mask, self.place)


@dataclass(frozen=True)
class Sample:
    """Score of a healthy brain, values (n,) of its joint map at random voxels of the mask, and its largest cluster."""

    score: float
    voxels: np.ndarray
    mass: float


class Scorer:
    """Score brains against healthy ones.

    Args:
        modalities: Name of each channel; a signal of several models repeats them, one model after the other.
        sign: Direction for each modality.
        percentile: Percentile of the joint map inside the mask that is the volume's score.
        frame: Dimensions of the shared frame.
        shrinkage: See :class:`HealthyReference`.
        voxel_rate: Voxel false-positive rate that sets the voxel threshold.
        signal: What it looks at, ``residual`` of the model or ``intensity`` of the image; with the latter it is a
            baseline.
        signed: False counts both directions alike, whatever ``sign`` says.
        compare: False takes the maps as they are (the ``intensity`` baseline).
        joint: How channels add up: their ``mean``, or weighted by their ``covariance`` in healthy brains, see
            :func:`brain_cae.scoring.direction.channel_weights`.
        components: Directions of a :class:`HealthySubspace` that is fitted to healthy brains and whose closest brain is
            subtracted first; 0: none.
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
        joint: str = "mean",
        components: int = 0,
    ) -> None:
        self.modalities = modalities
        self.sign = sign if signed else dict.fromkeys(sign, "both")
        self.signal = signal
        self.percentile = percentile
        self.frame = frame
        self.shrinkage = shrinkage
        self.voxel_rate = voxel_rate
        self.compare = compare
        self.weighted = joint == "covariance" and compare
        self.components = components
        self.subspace: HealthySubspace | None = None
        self.reference: HealthyReference | None = None
        self.weights: np.ndarray | None = None
        self.calibration = Calibration(np.empty(0), float("inf"))
        self._left_out: tuple[Sequence[Framed], list[HealthySubspace]] = ((), [])

    def learn(self, healthy: Sequence[Framed]) -> None:
        """Fit the reference on healthy brains."""
        if not self.compare:
            return
        self._refer(self._left(healthy), SMALLEST_GROUP)
        if self.components:
            self.subspace = HealthySubspace.fit(*_stacked(healthy), self.components)
            self._left_out = ((), [])

    def held_out(self, healthy: Sequence[Framed], number: int) -> "Scorer":
        """Return a scorer for the healthy brain with this number that compares it with the *others* only.

        Compared with statistics that include it, a brain looks more normal than a new brain does, so the calibration
        would give too many false alarms.
        """
        other = copy(self)
        if self.compare:
            left = self._left(healthy)
            other.subspace = self._left_out[1][number] if self.components else None
            # One fewer, so that a group has a separate factor here exactly when it has one in the final fit.
            other._refer([*left[:number], *left[number + 1 :]], SMALLEST_GROUP - 1)
        other._left_out = ((), [])
        return other

    def sample(self, signal: Signal, *, seed: Sequence[int]) -> Sample:
        """Return score, random voxels and largest cluster of a healthy brain, for :meth:`calibrate`.

        Without a voxel threshold the mass is 0.
        """
        joint_map = self.joint(signal)
        chosen = np.random.default_rng(seed).choice(
            joint_map, VOXELS_PER_BRAIN, replace=len(joint_map) < VOXELS_PER_BRAIN
        )
        mass = largest_mass(joint_map, signal.mask, self.calibration.voxel_threshold, signal.voxel_ml)
        return Sample(self.statistic(joint_map), chosen, mass)

    def set_voxel_threshold(self, samples: Sequence[Sample]) -> None:
        """Set the voxel threshold from brains of the reference, each compared with the others by :meth:`held_out`."""
        voxels = [sample.voxels for sample in samples]
        quantiles = np.quantile(np.concatenate(voxels), [1 - rate for rate in VOXEL_RATES])
        threshold = voxel_threshold(voxels, self.voxel_rate)
        self.calibration = Calibration(np.empty(0), threshold, voxel_quantiles=quantiles)

    def calibrate(self, samples: Sequence[Sample]) -> None:
        """Set calibration scores and masses of clusters, from healthy brains that were sampled with voxel threshold."""
        scores, masses = ([getattr(sample, name) for sample in samples] for name in ("score", "mass"))
        self.calibration = replace(self.calibration, scores=np.asarray(scores), masses=np.asarray(masses))

    def maps(self, signal: Signal) -> np.ndarray:
        """Return the directed maps (C, n) of the modalities at the voxels of the mask, means over the models.

        They are z-scores, or plain values without a reference.
        """
        return self._by_modality(self._directed(signal))

    def joint(self, signal: Signal) -> np.ndarray:
        """Return the joint map (n,) at the voxels of the mask."""
        return self.both(signal)[1]

    def both(self, signal: Signal) -> tuple[np.ndarray, np.ndarray]:
        """Return :meth:`maps` and :meth:`joint`."""
        maps = self._directed(signal)
        weights = None if self.weights is None else signal.from_frame(self.weights)
        return self._by_modality(maps), joint(maps, weights)

    def _directed(self, signal: Signal) -> np.ndarray:
        # Scaled intensities have a median of 1, z-scores a median of 0.
        centre = 0.0 if self.compare else 1.0
        return directed(self._compared(signal), self._channels(len(signal.maps)), self.sign, centre=centre)

    def statistic(self, values: np.ndarray) -> float:
        """The volume's score from the values (n,) of its joint map inside the mask."""
        return float(np.percentile(values, self.percentile))

    def _channels(self, count: int) -> list[str]:
        """Return the modality of each channel."""
        return self.modalities * (count // len(self.modalities))

    def _by_modality(self, maps: np.ndarray) -> np.ndarray:
        return maps.reshape(-1, len(self.modalities), *maps.shape[1:]).mean(axis=0)

    def _compared(self, signal: Signal) -> np.ndarray:
        values = signal.values
        if self.subspace is not None:
            framed = signal.framed(self.frame)
            values = values - signal.from_frame(self.subspace.expected(framed.maps, framed.mask))
        if self.reference is None:
            return values
        mean, spread = signal.normal(self.reference)
        return (values - mean) / np.maximum(spread * self.reference.factor(signal.group), 1e-6)

    def _left(self, healthy: Sequence[Framed]) -> Sequence[Framed]:
        """Return what the subspace of other healthy brains leaves of each; without components the brains themselves."""
        if not self.components:
            return healthy
        if self._left_out[0] is not healthy:
            self._left_out = (healthy, left_out(*_stacked(healthy), self.components))
        return [
            replace(one, maps=one.maps - space.expected(one.maps, one.mask))
            for one, space in zip(healthy, self._left_out[1], strict=True)
        ]

    def _refer(self, left: Sequence[Framed], smallest: int) -> None:
        maps, masks = _stacked(left)
        self.reference = HealthyReference.fit(
            maps,
            masks,
            [one.group for one in left],
            shrinkage=self.shrinkage,
            smallest=smallest,
            covariance=self.weighted,
        )
        if self.reference.covariance is not None:
            self.weights = channel_weights(self.reference.covariance, self._channels(maps.shape[1]), self.sign)

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the fitted state: arrays for an ``.npz`` and plain values for JSON."""
        known = self.calibration
        arrays = {"scores": known.scores, "masses": known.masses, "voxel_quantiles": known.voxel_quantiles}
        values: dict[str, Any] = {"voxel_threshold": self.calibration.voxel_threshold, "factors": {}}
        if self.reference is not None:
            arrays |= {"mean": self.reference.mean, "spread": self.reference.spread}
            values["factors"] = self.reference.factors
        if self.weights is not None:
            arrays["weights"] = self.weights
        if self.subspace is not None:
            arrays |= {f"subspace_{name}": value for name, value in vars(self.subspace).items()}
        return arrays, values

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> "Scorer":
        """Restore a stored state and return self."""
        self.calibration = Calibration(
            arrays["scores"],
            float(values["voxel_threshold"]),
            arrays.get("masses", np.empty(0)),
            arrays.get("voxel_quantiles", np.empty(0)),
        )
        if self.compare:
            self.reference = HealthyReference(arrays["mean"], arrays["spread"], values["factors"])
            self.weights = arrays.get("weights")
        if self.components:
            self.subspace = HealthySubspace(*(arrays[f"subspace_{name}"] for name in ("mean", "directions", "spread")))
        return self


def _stacked(healthy: Sequence[Framed]) -> tuple[np.ndarray, np.ndarray]:
    """Return maps (N, C, *frame) and masks (N, *frame)."""
    return np.stack([one.maps for one in healthy]), np.stack([one.mask for one in healthy])
