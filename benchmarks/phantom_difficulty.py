"""Difficulty of the phantom without learning: results of simple FLAIR thresholding for each seed.

For comparison with real data: the oracle Dice of simple FLAIR thresholding on BraTS is 0.738 (Meissen et al. 2021,
arXiv 2109.06540). Run from the project's root: ``python benchmarks/phantom_difficulty.py --seeds 0 1``.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed, parallel_config
from scipy import ndimage
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae.phantom import PhantomSettings, simulate_subject
from brain_cae.phantom.settings import ANATOMIES

PERCENTILES = (99.0, 99.5, 99.7)
THRESHOLDS = np.arange(1.0, 3.0, 0.02)
SMOOTHING_MM = 2.0


def smoothed_flair(volume: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return FLAIR divided by its median in the mask and smoothed inside the mask, and the mask; both (X, Y, Z)."""
    inside = volume > 0
    scaled = np.where(inside, volume / np.median(volume[inside]), 0)
    sigma = SMOOTHING_MM / np.linalg.norm(affine[:3, :3], axis=0)
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    return np.where(inside, ndimage.gaussian_filter(scaled, sigma) / np.maximum(weight, 1e-3), 0), inside


def measure(settings: PhantomSettings, number: int) -> dict:
    """Return one subject's scores, its counts at every threshold (true positives, positives), volumes and contrast."""
    subject = simulate_subject(settings, number, modalities=("flair",))
    volume, affine = subject.series["flair"].volume()
    flair, inside = smoothed_flair(volume, affine)
    lesion, _ = subject.mask_volume()
    values, tumour = flair[inside], flair[lesion > 0]
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    return {
        "label": subject.label,
        "protocol": subject.protocol.name,
        "scores": np.percentile(values, PERCENTILES),
        "true_positives": (tumour[:, None] > THRESHOLDS).sum(0),
        "positives": len(values) - np.searchsorted(np.sort(values), THRESHOLDS, side="right"),
        "voxels": len(tumour),
        "lesion_ml": len(tumour) * voxel_ml,
        "contrast": float(np.median(tumour)) if len(tumour) else float("nan"),
    }


def summarise(rows: list[dict]) -> dict[str, float]:
    """Return the cohort's figures from its subjects' measurements."""
    labels = np.array([row["label"] for row in rows])
    scores = np.array([row["scores"] for row in rows])
    sick = [row for row in rows if row["label"] == 1 and row["voxels"]]
    true_positives, positives = (np.array([row[name] for row in sick]) for name in ("true_positives", "positives"))
    size = np.array([row["voxels"] for row in sick])
    pooled = 2 * true_positives.sum(0) / (positives.sum(0) + size.sum())
    single = 2 * true_positives / (positives + size[:, None])
    figures = {f"auroc_p{p:g}": float(roc_auc_score(labels, scores[:, i])) for i, p in enumerate(PERCENTILES)}
    volumes = np.array([row["lesion_ml"] for row in sick])
    contrasts = np.array([row["contrast"] for row in sick])
    return figures | {
        "dice_oracle_pooled": float(pooled.max()),
        "threshold_pooled": float(THRESHOLDS[pooled.argmax()]),
        "dice_mean_at_pooled_threshold": float(single[:, pooled.argmax()].mean()),
        "dice_oracle_per_subject": float(single.max(1).mean()),
        **{f"lesion_ml_p{p}": float(np.percentile(volumes, p)) for p in (10, 50, 90)},
        **{f"contrast_p{p}": float(np.percentile(contrasts, p)) for p in (10, 50, 90)},
    }


def main() -> None:
    """Simulate the FLAIR series of the cohorts in memory and print the figures, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--subjects", type=int, default=160)
    parser.add_argument("--dimensions", choices=("protocols", "varied"), default="protocols")
    parser.add_argument("--anatomy", choices=ANATOMIES, default="smooth")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    columns = {}
    for seed in arguments.seeds:
        settings = PhantomSettings(
            subjects=arguments.subjects, seed=seed, dimensions=arguments.dimensions, anatomy=arguments.anatomy
        )
        with parallel_config(backend="loky", inner_max_num_threads=1):
            rows = Parallel(arguments.workers)(delayed(measure)(settings, n) for n in range(settings.subjects))
        columns[f"seed {seed}"] = summarise(rows)
    names = list(next(iter(columns.values())))
    print(f"{'figure':32s}" + "".join(f"{column:>10s}" for column in columns))
    for name in names:
        print(f"{name:32s}" + "".join(f"{figures[name]:10.3f}" for figures in columns.values()))
    print(json.dumps({"name": "phantom_difficulty", "ratios": {}, "figures": columns}))


if __name__ == "__main__":
    main()
