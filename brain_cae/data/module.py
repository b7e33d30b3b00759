"""The LightningDataModule: prepared subjects, reshaped to the shape of their group, in batches."""

import logging
import math
from functools import cached_property
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from monai.data import DataLoader
from torch.utils.data import Dataset

from brain_cae.data.batches import ContinuedLoader, GroupedBatchSampler
from brain_cae.data.subject import PreparedSubject
from brain_cae.reshape import Reshape
from brain_cae.reshape.measures import network_spacing
from brain_cae.reshape.network import network_shape, to_network

log = logging.getLogger(__name__)

KEPT_BYTES = 256 * 2**20
"""Network inputs are kept in memory if all of them are smaller than this; larger sets are read anew in each epoch."""


class NetworkVolumes(Dataset):
    """Dataset of network inputs as plain tensors.

    Small sets are computed once and kept. Of larger ones nothing is kept, so memory does not grow with the number of
    subjects; their files stay in the operating system's cache as long as free memory lasts.

    Args:
        subjects: Prepared subjects.
        reshape: Fitted reshape strategy.
        stride: Total stride of the network.
    """

    def __init__(self, subjects: list[PreparedSubject], reshape: Reshape, stride: int) -> None:
        self.subjects = subjects
        self.stride = stride
        self.groups = [reshape.group(subject.grid) for subject in subjects]
        self._kept: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.subjects)

    @property
    def fits(self) -> bool:
        """Whether all inputs together are small enough to be kept."""
        return self.estimate <= KEPT_BYTES

    @cached_property
    def estimate(self) -> int:
        """Bytes of all inputs together."""
        channels = len(self.subjects[0].volume) + 1 if self.subjects else 0
        return 4 * channels * sum(math.prod(network_shape(group, self.stride)) for group in self.groups)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return ``volume`` (C, X, Y, Z), ``mask`` (1, X, Y, Z) of 0 and 1, ``subject``, ``spacing`` (3,) in mm."""
        if not self.fits:
            return self._input(number)
        if number not in self._kept:
            self._kept[number] = self._input(number)
        return self._kept[number]

    def _input(self, number: int) -> dict[str, Any]:
        subject, group = self.subjects[number], self.groups[number]
        native, start = subject.native_shape, subject.start
        volume, mask = (
            to_network(torch.from_numpy(array), group, self.stride, native=native, start=start)
            for array in (subject.volume, subject.mask[None])
        )
        spacing = network_spacing(native, group.size, subject.spacing)
        return {
            "volume": volume,
            "mask": (mask > 0.5).float(),
            "subject": subject.subject,
            "spacing": torch.from_numpy(spacing.astype(np.float32)),
        }


class BrainData(pl.LightningDataModule):
    """Healthy brains for training.

    Args:
        train: Subjects for training.
        reshape: Reshape strategy, fitted on ``train``.
        stride: Total stride of the network.
        batch_size: Volumes per batch.
        workers: Processes that load batches; with 0, sets that are too large to be kept have one.
        seed: Seed of the shuffling.
    """

    def __init__(
        self,
        train: list[PreparedSubject],
        reshape: Reshape,
        *,
        stride: int,
        batch_size: int,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.train = NetworkVolumes(train, reshape, stride)
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        kept = "kept in memory" if self.train.fits else "read from disk in each epoch"
        log.info("training: %d volumes of %.0f MB in all, %s", len(train), self.train.estimate / 2**20, kept)

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches; all volumes of a batch have one shape."""
        volumes, trainer = self.train, self.trainer
        # What is not kept is read by another process, while the network works on the batch before.
        workers = self.workers or (0 if volumes.fits else 1)
        sampler = GroupedBatchSampler(
            ["x".join(map(str, group.target)) for group in volumes.groups],
            batch_size=self.batch_size,
            shuffle=True,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
            endless=workers > 0,
        )
        pinned = torch.cuda.is_available()
        if workers == 0:
            return DataLoader(volumes, batch_sampler=sampler, num_workers=0, pin_memory=pinned)
        # One batch ahead is enough where reading takes a fraction of a step, and large batches are large.
        ahead = 2 if volumes.fits else 1
        return ContinuedLoader(volumes, sampler, num_workers=workers, prefetch_factor=ahead, pin_memory=pinned)
