"""What a GPU makes of the networks, in under 8 minutes on an H100 or H200; with --tiny, or without a GPU, in seconds.

Brains of full size are made on the spot. For each network, on the box around a brain and on the full grid:

- the step alone, on a batch that is already on the device, with cuDNN's deterministic algorithms (as a training has
  them) and with the fastest ones, in both memory formats; share of the peak (a measured bf16 matrix product) of the
  convolutions while they run, and of the whole step;
- a training of several epochs by Lightning in bfloat16, with loader, corruption and schedule: volumes per second, share
  of the time between two steps (fetching a batch, moving it to the device), peak memory, losses;
- the forward pass of scoring, brain by brain, in single precision as in an evaluation and in bfloat16;
- the difference between the outputs of this device and the CPU's in single precision.

The last line is one JSON object.
"""

import argparse
import json
import logging
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from brain_cae.models.autoencoder import ConvolutionalAutoencoder
from brain_cae.models.lightning import HealthyAutoencoder
from brain_cae.models.loss import masked_error
from brain_cae.models.subpixel import SubpixelAutoencoder

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
NETWORKS: dict[str, Callable[[], torch.nn.Module]] = {
    "cae": lambda: ConvolutionalAutoencoder(2, latent_channels=8),
    "subpixel": lambda: SubpixelAutoencoder(2, latent_channels=8),
}
SHAPES = {"tiny": (32, 40, 32), "box": (144, 176, 144), "full_grid": (240, 240, 160)}
SETTINGS = {
    f"{algorithm}{'_channels_last' * last}": (algorithm == "autotuned", last)
    for algorithm in ("deterministic", "autotuned")
    for last in (False, True)
}
"""Settings of a step: whether cuDNN takes its fastest algorithms, and whether the memory format is channels-last."""


