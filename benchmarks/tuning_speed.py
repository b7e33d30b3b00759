"""Time of the Optuna search for every classifier of `conf/classifier`, on a table of realistic size.

Features are random numbers, a few of which depend on the label, so that trials are about as hard as on real data.
"""

import argparse
import time
import warnings

import numpy as np
import pandas as pd
from hydra.utils import instantiate
from joblib import Parallel, delayed
from sklearn.exceptions import ConvergenceWarning

from brain_cae.configuration import classifier_option, option_names
from brain_cae.transfer import build_pipeline
from brain_cae.transfer.tuning import Tuning


def search(name: str, features: pd.DataFrame, truth: np.ndarray, trials: int) -> dict[str, object]:
    warnings.simplefilter("ignore", ConvergenceWarning)
    option = classifier_option(name)
    pipeline = build_pipeline(instantiate(option.estimator, _convert_="all"))
    started = time.perf_counter()
    tuned = Tuning(option.tuning.space, trials, option.tuning.folds)(pipeline, features, truth, name=name, seed=0)
    complete = tuned.trials[tuned.trials["state"] == "complete"]
    return {
        "classifier": name,
        "seconds": round(time.perf_counter() - started, 1),
        "trials": len(tuned.trials),
        "pruned": len(tuned.trials) - len(complete),
        "own AUROC": round(tuned.trials["auroc"][0], 3),
        "best AUROC": round(complete["auroc"].max(), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, default=200)
    parser.add_argument("--features", type=int, default=34, help="34: features=both of T1 and FLAIR, 8 latent channels")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    generator = np.random.default_rng(0)
    truth = np.arange(arguments.subjects) % 2 == 0
    values = generator.standard_normal((arguments.subjects, arguments.features))
    values[:, :5] += 0.5 * truth[:, None]
    features = pd.DataFrame(values)
    names = [name for name in option_names("classifier") if classifier_option(name).tuning.space]
    started = time.perf_counter()
    rows = Parallel(n_jobs=arguments.jobs)(delayed(search)(name, features, truth, arguments.trials) for name in names)
    print(pd.DataFrame(rows).to_string(index=False))
    print(f"all {len(names)} classifiers, {arguments.jobs} processes: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
