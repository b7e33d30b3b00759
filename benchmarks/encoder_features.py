"""Which encoder features carry information about disease? Compares column sets of ``features.csv`` on the same runs.

Pass finished runs of one cohort, one for each seed:

    python train.py -m seed=0,1,2 dataset.seed=1
    python benchmarks/encoder_features.py multirun/<date>/<time>/*

Every classifier is cross-fitted on every set, separately on the unseen subjects of each run. The probability of a
subject is the mean over the runs that have not seen it. To avoid selection bias, choose features on one cohort
(``dataset.seed``) and report results on another.
"""

import argparse
from pathlib import Path

import pandas as pd
from hydra.utils import instantiate
from sklearn.metrics import roc_auc_score

from brain_cae import estimates
from brain_cae.configuration import classifier_option
from brain_cae.reporting.configurations import read_subjects
from brain_cae.transfer.crossfit import crossfit
from brain_cae.transfer.pipeline import build_pipeline

SETS = {
    "pooled channels of the bottleneck (encoder)": r"encoder_(mean|std)_",
    "pooled channels of every level (features.levels=all)": r"encoder_",
    "distance, bottleneck": r"distance_bottleneck_",
    "distance, level 4": r"distance_level4_",
    "distance, level 3": r"distance_level3_",
    "distance, level 2": r"distance_level2_",
    "distance, level 1 (finest)": r"distance_level1_",
    "distance, every level (distance)": r"distance_",
    "quantiles of the residual (residual)": r"residual_",
    "residual and distance": r"residual_|distance_",
    "residual, distance and bottleneck (both)": r"residual_|distance_|encoder_(mean|std)_",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--classifiers", nargs="+", default=["logistic", "svm", "random_forest"])
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    runs = [read(run) for run in arguments.runs if (run / "features.csv").is_file()]
    labels = pd.concat([run_labels for _, run_labels in runs])
    labels = labels[~labels.index.duplicated()].sort_index()
    print(f"{len(runs)} runs, {len(labels)} subjects, {(labels == 'abnormal').sum()} abnormal\n")
    print(f"| features | columns | {' | '.join(arguments.classifiers)} |")
    print("|---|---|" + "---|" * len(arguments.classifiers))
    for name, pattern in SETS.items():
        cells = []
        for classifier in arguments.classifiers:
            parts = [
                predict(features.filter(regex=f"^({pattern})"), run_labels, classifier, arguments.folds, seed)
                for seed, (features, run_labels) in enumerate(runs)
            ]
            single = [roc_auc_score(truth == "abnormal", part) for (_, truth), part in zip(runs, parts, strict=True)]
            mean = pd.concat(parts).groupby(level=0).mean().loc[labels.index]
            auroc = estimates.auroc(labels, mean, seed=0, resamples=1000)
            between = f"({min(single):.2f} to {max(single):.2f})"
            cells.append(f"{auroc.value:.3f} [{auroc.low:.3f}, {auroc.high:.3f}] {between}")
        print(f"| {name} | {runs[0][0].filter(regex=f'^({pattern})').shape[1]} | {' | '.join(cells)} |", flush=True)


def read(run: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Return features and labels of the labelled unseen subjects of a run."""
    features = pd.read_csv(run / "features.csv", dtype={"subject": str}).set_index("subject")
    subjects = read_subjects(run)
    assert subjects is not None, f"{run} has no subjects.csv"
    labels = subjects.set_index("subject")["label"]
    labels = labels[labels != "unknown"]
    return features.loc[labels.index], labels


def predict(features: pd.DataFrame, labels: pd.Series, classifier: str, folds: int, seed: int) -> pd.Series:
    """Return out-of-fold probabilities of a classifier of ``conf/classifier``, without tuning."""
    pipeline = build_pipeline(instantiate(classifier_option(classifier).estimator, _convert_="all"), None)
    return pd.Series(crossfit(pipeline, features, labels, folds=folds, seed=seed).probabilities, index=labels.index)


if __name__ == "__main__":
    main()
