"""The LightningDataModule: prepared subjects, reshaped to the shape of their group, in batches."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from monai.data import DataLoader
from torch.utils.data import Dataset

from brain_cae.data.batches import GroupedBatchSampler
from brain_cae.data.preprocess import PreparedSubject
from brain_cae.reshape import Reshape
from brain_cae.reshape.measures import network_spacing
from brain_cae.reshape.network import to_network


class NetworkVolumes(Dataset):
    """Dataset of network inputs as plain tensors; each is computed once.

    Args:
        subjects: Prepared subjects.
        reshape: Fitted reshape strategy.
        stride: Total stride of the network.
    """

    def __init__(self, subjects: list[PreparedSubject], reshape: Reshape, stride: int) -> None:
        self.subjects = subjects
        self.stride = stride
        self.groups = [reshape.group(subject.grid) for subject in subjects]
        self._ready: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.subjects)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return ``volume`` (C, X, Y, Z), ``mask`` (1, X, Y, Z) of 0 and 1, ``subject``, ``spacing`` (3,) in mm."""
        if number not in self._ready:
            subject, group = self.subjects[number], self.groups[number]
            volume = to_network(torch.from_numpy(np.asarray(subject.volume)), group, self.stride)
            mask = to_network(torch.from_numpy(subject.mask[None].astype(np.float32)), group, self.stride)
            spacing = network_spacing(subject.native_shape, group.size, subject.spacing)
            self._ready[number] = {
                "volume": volume,
                "mask": (mask > 0.5).float(),
                "subject": subject.subject,
                "spacing": torch.from_numpy(spacing.astype(np.float32)),
            }
        return self._ready[number]


class BrainData(pl.LightningDataModule):
    """Healthy brains for training and validation.

    Args:
        train: Subjects for training.
        validation: Healthy subjects for early stopping, later also for calibration.
        reshape: Reshape strategy, fitted on ``train``.
        stride: Total stride of the network.
        batch_size: Volumes per batch.
        workers: Processes that load batches.
        seed: Seed of the shuffling.
    """

    def __init__(
        self,
        train: list[PreparedSubject],
        validation: list[PreparedSubject],
        reshape: Reshape,
        *,
        stride: int,
        batch_size: int,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.train = NetworkVolumes(train, reshape, stride)
        self.validation = NetworkVolumes(validation, reshape, stride)
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed

    def train_dataloader(self) -> DataLoader:
        """Return shuffled batches; all volumes of a batch have one shape."""
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader:
        """Return batches in a fixed order; all volumes of a batch have one shape."""
        return self._loader(self.validation, shuffle=False)

    def _loader(self, volumes: NetworkVolumes, *, shuffle: bool) -> DataLoader:
        # Every process evaluates all validation brains: distributed among them, some would be repeated and count twice.
        trainer = self.trainer if shuffle else None
        sampler = GroupedBatchSampler(
            ["x".join(map(str, group.target)) for group in volumes.groups],
            batch_size=self.batch_size,
            shuffle=shuffle,
            seed=self.seed,
            rank=trainer.global_rank if trainer else 0,
            world_size=trainer.world_size if trainer else 1,
        )
        return DataLoader(
            volumes,
            batch_sampler=sampler,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )
