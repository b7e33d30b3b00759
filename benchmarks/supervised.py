"""How much the maps of the default hold: what a detector reaches that is taught with the lesions known.

Gradient boosting on voxels (z-score of each contrast and joint map, of the model and of ``healthy_subspace``, the same
after 4 mm of further smoothing, place) is taught on four fifths of the test brains with their lesion masks and scores
the others. It is an upper bound for rules that join these maps without labels, not a result: nobody has the masks of
new patients.

It reads the runs of ``benchmarks/detection.py --study scores`` and prints the same figures beside them. Run from the
project's root: ``python benchmarks/supervised.py --seeds 501 502 503``.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
VOXELS = 4000
"""Voxels of a brain to learn from: half of them of the lesion, where there is one."""
FOLDS = 5


def voxel_features(detector, subject) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Return what is known of each voxel of the mask (n, F), and whether it is of the lesion (n,)."""
    from brain_cae.scoring.smoothing import smooth_inside

    subject = subject.in_memory()
    signals = detector.signals(subject, detector.reconstruct(subject))
    known = [detector.scorers[name].both(signals[of]) for name, of in
             (("residual", "residual"), ("healthy_subspace", "intensity"))]  # fmt: skip
    z = np.concatenate([np.concatenate([maps, joint[None]]) for maps, joint in known])
    maps = np.zeros((len(z), *subject.mask.shape), np.float32)
    maps[:, subject.mask] = z
    wide = smooth_inside(maps, subject.mask, subject.spacing, 4.0)[:, subject.mask]
    places = np.argwhere(subject.mask).T / np.reshape(subject.mask.shape, (3, 1))
    truth = subject.lesion if subject.has_lesion and subject.lesion is not None else np.zeros_like(subject.mask)
    return np.concatenate([z, wide, places]).T.astype(np.float32), truth[subject.mask]


def drawn(features: np.ndarray, truth: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return some voxels of a brain, whether they are of the lesion, and the weight that makes up for the choice."""
    generator = np.random.default_rng(seed)
    rows, weights = [], []
    for part, most in ((np.flatnonzero(truth), VOXELS // 2), (np.flatnonzero(~truth), VOXELS)):
        chosen = generator.permutation(part)[:most]
        rows.append(chosen)
        weights.append(np.full(len(chosen), len(part) / max(len(chosen), 1)))
    taken = np.concatenate(rows)
    return features[taken], truth[taken], np.concatenate(weights)


def taught(detector, cohort, subjects: list[str], labels: np.ndarray) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    """Return score and average precision of each subject by a detector that was taught on others."""
    known = [voxel_features(detector, cohort.prepared[name]) for name in subjects]
    rows = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(subjects, labels):
        x, y, weight = (np.concatenate(part) for part in zip(*(drawn(*known[n], seed=n) for n in train), strict=True))
        model = HistGradientBoostingClassifier(max_iter=150, random_state=0).fit(x, y, sample_weight=weight)
        for number in test:
            features, truth = known[number]
            chance = model.predict_proba(features)[:, 1]
            precision = average_precision_score(truth, chance) if truth.any() else np.nan
            rows.append(
                {"subject": subjects[number], "score": np.percentile(chance, 99.9), "average_precision": precision}
            )
    return pd.DataFrame(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, then one JSON object."""
    import detection
    from peers import prepared

    from brain_cae.detector.storage import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=(501, 502, 503), help="of the cohorts (%(default)s)")
    parser.add_argument("--subjects", type=int, default=240, help="in each cohort (%(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "outputs", help="(%(default)s)")
    chosen = parser.parse_args(arguments)
    tables: dict[str, list[pd.DataFrame]] = {"ours": [], "taught with the lesions known": []}
    for seed in chosen.seeds:
        begin = time.monotonic()
        run = chosen.out.resolve() / "detection" / "scores" / str(chosen.subjects) / "default" / str(seed)
        ours = detection.read(run, seed)
        if ours is None:
            parser.error(f"no finished run in {run}: python benchmarks/detection.py --study scores --seeds {seed}")
        _, cohort, _ = prepared(seed, chosen.subjects)
        found = taught(load(run), cohort, ours.table["subject"].tolist(), ours.table["label"].to_numpy())
        tables["ours"].append(ours.table)
        upper = ours.table[["seed", "subject", "label"]].merge(found, on="subject")
        tables["taught with the lesions known"].append(upper)
        print(f"{seed}: {(time.monotonic() - begin) / 60:.1f} min", file=sys.stderr)
    first, second = (pd.concat(parts, ignore_index=True) for parts in tables.values())
    figures = {}
    print("| detector | AUROC | voxel AP |\n|---|---|---|")
    for name, parts in tables.items():
        areas = [
            detection.estimates.auroc((part["label"] == "abnormal").to_numpy(int), part["score"].to_numpy()).value
            for part in parts
        ]
        precision = float(pd.concat(parts)["average_precision"].mean())
        figures[name] = {"auroc": float(np.mean(areas)), "average_precision": precision}
        print(f"| {name} | {np.mean(areas):.3f} | {precision:.3f} |")
    gaps = [detection.shown(detection.paired(second, first, name), sign="+") for name in ("auroc", "average_precision")]
    print(f"| difference | {' | '.join(gaps)} |")
    print(json.dumps({"name": "supervised", "seeds": list(chosen.seeds), "figures": figures}))


if __name__ == "__main__":
    main()
