"""Batches of equal shape: every subject once per epoch, batches and their members reshuffled each epoch."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
from monai.data import DataLoader
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
        endless: Whether iteration goes on with the next epochs, for :class:`ContinuedLoader`.
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
        endless: bool = False,
    ) -> None:
        self.groups = list(groups)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.endless = endless
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
        for epoch in count(self.epoch) if self.endless else [self.epoch]:
            batches = self._batches(epoch)
            missing = len(self) * self.world_size - len(batches)
            # Cycle: with more than twice as many processes as batches, one pass would leave some processes without any.
            batches += [batches[number % len(batches)] for number in range(missing)]
            yield from batches[self.rank :: self.world_size]

    def _batches(self, epoch: int) -> list[list[int]]:
        generator = np.random.default_rng([self.seed, epoch])
        batches: list[list[int]] = []
        for name in sorted(set(self.groups)):
            members = np.flatnonzero([group == name for group in self.groups])
            if self.shuffle:
                members = generator.permutation(members)
            batches += [members[i : i + self.batch_size].tolist() for i in range(0, len(members), self.batch_size)]
        if self.shuffle:
            batches = [batches[i] for i in generator.permutation(len(batches))]
        return batches


class ContinuedLoader(DataLoader):
    """Loads the first batches of an epoch while the network works on the last ones of the epoch before.

    The processes of a plain loader do nothing between two epochs, and each epoch begins with waiting for a whole batch.

    Args:
        dataset: Items.
        batch_sampler: Batches of one epoch after the other: an endless sampler.
        arguments: Of a loader with at least one process.
    """

    def __init__(self, dataset: Any, batch_sampler: GroupedBatchSampler, **arguments: Any) -> None:
        super().__init__(dataset, batch_sampler=batch_sampler, persistent_workers=True, **arguments)
        self._order, self._coming = batch_sampler, -1

    def __iter__(self) -> Any:
        """Yield the batches of the epoch that the sampler is set to."""
        epoch, batches = self._order.epoch, self._iterator
        # Begun anew after an epoch that was left early or out of turn, and where Lightning has ended the processes.
        if batches is None or self._coming != epoch:
            batches = super().__iter__()
        self._coming = -1
        for missing in range(len(self), 0, -1):
            batch = next(batches)
            if missing == 1:
                self._coming = epoch + 1
            yield batch
