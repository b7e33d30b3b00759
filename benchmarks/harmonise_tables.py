"""Benefit and cost of ComBat and residualising on simulated tables with known ground truth.

Four protocols shift and scale every feature; the disease shifts ten of fifty features, or has no effect. The apparent
AUROC uses all pairs of subjects. The AUROC within protocols uses only pairs with the same protocol, and measures the
effect of the disease alone. The protocol is predicted from the features that the classifier gets (balanced accuracy,
chance level 0.25).
"""

import argparse
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from brain_cae.audit.protocol_in_features import _balanced_accuracy
from brain_cae.audit.smoother import crossfit_smoother, kernel, standardised
from brain_cae.estimates import pair_wins
from brain_cae.harmonise.combat import Combat
from brain_cae.harmonise.residualise import Residualise
from brain_cae.transfer import build_pipeline, crossfit
from brain_cae.transfer.harmonised import harmonised_out_of_fold

COLUMNS = 50
DISEASED = 10
EFFECT = 0.6
# Field strength (T), TE, TR (ms), spacing (mm) of four protocols, and indicators of axial and coronal plane.
PARAMETERS = np.array(
    [[3, 90, 2480, 4.2, 1, 0], [1.5, 120, 2420, 5.7, 1, 0], [3, 110, 1920, 2.8, 0, 0], [1.5, 105, 2360, 4.7, 0, 1]]
)


class Table(NamedTuple):
    features: np.ndarray
    protocols: np.ndarray
    labels: np.ndarray
    parameters: np.ndarray


def draw(seed: int, confounding: float, effect: float, healthy: int, abnormal: int) -> Table:
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [healthy, abnormal])
    count = len(labels)
    follows = generator.random(count) < confounding
    protocols = np.where(follows, 2 * labels + generator.integers(0, 2, count), generator.integers(0, 4, count))
    shift, stretch = generator.normal(size=(4, COLUMNS)), np.exp(0.2 * generator.normal(size=(4, COLUMNS)))
    features = generator.normal(size=(count, COLUMNS)) * stretch[protocols] + shift[protocols]
    features[:, :DISEASED] += effect * labels[:, None]
    parameters = np.hstack([np.log(PARAMETERS[:, :4]), PARAMETERS[:, 4:]])[protocols]
    parameters[:, 1] += generator.normal(0, 0.01, count)
    return Table(features, protocols, labels, parameters)


def wins(table: Table, values: np.ndarray, *, within: bool) -> float:
    """Return the AUROC over all pairs of subjects, or over those with the same protocol."""
    groups = table.protocols if within else np.zeros_like(table.protocols)
    parts = [
        pair_wins(values[(groups == g) & (table.labels == 1)], values[(groups == g) & (table.labels == 0)]).ravel()
        for g in np.unique(groups)
    ]
    pairs = np.concatenate(parts)
    return float(pairs.mean()) if len(pairs) else float("nan")


def measure(table: Table, method: str, seed: int) -> dict[str, float]:
    step, carried = {
        "none": (None, np.empty((len(table.labels), 0))),
        "combat": (Combat(), table.protocols[:, None]),
        "residualise": (Residualise(carried=table.parameters.shape[1]), table.parameters),
    }[method]
    frame = pd.DataFrame(np.hstack([table.features, carried]))
    classifier = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    predicted = crossfit(build_pipeline(classifier, harmonise=step), frame, table.labels, seed=seed)
    seen, unchanged = table.features, 0
    if step is not None:
        folds = pd.Series(predicted.folds).astype("Int64")
        seen = harmonised_out_of_fold(step, frame, table.labels == 0, folds).to_numpy()
        unchanged = next((int(note.split()[2]) for note in predicted.notes if "unchanged" in note), 0)
    codes = np.unique(table.protocols, return_inverse=True)[1]
    return {
        "apparent": wins(table, predicted.probabilities, within=False),
        "within": wins(table, predicted.probabilities, within=True),
        "protocol": _balanced_accuracy(crossfit_smoother(kernel(standardised(seen)), seed=seed), codes),
        "unchanged": unchanged,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=20)
    arguments = parser.parse_args()
    rows = []
    for healthy, abnormal in ((28, 52), (100, 100)):
        for confounding in (0.0, 0.7, 1.0):
            for effect in (0.0, EFFECT):
                for method in ("none", "combat", "residualise"):
                    results = pd.DataFrame(
                        measure(draw(seed, confounding, effect, healthy, abnormal), method, seed)
                        for seed in range(arguments.tables)
                    )
                    rows.append(
                        {"healthy": healthy, "abnormal": abnormal, "confounding": confounding,
                         "disease": effect > 0, "remedy": method, **results.mean().round(3)}
                    )  # fmt: skip
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
