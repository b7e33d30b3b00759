"""What ComBat and residualising gain and cost on tables whose truth is known.

Four protocols shift and stretch every feature; a disease adds to ten of fifty, or there is none. Apparent AUROC counts
all pairs, AUROC within protocols only pairs that share one, which is what the disease is worth. The protocol is read
from the features that the classifier saw (balanced accuracy, chance 0.25).
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
# Field (T), TR, TE (ms), spacing (mm) of four protocols, and whether the plane is axial or coronal.
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
    """AUROC of all pairs, or of those that share a protocol."""
    groups = table.protocols if within else np.zeros_like(table.protocols)
    found = [
        pair_wins(values[(groups == g) & (table.labels == 1)], values[(groups == g) & (table.labels == 0)]).ravel()
        for g in np.unique(groups)
    ]
    pairs = np.concatenate(found)
    return float(pairs.mean()) if len(pairs) else float("nan")


def measure(table: Table, remedy: str, seed: int) -> dict[str, float]:
    step, carried = {
        "none": (None, np.empty((len(table.labels), 0))),
        "combat": (Combat(), table.protocols[:, None]),
        "residualise": (Residualise(carried=table.parameters.shape[1]), table.parameters),
    }[remedy]
    frame = pd.DataFrame(np.hstack([table.features, carried]))
    classifier = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    found = crossfit(build_pipeline(classifier, harmonise=step), frame, table.labels, seed=seed)
    seen, unchanged = table.features, 0
    if step is not None:
        folds = pd.Series(found.folds).astype("Int64")
        seen = harmonised_out_of_fold(step, frame, table.labels == 0, folds).to_numpy()
        unchanged = next((int(note.split()[2]) for note in found.notes if "unchanged" in note), 0)
    codes = np.unique(table.protocols, return_inverse=True)[1]
    return {
        "apparent": wins(table, found.probabilities, within=False),
        "within": wins(table, found.probabilities, within=True),
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
                for remedy in ("none", "combat", "residualise"):
                    found = pd.DataFrame(
                        measure(draw(seed, confounding, effect, healthy, abnormal), remedy, seed)
                        for seed in range(arguments.tables)
                    )
                    rows.append(
                        {"healthy": healthy, "abnormal": abnormal, "confounding": confounding,
                         "disease": effect > 0, "remedy": remedy, **found.mean().round(3)}
                    )  # fmt: skip
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
