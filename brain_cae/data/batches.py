"""Batches of equal shape: every subject once per epoch, batches and their members reshuffled each epoch."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler


class GroupedBatchSampler(Sampler[list[int]]):
    """Draws batches whose members share one target shape.

    Every process gets the same number of batches, so that none waits for another: the first batches of an epoch are
    repeated at its end, at most one per process.

    Args:
        groups: Group of each item.
        batch_size: Largest number of items in a batch; remainders make smaller batches, nothing is dropped.
        shuffle: Whether the order and the members of batches change from epoch to epoch.
        seed: Seed of the shuffling.
        rank: Rank of this process.
        world_size: Number of processes.
    """

    def __init__(
        self,
        groups: list[str],
        *,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.groups = list(groups)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0

    @property
    def sampler(self) -> "GroupedBatchSampler":
        """This object: Lightning calls ``set_epoch`` only on the ``sampler`` of a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; the same epoch and seed always give the same order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self._count() // self.world_size)

    def _count(self) -> int:
        return sum(-(-self.groups.count(name) // self.batch_size) for name in set(self.groups))

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._batches()
        missing = len(self) * self.world_size - len(batches)
        # Cycle: with more than twice as many processes as batches, one pass would leave some processes without any.
        batches += [batches[number % len(batches)] for number in range(missing)]
        yield from batches[self.rank :: self.world_size]

    def _batches(self) -> list[list[int]]:
        generator = np.random.default_rng([self.seed, self.epoch])
        batches: list[list[int]] = []
        for name in sorted(set(self.groups)):
            members = np.flatnonzero([group == name for group in self.groups])
            if self.shuffle:
                members = generator.permutation(members)
            batches += [members[i : i + self.batch_size].tolist() for i in range(0, len(members), self.batch_size)]
        if self.shuffle:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        return batches
