"""From features to the section `transfer`: what is compared, tuned, and what becomes of broken input."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.stages.transfer import Transfer, transfer
from brain_cae.transfer.features import ARMS

from ..conftest import compose_config

SCORES = ("residual", "absolute", "intensity", "healthy_mean")
QUICK = ("evaluation.resamples=100", "evaluation.permutations=5")


def people(healthy: int, abnormal: int, *, shift: float = 2.0, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A table of predictions and one of features; a tumour shifts the residual and leaves the encoder alone."""
    generator = np.random.default_rng(seed)
    label = np.array(["healthy"] * healthy + ["abnormal"] * abnormal)
    count, ill = len(label), label == "abnormal"
    names = pd.Index([f"s{number:02d}" for number in range(count)])
    table = pd.DataFrame({"label": label, "role": "test"}, index=names)
    table.loc[names[::2], "role"] = "classifier"
    for name in SCORES:
        table[f"score.{name}"] = generator.standard_normal(count) + (name == "residual") * ill
    features = pd.DataFrame(generator.standard_normal((count, 8)), index=names)
    features.columns = [*(f"encoder_mean_{n:02d}" for n in range(4)), *(f"residual_joint_q{n:03d}" for n in range(4))]
    features.iloc[:, 4:] += shift * ill[:, None]
    features["distance_bottleneck_mean"] = generator.standard_normal(count)
    return table, features


def run(table: pd.DataFrame, features: pd.DataFrame, *overrides: str) -> Transfer:
    model = SimpleNamespace(config=compose_config(*QUICK, *overrides), classifier=None)
    return transfer(model, table, features, new_subjects=False, learnt=set())  # type: ignore[arg-type]


def test_everything_is_compared_on_the_same_subjects() -> None:
    found = run(*people(30, 20), "transfer.compare=[svm,dummy,logistic]")
    rows = {(row["classifier"], row["features"]): row for row in found.metrics["comparison"]}
    classifiers = {"logistic", "svm", "dummy"}
    assert set(rows) == {(c, f) for c in classifiers for f in ARMS} | {(None, f"{name} score") for name in SCORES}
    own = rows["logistic", "both"]
    assert own["auroc"] == found.metrics["auroc"] and own["difference"]["value"] == 0
    assert rows["svm", "residual"]["auroc"]["value"] > 0.9 > rows["svm", "encoder"]["auroc"]["value"]
    assert rows["dummy", "both"]["auroc"]["value"] == 0.5
    assert rows["dummy", "both"]["brier"]["value"] == pytest.approx(0.24)
    assert rows["dummy", "both"]["difference"]["high"] < 0
    assert "brier" not in rows[None, "intensity score"]
    assert set(found.arms) == {*ARMS, *(f"{f}.{c}" for c in ("svm", "dummy") for f in ARMS)}
    np.testing.assert_array_equal(found.arms["both"], found.probabilities)


def test_a_search_is_part_of_every_fold_and_of_the_last_fit() -> None:
    found = run(*people(20, 20), "classifier.tuning.trials=3", "evaluation.folds=2", "transfer.compare=[knn]")
    studies = [row["study"] for row in found.metrics["tuning"]]
    assert len(studies) == 2 * len(ARMS) * 2 + 1
    assert "logistic, both, fold 0" in studies and "knn, residual, fold 1" in studies
    assert studies[-1] == "logistic, both, everybody"
    assert all(row["trials"] == 3 and row["auroc"] is not None for row in found.metrics["tuning"])
    assert len(found.trials) == 3 * len(studies)
    assert "shuffled labels learnt without tuning" in found.metrics["permutation_p"]["method"]
    assert found.fitted is not None


def test_hold_out_compares_the_held_out_alone() -> None:
    found = run(*people(20, 20), "evaluation=holdout")
    assert {row["auroc"]["n"] for row in found.metrics["comparison"]} == {20}


def test_labels_of_chance_give_chance_through_everything() -> None:
    """Scaler, balancing and tuning see the training part alone, so shuffled labels teach nothing."""
    values = []
    for seed in range(5):
        table, features = people(30, 18, seed=seed)
        table["label"] = np.random.default_rng(100 + seed).permutation(table["label"])
        found = run(table, features, "balancing=smote", "classifier.tuning.trials=2", "evaluation.folds=3",
                    "transfer.compare=[]")  # fmt: skip
        values.append(found.metrics["auroc"]["value"])
    assert abs(np.mean(values) - 0.5) < 0.14  # standard error of five: about 0.04


@pytest.mark.parametrize(("evaluation", "trials"), [("crossfit", 0), ("crossfit", 2), ("holdout", 0)])
@pytest.mark.parametrize(
    ("healthy", "abnormal", "said"),
    [
        (12, 0, "All subjects have the same label"),
        (12, 1, "One class has a single member"),
        (6, 3, "3 folds instead of 5: the smaller class has 3 members."),
        (2, 2, "2 folds instead of 5"),
    ],
)
def test_too_few_subjects_are_a_smaller_protocol_with_a_reason(
    healthy: int, abnormal: int, said: str, trials: int, evaluation: str
) -> None:
    found = run(*people(healthy, abnormal), f"evaluation={evaluation}", f"classifier.tuning.trials={trials}")
    if evaluation == "crossfit":
        assert any(said in note for note in found.metrics["notes"])
    elif abnormal < 2:
        # The one member stands among those that the classifier learns from, so the held-out have one label.
        assert found.metrics["auroc"]["value"] is None and "undefined" in found.metrics["auroc"]["method"]
    assert found.metrics["auroc"]["value"] is None or found.metrics["auroc"]["n"] <= healthy + abnormal


@pytest.mark.parametrize("evaluation", ["crossfit", "holdout"])
def test_nobody_with_a_label_is_no_error(evaluation: str) -> None:
    table, features = people(3, 3)
    found = run(table.assign(label="unknown"), features, f"evaluation={evaluation}")
    assert found.metrics["auroc"]["value"] is None and found.metrics["permutation_p"]["value"] is None
    assert found.metrics["notes"] == ["No subject outside train and validation has a label."]
    assert found.fitted is None and found.probabilities.isna().all()


@pytest.mark.parametrize("broken", ["constant", "one_missing", "column_missing", "infinite"])
@pytest.mark.parametrize("classifier", ["logistic", "knn"])
def test_broken_features_leave_the_others(broken: str, classifier: str) -> None:
    table, features = people(20, 20)
    numbers = np.arange(len(features))
    features = {
        "constant": lambda: features.assign(residual_joint_q000=1.0),
        "one_missing": lambda: features.where(pd.Series(numbers != 3, features.index), axis=0),
        "column_missing": lambda: features.assign(residual_joint_q001=np.nan),
        "infinite": lambda: features.assign(residual_joint_q001=np.where(numbers == 5, np.inf, 0.0)),
    }[broken]()
    found = run(table, features, f"classifier={classifier}", "transfer.compare=[]")
    assert found.metrics["auroc"]["value"] > 0.85
    said = {
        "constant": "are the same in every subject: residual_joint_q000.",
        "one_missing": "are not finite in some subjects and are replaced by the median: encoder_mean_00, ",
        "column_missing": "are missing in all subjects: residual_joint_q001.",
        "infinite": "are not finite in some subjects and are replaced by the median: residual_joint_q001.",
    }
    assert any(said[broken] in note for note in found.metrics["notes"])


def test_a_classifier_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no option `forest`") as raised:
        compose_config("transfer.compare=[forest]")
    assert "random_forest" in str(raised.value)
