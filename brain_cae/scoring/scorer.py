"""Score a brain: from its smoothed maps to anomaly map, score and p-value.

The model's residual and the baselines use the same code and differ only in their input: ``residual`` compares x - x̂
with healthy brains at the same place, ``healthy_mean`` compares x itself, ``healthy_subspace`` compares what a linear
space of healthy brains leaves of x, and ``intensity`` uses x without comparison.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from brain_cae.scoring.calibration import VOXEL_RATES, Calibration, voxel_threshold
from brain_cae.scoring.clusters import largest_mass
from brain_cae.scoring.direction import channel_weights, directed, joint
from brain_cae.scoring.reference import SMALLEST_GROUP, HealthyReference
from brain_cae.scoring.signal import Framed, HealthyBrains, Signal
from brain_cae.scoring.subspace import HealthySubspace, left_out
from brain_cae.scoring.summaries import combined

VOXELS_PER_BRAIN = 20_000
"""Voxels drawn from each calibration brain for the voxel threshold, so that large matrices do not weigh more."""


@dataclass(frozen=True)
class Sample:
    """Of a healthy brain: :meth:`Scorer.summary`, values (n,) of its joint map at random voxels, largest cluster."""

    summary: np.ndarray
    voxels: np.ndarray
    mass: float


class Scorer:
    """Score brains against healthy ones.

    Args:
        modalities: Name of each channel; a signal of several models repeats them, one model after the other.
        sign: Direction for each modality.
        percentile: Percentile of the joint map inside the mask that is the volume's score if ``statistic`` says so.
        frame: Dimensions of the shared frame.
        shrinkage: See :class:`HealthyReference`.
        voxel_rate: Voxel false-positive rate that sets the voxel threshold.
        signal: What it looks at, ``residual`` of the model or ``intensity`` of the image; with the latter it is a
            baseline.
        signed: False counts both directions alike, whatever ``sign`` says.
        compare: False takes the maps as they are (the ``intensity`` baseline).
        joint: How the modalities of a model add up: their ``mean``, or weighted by their ``covariance`` in healthy
            brains, see :func:`brain_cae.scoring.direction.channel_weights`; of several models the mean is taken.
        components: Directions of a :class:`HealthySubspace` that is fitted to healthy brains and whose closest brain is
            subtracted first; each model of a signal has its own. 0: none.
        statistic: Volume score: one ``percentile`` of the joint map, or ``combined``: the most unusual of several
            percentiles and smoothings, see :mod:`brain_cae.scoring.summaries`.
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
        statistic: str = "percentile",
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
        self.statistic = statistic
        self.usual: np.ndarray | None = None
        self.subspaces: list[HealthySubspace] = []
        self.reference: HealthyReference | None = None
        self.weights: np.ndarray | None = None
        self.calibration = Calibration(np.empty(0), float("inf"))

    def learn(self, healthy: Sequence[Framed]) -> None:
        """Fit the reference on healthy brains."""
        if not self.compare:
            return
        healthy = HealthyBrains.of(healthy)
        self._refer(healthy, [])
        if self.components:
            self.subspaces = healthy.made("spaces", self.components, lambda: self._fit(healthy))

    def held_out(self, healthy: Sequence[Framed], numbers: Sequence[int]) -> "Scorer":
        """Return a scorer for the healthy brains with these numbers that compares them with the *others* only.

        Compared with statistics that include it, a brain looks more normal than a new brain does, so the calibration
        would give too many false alarms. Scorers that get the same :class:`HealthyBrains` share the work.
        """
        other = copy(self)
        if self.compare:
            healthy = HealthyBrains.of(healthy)
            other._refer(healthy, numbers)
            other.subspaces = self._left(healthy)[0][numbers[0]] if self.components else []
        return other

    def sample(self, signal: Signal, *, seed: Sequence[int]) -> Sample:
        """Return summary, random voxels and largest cluster of a healthy brain, for :meth:`calibrate`.

        Without a voxel threshold the mass is 0.
        """
        joint_map = self.joint(signal)
        chosen = np.random.default_rng(seed).choice(
            joint_map, VOXELS_PER_BRAIN, replace=len(joint_map) < VOXELS_PER_BRAIN
        )
        mass, threshold = 0.0, self.calibration.voxel_threshold
        if np.isfinite(threshold):
            # On the grid of the scan, where the clusters of a new brain are found.
            mass = largest_mass(signal.at_all_voxels(joint_map), signal.brain, threshold, signal.voxel_ml)
        return Sample(self.summary(joint_map, signal), chosen, mass)

    def observe(self, samples: Sequence[Sample]) -> None:
        """Set voxel threshold and usual summaries from brains of the reference, each compared by :meth:`held_out`."""
        summaries = np.stack([sample.summary for sample in samples])
        deviation = summaries.std(axis=0, ddof=1) if len(samples) > 1 else np.ones(summaries.shape[1])
        self.usual = np.stack([summaries.mean(axis=0), np.maximum(deviation, 1e-6)])
        voxels = [sample.voxels for sample in samples]
        quantiles = np.quantile(np.concatenate(voxels), [1 - rate for rate in VOXEL_RATES])
        threshold = voxel_threshold(voxels, self.voxel_rate)
        self.calibration = Calibration(np.empty(0), threshold, voxel_quantiles=quantiles)

    def calibrate(self, samples: Sequence[Sample]) -> None:
        """Set calibration scores and masses of clusters, from healthy brains that were sampled with voxel threshold."""
        scores = np.array([self._volume_score(sample.summary) for sample in samples])
        self.calibration = replace(self.calibration, scores=scores, masses=np.array([one.mass for one in samples]))

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

    def score(self, values: np.ndarray, signal: Signal) -> float:
        """Return the volume's score from the values (n,) of its joint map inside the mask.

        It is the summary or, of several, the largest in standard deviations of healthy brains.
        """
        return self._volume_score(self.summary(values, signal))

    def summary(self, values: np.ndarray, signal: Signal) -> np.ndarray:
        """Return one number, or several, by which the joint map (n,) is judged: higher is more unusual."""
        if self.statistic == "combined":
            return combined(values, signal.mask, signal.spacing)
        return np.array([np.percentile(values, self.percentile)])

    def _volume_score(self, summary: np.ndarray) -> float:
        if len(summary) == 1 or self.usual is None:
            return float(summary[0])
        mean, deviation = self.usual
        return float(((summary - mean) / deviation).max())

    def _channels(self, count: int) -> list[str]:
        """Return the modality of each channel."""
        return self.modalities * (count // len(self.modalities))

    def _by_modality(self, maps: np.ndarray) -> np.ndarray:
        return maps.reshape(-1, len(self.modalities), *maps.shape[1:]).mean(axis=0)

    def _by_model(self, maps: np.ndarray) -> list[np.ndarray]:
        """Split (N, M·C, …) into M arrays (N, C, …)."""
        return np.split(maps, maps.shape[1] // len(self.modalities), axis=1)

    def expected(self, signal: Signal) -> np.ndarray:
        """Return what is subtracted from a signal at the voxels of its mask, (C, n): what healthy brains show there."""
        expected: np.ndarray = np.zeros(1, np.float32)
        if self.subspaces:
            expected = signal.closest(self.subspaces, lambda: self._fitted(self.subspaces, signal.framed(self.frame)))
        return expected if self.reference is None else expected + signal.normal(self.reference)[0]

    def coordinates(self, signal: Signal) -> tuple[np.ndarray, np.ndarray]:
        """Return the coordinates (k,) of a brain in the space of the first model, and their healthy deviation."""
        framed, space = signal.framed(self.frame), self.subspaces[0]
        return space.coordinates(framed.maps[: len(self.modalities)], framed.mask), space.deviation

    def _compared(self, signal: Signal) -> np.ndarray:
        if self.reference is None:
            return signal.values
        _, spread = signal.normal(self.reference)
        scale = np.maximum(spread * self.reference.factor(signal.group), 1e-6)
        return (signal.values - self.expected(signal)) / scale

    def _fitted(self, subspaces: list[HealthySubspace], brain: Framed) -> np.ndarray:
        """Return the closest healthy brain of each model, (M·C, *frame)."""
        parts = self._by_model(brain.maps[None])
        return np.concatenate(
            [space.expected(part[0], brain.mask) for space, part in zip(subspaces, parts, strict=True)]
        )

    def _fit(self, healthy: HealthyBrains) -> list[HealthySubspace]:
        maps, masks = _stacked(healthy)
        return [HealthySubspace.fit(part, masks, self.components) for part in self._by_model(maps)]

    def _left(self, healthy: HealthyBrains) -> tuple[list[list[HealthySubspace]], list[Framed]]:
        """Return for each brain the spaces of others, by model, and what they leave of it; or itself."""
        if not self.components:
            return [], healthy.brains

        def leave() -> tuple[list[list[HealthySubspace]], list[Framed]]:
            maps, masks = _stacked(healthy)
            of_models = [left_out(part, masks, self.components) for part in self._by_model(maps)]
            spaces = [list(each) for each in zip(*of_models, strict=True)]
            pairs = zip(healthy.brains, spaces, strict=True)
            return spaces, [replace(one, maps=one.maps - self._fitted(each, one)) for one, each in pairs]

        return healthy.made("left", self.components, leave)

    def _refer(self, healthy: HealthyBrains, without: Sequence[int]) -> None:
        """Fit the reference to all healthy brains but some."""
        settings = (self.components, self.shrinkage, self.weighted)
        self.reference = healthy.made(
            ("reference", *settings), list(without), lambda: self._statistics(healthy, without)
        )
        covariance, width = self.reference.covariance, len(self.modalities)
        if covariance is not None:
            models = range(0, len(covariance), width)
            blocks = [covariance[first : first + width, first : first + width] for first in models]
            each = [channel_weights(block, self.modalities, self.sign) for block in blocks]
            self.weights = np.concatenate(each) / len(each)

    def _statistics(self, healthy: HealthyBrains, without: Sequence[int]) -> HealthyReference:
        others = [one for number, one in enumerate(self._left(healthy)[1]) if number not in without]
        maps, masks = _stacked(others)
        return HealthyReference.fit(
            maps,
            masks,
            [one.group for one in others],
            shrinkage=self.shrinkage,
            # Fewer, so that a group has a separate factor here exactly when it has one in the final fit.
            smallest=SMALLEST_GROUP - len(without),
            covariance=self.weighted,
        )

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the fitted state: arrays for an ``.npz`` and plain values for JSON."""
        known = self.calibration
        arrays = {"scores": known.scores, "masses": known.masses, "voxel_quantiles": known.voxel_quantiles}
        if len(known.folds):
            arrays["folds"] = known.folds
        values: dict[str, Any] = {"voxel_threshold": self.calibration.voxel_threshold, "factors": {}}
        if self.reference is not None:
            arrays |= {"mean": self.reference.mean, "spread": self.reference.spread}
            values["factors"] = self.reference.factors
        if self.usual is not None:
            arrays["usual"] = self.usual
        if self.weights is not None:
            arrays["weights"] = self.weights
        for number, space in enumerate(self.subspaces):
            arrays |= {f"subspace{number}.{name}": value for name, value in vars(space).items()}
        return arrays, values

    def restore(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> "Scorer":
        """Restore a stored state and return self."""
        self.calibration = Calibration(
            arrays["scores"],
            float(values["voxel_threshold"]),
            arrays.get("masses", np.empty(0)),
            arrays.get("voxel_quantiles", np.empty(0)),
            arrays.get("folds", np.empty(0, int)),
        )
        self.usual = arrays.get("usual")
        if self.compare:
            self.reference = HealthyReference(arrays["mean"], arrays["spread"], values["factors"])
            self.weights = arrays.get("weights")
        if self.components:
            count = sum(name.startswith("subspace") and name.endswith(".mean") for name in arrays)
            self.subspaces = [
                HealthySubspace(
                    **{field.name: arrays[f"subspace{number}.{field.name}"] for field in fields(HealthySubspace)}
                )
                for number in range(count)
            ]
        return self


def _stacked(healthy: Sequence[Framed]) -> tuple[np.ndarray, np.ndarray]:
    """Return maps (N, C, *frame) and masks (N, *frame)."""
    return np.stack([one.maps for one in healthy]), np.stack([one.mask for one in healthy])
