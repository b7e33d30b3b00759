"""How much the maps of the default hold: what a detector reaches that is taught with the lesions known.

Classifiers of voxels (z-score of each contrast and joint map, of the model and of ``healthy_subspace``, the same after
4 mm of further smoothing, place) are taught on four fifths of the test brains with their lesion masks and score the
others: gradient boosting, and logistic regression. They show what rules that join these maps without labels leave
behind, and are not a result: nobody has the masks of new patients.

It reads the runs of ``benchmarks/detection.py --study scores`` and prints the same figures beside them. Run from the
project's root: ``python benchmarks/supervised.py --seeds 501 502 503``.
"""

import argparse
import itertools
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
VOXELS = 4000
"""Voxels of a brain to learn from: half of them of the lesion, where there is one."""
FOLDS = 5
MODELS = {
    "gradient boosting": lambda: HistGradientBoostingClassifier(max_iter=150, random_state=0),
    "logistic regression": lambda: LogisticRegression(max_iter=200),
}


def voxel_features(detector, subject) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """Return what is known of each voxel of the mask (n, F), and whether it is of the lesion (n,)."""
    from brain_cae.scoring.smoothing import smooth_inside

    subject = subject.in_memory()
    signals = detector.signals(subject, detector.reconstruct(subject))
    known = [detector.scorers[name].both(signals[of]) for name, of in
             (("residual", "residual"), ("healthy_subspace", "intensity"))]  # fmt: skip
    z = np.concatenate([np.concatenate([maps, joint[None]]) for maps, joint in known])
    z = signals["residual"].at_all_voxels(z)
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
    """Return score and average precision of each subject by each of ``MODELS``, taught on others."""
    known = [voxel_features(detector, cohort.prepared[name]) for name in subjects]
    rows = []
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(subjects, labels):
        x, y, weight = (np.concatenate(part) for part in zip(*(drawn(*known[n], seed=n) for n in train), strict=True))
        scale = StandardScaler().fit(x)
        models = {name: model().fit(scale.transform(x), y, sample_weight=weight) for name, model in MODELS.items()}
        for number, (name, model) in itertools.product(test, models.items()):
            features, truth = known[number]
            chance = model.predict_proba(scale.transform(features))[:, 1]
            precision = average_precision_score(truth, chance) if truth.any() else np.nan
            score = np.percentile(chance, 99.9)
            rows.append({"subject": subjects[number], "model": name, "score": score, "average_precision": precision})
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
    tables: dict[str, list[pd.DataFrame]] = {name: [] for name in ("ours", *MODELS)}
    for seed in chosen.seeds:
        begin = time.monotonic()
        run = chosen.out.resolve() / "detection" / "scores" / str(chosen.subjects) / "default" / str(seed)
        ours = detection.read(run, seed)
        if ours is None:
            parser.error(f"no finished run in {run}: python benchmarks/detection.py --study scores --seeds {seed}")
        _, cohort, _ = prepared(seed, chosen.subjects)
        found = taught(load(run), cohort, ours.table["subject"].tolist(), ours.table["label"].to_numpy())
        tables["ours"].append(ours.table)
        for name, table in found.groupby("model"):
            upper = ours.table[["seed", "subject", "label"]].merge(table.drop(columns="model"), on="subject")
            tables[str(name)].append(upper)
        print(f"{seed}: {(time.monotonic() - begin) / 60:.1f} min", file=sys.stderr)
    pooled = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    figures = {}
    print("| detector | AUROC | voxel AP | AUROC, this - ours | voxel AP, this - ours |\n|---|---|---|---|---|")
    for name, table in pooled.items():
        areas = [
            detection.estimates.auroc((part["label"] == "abnormal").to_numpy(int), part["score"].to_numpy()).value
            for part in tables[name]
        ]
        precision = float(table["average_precision"].mean())
        figures[name] = {"auroc": float(np.mean(areas)), "average_precision": precision}
        gaps = ["-", "-"]
        if name != "ours":
            both = (detection.paired(table, pooled["ours"], figure) for figure in ("auroc", "average_precision"))
            gaps = [detection.shown(gap, sign="+") for gap in both]
        print(f"| {name} | {np.mean(areas):.3f} | {precision:.3f} | {' | '.join(gaps)} |")
    print(json.dumps({"name": "supervised", "seeds": list(chosen.seeds), "figures": figures}))


if __name__ == "__main__":
    main()