def make_brains(number: int, shape: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Return items as the loader of a training gives them: smooth brains of two modalities in an ellipsoid."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.meshgrid(*[torch.linspace(-1, 1, size) for size in shape], indexing="ij")
    mask = (sum(axis**2 for axis in axes) < 0.9).float()[None]
    anatomy = torch.rand(1, 2, 8, 8, 8, generator=generator)
    brains = []
    for index in range(number):
        coarse = (anatomy + 0.2 * torch.rand(1, 2, 8, 8, 8, generator=generator)).to(DEVICE)
        volume = functional.interpolate(coarse, size=shape, mode="trilinear", align_corners=False)[0].cpu()
        brains.append({"volume": volume * mask, "mask": mask, "subject": f"s{index}"})
    return brains


def finish() -> float:
    """Wait for the device and return the time in seconds."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def seconds_of(call: Callable[[], Any], repeats: int) -> float:
    """Return the median time of a call, after a first one that chooses kernels."""
    call()
    times = []
    for _ in range(repeats):
        start = finish()
        call()
        times.append(finish() - start)
    return statistics.median(times)


def matmul_rate(size: int, repeats: int) -> float:
    """Return the FLOP/s of a product of two square bf16 matrices."""
    a, b = torch.rand(2, size, size, device=DEVICE).to(torch.bfloat16)
    return 2 * size**3 / seconds_of(lambda: a @ b, repeats)


@contextmanager
def cudnn(autotuned: bool) -> Iterator[None]:
    """Let cuDNN time its algorithms and take the fastest, or take deterministic ones."""
    with torch.backends.cudnn.flags(enabled=True, benchmark=autotuned, deterministic=not autotuned, allow_tf32=True):
        yield


def convolution_seconds(step: Callable[[], Any]) -> float:
    """Return the time of the convolutions of a step, forward and backward pass, with their changes of layout."""
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if DEVICE.type == "cuda" else [])]
    with profile(activities=activities) as recorded:
        step()
        finish()
    operations = {event.key: event for event in recorded.key_averages()}
    total = "device_time_total" if DEVICE.type == "cuda" else "cpu_time_total"
    return sum(getattr(operations[f"aten::{name}"], total) for name in ("convolution", "convolution_backward")) / 1e6


def measure_steps(
    name: str, brains: list[dict[str, Any]], batch: int, peak: float, repeats: int
) -> dict[str, dict[str, float]]:
    """Return volumes per second and shares of the peak for each of ``SETTINGS``."""
    volumes, masks = (torch.stack([brain[key] for brain in brains[:batch]]).to(DEVICE) for key in ("volume", "mask"))
    results = {}
    for label, (autotuned, last) in SETTINGS.items():
        if DEVICE.type == "cpu" and autotuned:
            continue  # there is no cuDNN
        torch.manual_seed(0)
        layout = torch.channels_last_3d if last else torch.contiguous_format
        network = NETWORKS[name]().to(DEVICE, memory_format=layout)
        optimiser = torch.optim.AdamW(network.parameters(), 1e-3)

        def step(network=network, optimiser=optimiser) -> None:
            with torch.autocast(DEVICE.type, torch.bfloat16):
                output = network(volumes)
            masked_error(output, volumes, masks).backward()
            optimiser.step()
            optimiser.zero_grad()

        with cudnn(autotuned):
            seconds = seconds_of(step, repeats)
            convolving = convolution_seconds(step)
            with FlopCounterMode(display=False) as counter:
                step()
        flops = counter.get_total_flops()
        results[label] = {
            "volumes_per_s": round(len(volumes) / seconds, 2),
            "gflop_per_volume": round(flops / len(volumes) / 1e9, 2),
            "convolutions_of_peak": round(flops / convolving / peak, 4),
            "step_of_peak": round(flops / seconds / peak, 4),
        }
    return results


class Meter(pl.Callback):
    """Seconds and loss of each epoch, and the seconds between two steps."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.waited: list[float] = []
        self.losses: list[float] = []

    def on_train_epoch_start(self, *_: Any) -> None:
        self._start = self._last = finish()
        self.waited.append(0.0)

    def on_train_batch_start(self, *_: Any) -> None:
        self.waited[-1] += time.perf_counter() - self._last

    def on_train_batch_end(self, *_: Any) -> None:
        self._last = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.seconds.append(finish() - self._start)
        self.losses.append(float(trainer.callback_metrics["train/loss"]))


def train(name: str, brains: list[dict[str, Any]], *, batch: int, epochs: int, workers: int) -> dict[str, Any]:
    """Train as the program does on such a device, and return what the epochs after the first cost."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    if DEVICE.type == "cuda":
        network.to(memory_format=torch.channels_last_3d)  # as trainer=gpu
        torch.cuda.reset_peak_memory_stats()
    loader = DataLoader(
        brains,  # type: ignore[arg-type]
        batch_size=batch,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=DEVICE.type == "cuda",
    )
    meter = Meter()
    trainer = pl.Trainer(
        accelerator=DEVICE.type,
        devices=1,
        precision="bf16-mixed",
        max_epochs=epochs,
        callbacks=[meter],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0,
    )
    with cudnn(False):
        trainer.fit(HealthyAutoencoder(network, learning_rate=2e-3, corruption=0.3), loader)
    later = sum(meter.seconds[1:])
    result = {
        "volumes_per_s": round(len(brains) * (epochs - 1) / later, 2),
        "data_wait_share": round(sum(meter.waited[1:]) / later, 4),
        "losses": [round(loss, 5) for loss in meter.losses],
        "stable": all(map(math.isfinite, meter.losses)) and meter.losses[-1] < 0.8 * meter.losses[0],
    }
    if DEVICE.type == "cuda":
        result["peak_memory_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    else:
        import resource

        result["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # of the process so far
    return result


@torch.inference_mode()
def score(name: str, brains: list[dict[str, Any]], repeats: int) -> dict[str, float]:
    """Return brains per second of the forward pass, and the difference from the CPU's outputs in units of their SD.

    Single precision is as cuDNN has it by default: products of convolutions in TF32.
    """
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    volume = brains[0]["volume"][None]
    expected = network(volume)
    network.to(DEVICE)
    there = volume.to(DEVICE)

    def forward(*, half: bool) -> torch.Tensor:
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=half):
            return network(there)

    result = {}
    for label, half in (("fp32", False), ("bf16", True)):
        result[f"{label}_volumes_per_s"] = round(1 / seconds_of(lambda half=half: forward(half=half), repeats), 2)
        difference = (forward(half=half).float().cpu() - expected) / expected.std()
        result[f"{label}_difference_rms"] = round(float(difference.square().mean().sqrt()), 6)
        result[f"{label}_difference_max"] = round(float(difference.abs().max()), 6)
    return result


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="small volumes, to try the script; always without a GPU")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--brains", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=7, help="start no further measurement after this time")
    options = parser.parse_args(arguments)
    shapes, epochs, count, batch, workers, repeats = (
        (["tiny"], 6, 6, 2, 0, 2)
        if options.tiny or DEVICE.type == "cpu"
        else (["box", "full_grid"], options.epochs, options.brains, options.batch, options.workers, 10)
    )
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    start = time.monotonic()
    name = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "cpu"
    peak = matmul_rate(*((8192, 20) if DEVICE.type == "cuda" else (1024, 3)))
    figures: dict[str, Any] = {"device": name, "torch": torch.__version__, "matmul_tflops": round(peak / 1e12, 3)}
    left_out: list[str] = []
    print(f"{name}, PyTorch {torch.__version__}: bf16 matrix product {peak / 1e12:.3g} TFLOP/s", flush=True)
    for shape in shapes:
        brains = make_brains(count, SHAPES[shape])
        for network in NETWORKS:
            parts: dict[str, Callable[[], dict[str, Any]]] = {
                "step": lambda network=network, brains=brains: measure_steps(network, brains, batch, peak, repeats),
                "training": lambda network=network, brains=brains: train(
                    network, brains, batch=batch, epochs=epochs, workers=workers
                ),
                "scoring": lambda network=network, brains=brains: score(network, brains, repeats),
            }
            for part, run in parts.items():
                key = f"{shape}.{network}.{part}"
                if time.monotonic() - start > 60 * options.minutes:
                    left_out.append(key)
                    continue
                figures[key] = run()
                print(f"{time.monotonic() - start:4.0f} s  {key}: {json.dumps(figures[key])}", flush=True)
    ratios = {}
    for shape in shapes:
        pair = [figures.get(f"{shape}.{network}.step") for network in ("subpixel", "cae")]
        if all(pair):
            new, old = (max(setting["volumes_per_s"] for setting in steps.values()) for steps in pair)
            ratios[f"{shape}.subpixel_vs_cae"] = round(new / old, 2)
    figures["seconds"] = round(time.monotonic() - start, 1)
    print(json.dumps({"name": "gpu", "ratios": ratios, "figures": figures, "left_out": left_out}))


if __name__ == "__main__":
    main()
