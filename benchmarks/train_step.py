"""Time of a training step of one brain: MONAI's AutoEncoder as it comes, `model=strided` and `model=cae`.

Each network runs in single precision and bfloat16, in both memory formats, on the box around a brain and on the full
grid of the scan, where nothing is cropped. All variants are timed in turn in every round, and ratios are the median
over rounds, so that a slowdown of the machine affects all of them. Every side has the same loss, optimiser and
allocator. The share of peak is that of the FLOPs of the convolutions in the measured matrix product of that precision.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from monai.networks.nets import AutoEncoder
from torch.utils.flop_counter import FlopCounterMode

from brain_cae.executor.allocator import keep_freed_memory
from brain_cae.models.autoencoder import ConvolutionalAutoencoder
from brain_cae.models.loss import masked_error
from brain_cae.models.subpixel import SubpixelAutoencoder

SHAPES = {
    "tiny": (32, 40, 32),
    "box": (144, 176, 144),
    "full_grid": (240, 240, 160),  # 240 x 240 x 155, padded to the stride
}
NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    "stock": lambda: AutoEncoder(3, 2, 2, channels=(16, 32, 64, 128), strides=(2, 2, 2, 1)),
    "strided": lambda: ConvolutionalAutoencoder(2, latent_channels=8),
    "cae": lambda: SubpixelAutoencoder(2, latent_channels=8),
}
VARIANTS = {
    "fp32": {},
    "bf16": {"bf16": True},
    "fp32_channels_last": {"channels_last": True},
    "bf16_channels_last": {"bf16": True, "channels_last": True},
    "bf16_compiled": {"bf16": True, "compiled": True},
}


class Step:
    """A network with its optimiser; a call is one training step on a batch (N, 2, X, Y, Z)."""

    def __init__(
        self, network: str, *, bf16: bool = False, channels_last: bool = False, compiled: bool = False
    ) -> None:
        torch.manual_seed(0)
        self.network = NETWORKS[network]()
        self.format = torch.channels_last_3d if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.format)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), 1e-3)
        self.bf16 = bf16
        if compiled:
            self.network = torch.compile(self.network, dynamic=False)

    def __call__(self, volumes: torch.Tensor, mask: torch.Tensor) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bf16):
            output = self.network(volumes.to(memory_format=self.format))
        masked_error(output, volumes, mask).backward()
        self.optimiser.step()
        self.optimiser.zero_grad()


def matmul_rate(dtype: torch.dtype, clock: Callable[[], float], size: int = 2048) -> float:
    """Return the FLOP/s of a product of two square matrices, the best of three."""
    a, b = torch.rand(2, size, size).to(dtype)
    seconds = []
    for _ in range(3):
        start = clock()
        a @ b
        seconds.append(clock() - start)
    return 2 * size**3 / min(seconds)


def count_flops(network: str, volumes: torch.Tensor, mask: torch.Tensor) -> int:
    """Return the FLOPs of the convolutions of one step, forward and backward pass."""
    with FlopCounterMode(display=False) as counter:
        Step(network)(volumes, mask)
    return counter.get_total_flops()


def measure(
    shape: tuple[int, int, int], variants: list[str], *, rounds: int, batch: int, clock: Callable[[], float]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return the seconds of each step, and the FLOP/s of a matrix product of each precision, by round."""
    # New networks for each shape, since a compiled network would be recompiled for the second shape.
    steps = {(network, name): Step(network, **VARIANTS[name]) for network in NETWORKS for name in variants}
    volumes, mask = torch.rand(batch, 2, *shape), torch.ones(batch, 1, *shape)
    for step in steps.values():
        step(volumes, mask)
    seconds: dict[str, list[float]] = {f"{network}.{name}": [] for network, name in steps}
    peak: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for _ in range(rounds):
        peak["fp32"].append(matmul_rate(torch.float32, clock))
        peak["bf16"].append(matmul_rate(torch.bfloat16, clock))
        for (network, name), step in steps.items():
            start = clock()
            step(volumes, mask)
            seconds[f"{network}.{name}"].append(clock() - start)
    return seconds, peak


def ratio(slow: list[float], fast: list[float]) -> float:
    """Return how many times faster the second is, paired by round."""
    return round(statistics.median(a / b for a, b in zip(slow, fast, strict=True)), 2)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["box", "full_grid"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--compile", action="store_true", help="also time torch.compile (half a minute for each shape)")
    parser.add_argument(
        "--keep-freed-memory", action="store_true", help="all sides with the allocator's settings of a training"
    )
    parser.add_argument("--cpu-time", action="store_true", help="count the CPU's time: for a machine that is busy")
    options = parser.parse_args(arguments)
    if options.keep_freed_memory and not keep_freed_memory():
        parser.error("this C library, or the environment, does not allow --keep-freed-memory")
    clock = time.process_time if options.cpu_time else time.perf_counter
    names = [name for name in VARIANTS if options.compile or "compiled" not in name]
    ratios: dict[str, float] = {}
    figures: dict[str, float] = {"threads": torch.get_num_threads()}
    for label in options.shapes:
        shape = SHAPES[label]
        seconds, peak = measure(shape, names, rounds=options.rounds, batch=options.batch, clock=clock)
        fastest = {
            network: min((f"{network}.{name}" for name in names), key=lambda key: statistics.median(seconds[key]))
            for network in NETWORKS
        }
        small = torch.rand(options.batch, 2, *shape), torch.ones(options.batch, 1, *shape)
        flops = {network: count_flops(network, *small) for network in NETWORKS}
        rates = {precision: statistics.median(values) for precision, values in peak.items()}
        print(f"\n{label} {'x'.join(map(str, shape))}, batch {options.batch};", end=" ")
        print(f"matrix product {rates['fp32'] / 1e9:.0f} GFLOP/s fp32, {rates['bf16'] / 1e9:.0f} bf16")
        print(f"{'':>28}  s a step   GFLOP  of peak  vs stock fp32  vs stock's fastest")
        for key, values in seconds.items():
            network, name = key.split(".")
            median = statistics.median(values)
            share = flops[network] / median / rates[name[:4]]
            against, best = ratio(seconds["stock.fp32"], values), ratio(seconds[fastest["stock"]], values)
            print(f"{key:>28}  {median:8.3f}  {flops[network] / 1e9:6.1f}  {share:7.0%}  {against:13.2f}  {best:18.2f}")
            figures |= {f"{label}.{key}": round(median, 4), f"{label}.{key}.of_peak": round(share, 3)}
            if network != "stock":
                ratios[f"{label}.{key}_vs_stock_fp32"] = against
        figures |= {f"{label}.{network}.gflop": round(count / 1e9, 2) for network, count in flops.items()}
        for network, other in (("strided", "stock"), ("cae", "stock"), ("cae", "strided")):
            ratios[f"{label}.{network}_vs_{other}_fastest"] = ratio(seconds[fastest[other]], seconds[fastest[network]])
    print(json.dumps({"name": "train_step", "ratios": ratios, "figures": figures}))


if __name__ == "__main__":
    main()
