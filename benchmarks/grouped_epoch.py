"""Does mixing groups of different shapes in one epoch cost time?

Compares an epoch over 8 groups of volumes, each with a different shape, with the sum of the epochs over each group
alone, with the batches and the network of the package. Both are timed in turn in every round, and the fastest rounds
are compared, since other processes can only slow a round down. Target: at most 1.05 times the sum, a ratio of at least
0.952.
"""

import argparse
import json
import time

import numpy as np
import torch

from brain_cae.data.module import BrainData
from brain_cae.data.subject import PreparedSubject
from brain_cae.models.autoencoder import ConvolutionalAutoencoder
from brain_cae.reshape import Clustered

SHAPES = [
    (64, 80, 24), (24, 64, 80), (64, 24, 80), (80, 96, 32), (32, 80, 96), (80, 32, 96), (48, 64, 48), (96, 96, 16),
]  # fmt: skip


def make_subject(number: int, shape: tuple[int, int, int]) -> PreparedSubject:
    """Return a subject of noise; the time of a step does not depend on the content of the volume."""
    volume = np.random.default_rng(number).random((2, *shape), dtype=np.float32)
    return PreparedSubject(
        subject=f"s{number}",
        volume=volume,
        mask=np.ones(shape, bool),
        affine=np.eye(4),
        lesion=None,
        source_affine=np.eye(4),
        source_shape=shape,
    )


class Epoch:
    """A network with its training subjects; a call trains for one epoch and returns the seconds it took."""

    def __init__(self, subjects: list[PreparedSubject], batch: int) -> None:
        torch.manual_seed(0)
        self.network = ConvolutionalAutoencoder(2)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), 1e-3)
        reshape = Clustered(tolerance=0.05).fit([subject.grid for subject in subjects])
        self.groups = len(reshape.groups())
        data = BrainData(subjects, subjects[:1], reshape, stride=8, batch_size=batch)
        self.loader = data.train_dataloader()

    def __call__(self) -> float:
        start = time.perf_counter()
        for batch in self.loader:
            volumes = batch["volume"]
            (self.network(volumes) - volumes).abs().mean().backward()
            self.optimiser.step()
            self.optimiser.zero_grad()
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--members", type=int, default=6, help="volumes in each group")
    parser.add_argument("--batch", type=int, default=4)
    arguments = parser.parse_args()
    subjects = [make_subject(number, shape) for number, shape in enumerate(SHAPES * arguments.members)]
    together = Epoch(subjects, arguments.batch)
    alone = [Epoch(subjects[number :: len(SHAPES)], arguments.batch) for number in range(len(SHAPES))]
    assert together.groups == len(SHAPES)
    for epoch in (together, *alone):
        epoch()  # warm-up: reshapes the volumes, and lets the libraries choose their kernels
    mixed, single = [], []
    for _ in range(arguments.rounds):
        mixed.append(together())
        single.append(sum(epoch() for epoch in alone))
    ratio = min(single) / min(mixed)
    print(f"epoch over {len(SHAPES)} groups: {min(mixed):.3f} s")
    print(f"sum of the epochs over each:  {min(single):.3f} s")
    print(f"ratio {ratio:.3f}: one epoch takes {1 / ratio:.3f} times the sum (target: at most 1.05)")
    figures = {"mixed_s": round(min(mixed), 4), "alone_s": round(min(single), 4)}
    ratios = {"vs_each_group_alone": round(ratio, 3)}
    print(json.dumps({"name": "grouped_epoch", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
