"""Which features of a healthy encoder carry disease? Sets of columns of ``features.csv``, on the same runs.

Give it finished runs of one cohort with ``features.levels=all``, one for each seed:

    python train.py -m seed=0,1,2 dataset.seed=1 features.levels=all
    python benchmarks/encoder_features.py multirun/<date>/<time>/*

Every set is scored by every classifier out of fold, each run's unseen subjects by themselves, and each subject's
probability is then averaged over the runs that had not seen it. So a choice made here must be made on another cohort
(``dataset.seed``) than the one it is reported on.
"""

import argparse
from pathlib import Path

import pandas as pd
from hydra.utils import instantiate

from brain_cae import estimates
from brain_cae.configuration import classifier_option
from brain_cae.transfer.crossfit import crossfit
from brain_cae.transfer.pipeline import build_pipeline

SETS = {
    "bottleneck, plain": r"encoder_(mean|std)_\d+",
    "bottleneck, deviation": r"encoder_(deviation|distance).*",
    "every level, plain": r"encoder_(level\d_)?(mean|std)_\d+",
    "every level, deviation": r"encoder_(level\d_)?(deviation|distance).*",
    "every level, distance alone": r"encoder_(level\d_)?distance.*",
    "every level, all": r"encoder_.*",
    "level 1": r"encoder_level1_.*",
    "level 2": r"encoder_level2_.*",
    "level 3": r"encoder_level3_.*",
    "level 4": r"encoder_level4_.*",
    "residual": r"residual_.*",
    "residual and every level's distance": r"residual_.*|encoder_(level\d_)?distance.*",
    "residual, bottleneck plain": r"residual_.*|encoder_(mean|std)_\d+",
    "residual, bottleneck plain, distance": r"residual_.*|encoder_(mean|std)_\d+|encoder_(level\d_)?distance.*",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--classifiers", nargs="+", default=["logistic", "svm", "random_forest"])
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    runs = [read(run) for run in arguments.runs if (run / "features.csv").is_file()]
    labels = pd.concat([own for _, own in runs])
    labels = labels[~labels.index.duplicated()].sort_index()
    print(f"{len(runs)} runs, {len(labels)} subjects, {(labels == 'abnormal').sum()} abnormal\n")
    print(
        f"| features | columns | {' | '.join(arguments.classifiers)} |\n|---|---|{'---|' * len(arguments.classifiers)}"
    )
    for name, pattern in SETS.items():
        cells = []
        for classifier in arguments.classifiers:
            parts = [
                predict(features.filter(regex=f"^({pattern})$"), own, classifier, arguments.folds, seed)
                for seed, (features, own) in enumerate(runs)
            ]
            single = [estimates.auroc(own, part, seed=0, resamples=2).value for (_, own), part in zip(runs, parts)]
            mean = pd.concat(parts).groupby(level=0).mean().loc[labels.index]
            found = estimates.auroc(labels, mean, seed=0, resamples=1000)
            cells.append(f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}] ({min(single):.2f}–{max(single):.2f})")
        print(f"| {name} | {runs[0][0].filter(regex=f'^({pattern})$').shape[1]} | {' | '.join(cells)} |", flush=True)


def read(run: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Features and labels of a run's labelled unseen subjects."""
    features = pd.read_csv(run / "features.csv", dtype={"subject": str}).set_index("subject")
    labels = pd.read_csv(run / "subjects.csv", dtype={"subject": str}).set_index("subject")["label"]
    labels = labels[labels != "unknown"]
    return features.loc[labels.index], labels


def predict(features: pd.DataFrame, labels: pd.Series, classifier: str, folds: int, seed: int) -> pd.Series:
    """Out-of-fold probabilities with a classifier as it stands in ``conf/classifier``."""
    pipeline = build_pipeline(instantiate(classifier_option(classifier).estimator, _convert_="all"), None)
    return pd.Series(crossfit(pipeline, features, labels, folds=folds, seed=seed).probabilities, index=labels.index)


if __name__ == "__main__":
    main()
