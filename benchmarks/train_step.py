"""Time of a training step by precision and memory format, and the speed-up of each variant over plain fp32.

Shows whether `trainer.precision`, `trainer.channels_last` and `trainer.compile` help on this machine. All variants are
timed in turn in every round, so that a slowdown of the machine affects all of them.
"""

import argparse
import json
import statistics
import time

import torch

from brain_cae.models.autoencoder import ConvolutionalAutoencoder

SHAPES = [(72, 88, 40), (56, 80, 64)]
VARIANTS = {
    "fp32": {},
    "bf16": {"bf16": True},
    "fp32_channels_last": {"channels_last": True},
    "bf16_channels_last": {"bf16": True, "channels_last": True},
    "bf16_compiled": {"bf16": True, "compiled": True},
}


class Step:
    """A network with its optimiser; a call is one training step on a batch (N, 2, X, Y, Z)."""

    def __init__(self, *, bf16: bool = False, channels_last: bool = False, compiled: bool = False) -> None:
        torch.manual_seed(0)
        self.network: torch.nn.Module = ConvolutionalAutoencoder(2)
        self.format = torch.channels_last_3d if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.format)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), 1e-3)
        self.bf16 = bf16
        if compiled:
            self.network = torch.compile(self.network, dynamic=False)

    def __call__(self, volumes: torch.Tensor) -> None:
        volumes = volumes.to(memory_format=self.format)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            output = self.network(volumes)
        (output.float() - volumes).abs().mean().backward()
        self.optimiser.step()
        self.optimiser.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--compile", action="store_true", help="also time torch.compile (half a minute for each shape)")
    arguments = parser.parse_args()
    names = [name for name in VARIANTS if arguments.compile or "compiled" not in name]
    figures: dict[str, float] = {}
    ratios: dict[str, list[float]] = {name: [] for name in names if name != "fp32"}
    print(f"{'shape':>12}  " + "  ".join(f"{name:>18}" for name in names) + "   (s per volume)")
    for shape in SHAPES:
        # New networks for each shape, since a compiled network would be recompiled for the second shape.
        steps = {name: Step(**VARIANTS[name]) for name in names}
        volumes = torch.rand(arguments.batch, 2, *shape)
        for step in steps.values():
            step(volumes)
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(arguments.rounds):
            for name, step in steps.items():
                start = time.perf_counter()
                step(volumes)
                times[name].append((time.perf_counter() - start) / arguments.batch)
        for name in ratios:
            pairs = zip(times["fp32"], times[name], strict=True)
            ratios[name].append(statistics.median(plain / variant for plain, variant in pairs))
        label = "x".join(map(str, shape))
        figures |= {f"{label}.{name}": round(statistics.median(times[name]), 4) for name in names}
        print(f"{label:>12}  " + "  ".join(f"{statistics.median(times[name]):>18.4f}" for name in names))
    result = {f"{name}_vs_fp32": round(statistics.mean(values), 2) for name, values in ratios.items()}
    print(json.dumps({"name": "train_step", "ratios": result, "figures": figures}))


if __name__ == "__main__":
    main()
