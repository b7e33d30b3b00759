"""Beside what a reader would write with other packages, on the same prepared brains of phantom cohorts.

- ``monai``: a stock ``monai.networks.nets.AutoEncoder``, trained with Adam on whole brains resized to one shape; the
  score is the mean absolute residual inside the mask, as in many tutorials.
- ``pyod``: detectors of PyOD, each with its defaults, on features of that autoencoder's residuals (mean and
  percentiles of each contrast, and means of 4 x 4 x 4 blocks), fitted on the healthy brains of ``validation``, which
  the network has not seen. PyOD is installed into an environment of its own.
- ``ours``: the default run of ``benchmarks/detection.py --study scores``, which is made if it is missing.

Brains, roles and labels are the same for all. What is finished is kept in ``outputs/peers``; a further call continues.
Run from the project's root: ``python benchmarks/peers.py --seeds 601 602``.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
SHAPE = (64, 80, 64)
DETECTORS = ("ECOD", "COPOD", "IForest", "KNN", "LOF", "OCSVM", "PCA")
EPOCHS, BATCH = 40, 4


def prepared(seed: int, subjects: int) -> tuple[Any, Any, pd.Series]:
    """Prepare a phantom cohort as a run with the default configuration does, from the cache where it can.

    Returns:
        Configuration, cohort, and the role of each subject.
    """
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    from brain_cae.configuration import validate
    from brain_cae.stages.roles import split
    from brain_cae.workflows.training import import_configured, prepare_configured

    with initialize_config_module("conf", version_base=None):
        chosen = ["dataset=phantom", f"dataset.seed={seed}", f"dataset.subjects={subjects}"]
        given = OmegaConf.to_container(compose("train", overrides=chosen), resolve=False)
    assert isinstance(given, dict)
    config = validate(OmegaConf.create({name: value for name, value in given.items() if name != "hydra"}))
    config, cohort = prepare_configured(config, import_configured(config))
    return config, cohort, split(config, cohort).set_index("subject")["role"]


def write_brains(folder: Path, seed: int, subjects: int) -> None:
    """Write the prepared brains of a cohort in one shape."""
    import torch
    from torch.nn import functional

    from brain_cae.arrays.boxes import box_of

    _, cohort, roles = prepared(seed, subjects)
    arrays: dict[str, list] = {name: [] for name in ("volume", "mask", "lesion")}
    for name in roles.index:
        brain = cohort.prepared[name].in_memory()
        box = box_of(brain.mask)
        lesion = brain.lesion if brain.has_lesion and brain.lesion is not None else np.zeros_like(brain.mask)
        stack = torch.from_numpy(np.concatenate([brain.volume, brain.mask[None], lesion[None]]).astype(np.float32))
        resized = functional.interpolate(stack[(slice(None), *box)][None], size=SHAPE, mode="trilinear")[0].numpy()
        arrays["mask"].append(resized[-2] > 0.5)
        arrays["lesion"].append((resized[-1] > 0.5) & arrays["mask"][-1])
        arrays["volume"].append((resized[:-2] * arrays["mask"][-1]).astype(np.float16))
    labels = [cohort.labels[name] for name in roles.index]
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        folder / "brains.npz",
        subject=roles.index.to_numpy(str),
        role=roles.to_numpy(str),
        label=np.array(labels, str),
        **{name: np.stack(values) for name, values in arrays.items()},  # type: ignore[arg-type]
    )


def monai(folder: Path) -> None:
    """Train the stock autoencoder; write its scores, and features of the residuals."""
    import torch
    from monai.networks.nets import AutoEncoder
    from monai.utils import set_determinism
    from sklearn.metrics import average_precision_score

    begin = time.monotonic()
    set_determinism(0)
    brains = np.load(folder / "brains.npz")
    volumes = torch.from_numpy(brains["volume"].astype(np.float32))
    train = volumes[torch.from_numpy(brains["role"] == "train")]
    channels = volumes.shape[1]
    network = AutoEncoder(3, channels, channels, channels=(16, 32, 64), strides=(2, 2, 2))
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(train)).split(BATCH):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(network(train[batch]), train[batch]).backward()
            optimiser.step()
    seconds = time.monotonic() - begin
    network.eval()
    rows, features = [], []
    for number, (name, mask, lesion) in enumerate(
        zip(brains["subject"], brains["mask"], brains["lesion"], strict=True)
    ):
        with torch.inference_mode():
            residual = (volumes[number] - network(volumes[number][None])[0]).numpy()
        error = np.abs(residual).mean(axis=0)
        precision = average_precision_score(lesion[mask], error[mask]) if lesion.any() else np.nan
        rows.append({"subject": name, "score": error[mask].mean(), "average_precision": precision})
        blocks = [
            block[:, inside[0]].mean(axis=1) if inside.any() else np.zeros(channels)
            for block, inside in zip(_blocks(residual), _blocks(mask[None]), strict=True)
        ]
        percentiles = np.percentile(residual[:, mask], [1, 5, 50, 95, 99], axis=1)
        features.append(np.concatenate([np.abs(residual[:, mask]).mean(axis=1), percentiles.ravel(), np.ravel(blocks)]))
    np.save(folder / "features.npy", np.stack(features))
    pd.DataFrame(rows).assign(seconds=seconds).to_csv(folder / "monai.csv", index=False)


def _blocks(maps: np.ndarray) -> list[np.ndarray]:
    """Cut (C, X, Y, Z) into 4 x 4 x 4 blocks."""
    parts = [maps]
    for axis in (1, 2, 3):
        parts = [piece for part in parts for piece in np.array_split(part, 4, axis=axis)]
    return parts


def pyod(folder: Path) -> None:
    """Fit the detectors of PyOD on features of healthy brains that the network has not seen; write their scores."""
    from importlib import import_module

    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

    brains, features = np.load(folder / "brains.npz"), np.load(folder / "features.npy")
    healthy = features[brains["role"] == "validation"]
    scale = StandardScaler().fit(healthy)
    table = pd.DataFrame({"subject": brains["subject"]})
    for name in DETECTORS:
        begin = time.monotonic()
        detector = getattr(import_module(f"pyod.models.{name.lower()}"), name)()
        detector.fit(scale.transform(healthy))
        table[name] = detector.decision_function(scale.transform(features))
        table[f"seconds.{name}"] = time.monotonic() - begin
    table.to_csv(folder / "pyod.csv", index=False)


def python_with_pyod(folder: Path) -> str:
    """Return the Python of an environment with PyOD, which is made once; its numbers come with it."""
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "pyod>=2", "pandas"], check=True)
        (folder / "ready").touch()
    return str(python)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what is missing, and print the table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=(601, 602), help="of the cohorts (%(default)s)")
    parser.add_argument("--subjects", type=int, default=240, help="in each cohort (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs", help="(%(default)s)")
    parser.add_argument("--peer", choices=("monai", "pyod"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.peer:
        (monai if chosen.peer == "monai" else pyod)(chosen.out)
        return
    out = chosen.out.resolve()
    for seed in chosen.seeds:
        folder = out / "peers" / str(chosen.subjects) / str(seed)
        if not (folder / "brains.npz").exists():
            write_brains(folder, seed, chosen.subjects)
        for peer in ("monai", "pyod"):
            if not (folder / f"{peer}.csv").exists():
                python = sys.executable if peer == "monai" else python_with_pyod(out / "peers" / "pyod")
                subprocess.run([python, str(Path(__file__)), "--peer", peer, "--out", str(folder)], check=True)
    report(out, chosen.seeds, chosen.subjects)


def report(out: Path, seeds: Sequence[int], subjects: int) -> None:
    """Print AUROC, average precision and seconds of all, and the paired differences from ours."""
    import detection

    tables: dict[str, list[pd.DataFrame]] = {}
    seconds: dict[str, list[float]] = {}
    for seed in seeds:
        run = out / "detection" / "scores" / str(subjects) / "default" / str(seed)
        if detection.read(run, seed) is None:
            detection.train(run, [f"dataset.seed={seed}", f"dataset.subjects={subjects}"])
        ours = detection.read(run, seed)
        assert ours is not None, f"the run in {run} did not finish"
        tables.setdefault("ours", []).append(ours.table)
        # An epoch is measured with its panels and logs; the schedule is the default one.
        seconds.setdefault("ours", []).append(EPOCHS * (ours.epoch or float("nan")))
        folder = out / "peers" / str(subjects) / str(seed)
        stock, others = (pd.read_csv(folder / f"{name}.csv", dtype={"subject": str}) for name in ("monai", "pyod"))
        peers = {"MONAI AutoEncoder": stock} | {
            f"PyOD {name}": pd.DataFrame(
                {
                    "subject": others["subject"],
                    "score": others[name],
                    "average_precision": np.nan,
                    "seconds": stock["seconds"] + others[f"seconds.{name}"],
                }
            )
            for name in DETECTORS
        }
        known = ours.table[["seed", "subject", "label"]].astype({"subject": str})
        for name, table in peers.items():
            tables.setdefault(name, []).append(known.merge(table.drop(columns="seconds"), on="subject"))
            seconds.setdefault(name, []).append(float(table["seconds"].iloc[0]))
    pooled = {name: pd.concat(parts, ignore_index=True).astype({"subject": str}) for name, parts in tables.items()}
    print(
        "| detector | subjects | AUROC | voxel AP | seconds to train | AUROC, ours - this |\n|---|---|---|---|---|---|"
    )
    figures = {}
    for name, table in pooled.items():
        areas = [
            detection.estimates.auroc((part["label"] == "abnormal").to_numpy(int), part["score"].to_numpy()).value
            for _, part in table.groupby("seed")
        ]
        precision = table["average_precision"].mean()
        gain = "-"
        if name != "ours":
            gain = detection.shown(detection.paired(pooled["ours"], table, "auroc"), sign="+")
        figures[name] = {
            "auroc": float(np.mean(areas)),
            "average_precision": None if np.isnan(precision) else float(precision),
            "seconds": float(np.mean(seconds[name])),
        }
        local = "-" if np.isnan(precision) else f"{precision:.3f}"
        print(f"| {name} | {len(table)} | {np.mean(areas):.3f} | {local} | {np.mean(seconds[name]):.0f} | {gain} |")
    print(json.dumps({"name": "peers", "seeds": list(seeds), "figures": figures}))


if __name__ == "__main__":
    main()
