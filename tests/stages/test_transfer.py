"""The section `transfer` from features: comparison, tuning and invalid input."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.stages.transfer import Transfer, apply_classifier, fit_for_patients, predict_unseen
from brain_cae.stages.transfer_plan import TransferPlan, transfer_plan
from brain_cae.transfer.features import ARMS

from ..conftest import compose_config

SCORES = ("residual", "absolute", "intensity", "healthy_mean", "healthy_subspace")
QUICK = ("evaluation.resamples=100", "evaluation.permutations=5")


def make_tables(healthy: int, abnormal: int, *, shift: float = 2.0, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return tables of predictions and features; tumours shift the residual but not the encoder features."""
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


def make_plan(*overrides: str) -> TransferPlan:
    return transfer_plan(compose_config(*QUICK, *overrides))


def run(table: pd.DataFrame, features: pd.DataFrame, *overrides: str) -> Transfer:
    return predict_unseen(make_plan(*overrides), table, features)


def test_all_arms_classifiers_and_scores_are_compared_on_the_same_subjects() -> None:
    transfer = run(*make_tables(30, 20), "transfer.compare=[svm,dummy,logistic]")
    rows = {(row.classifier, row.features): row for row in transfer.metrics.comparison}
    classifiers = {"logistic", "svm", "dummy"}
    assert set(rows) == {(c, f) for c in classifiers for f in ARMS} | {(None, f"{name} score") for name in SCORES}
    chosen = rows["logistic", "both"]
    assert chosen.figures["auroc"] == transfer.metrics.figures["auroc"] and chosen.difference.value == 0
    assert rows["svm", "residual"].figures["auroc"].value > 0.9 > rows["svm", "encoder"].figures["auroc"].value
    assert rows["dummy", "both"].figures["auroc"].value == 0.5
    assert rows["dummy", "both"].figures["brier"].value == pytest.approx(0.24)
    assert rows["dummy", "both"].difference.high < 0
    assert "brier" not in rows[None, "intensity score"].figures
    assert set(transfer.arms) == {*ARMS, *(f"{f}.{c}" for c in ("svm", "dummy") for f in ARMS)}
    np.testing.assert_array_equal(transfer.arms["both"], transfer.probabilities)


def test_each_fold_and_the_final_fit_have_a_search() -> None:
    choices = ("classifier.tuning.trials=3", "evaluation.folds=2", "transfer.compare=[knn]")
    table, features = make_tables(20, 20)
    transfer = run(table, features, *choices)
    assert len(transfer.metrics.tuning) == 2 * len(ARMS) * 2
    classifier = fit_for_patients(make_plan(*choices), table, features)
    assert classifier.training_subjects == list(table.index)
    transfer = transfer.with_trials(classifier.trials)
    studies = [search.study for search in transfer.metrics.tuning]
    assert len(studies) == 2 * len(ARMS) * 2 + 1
    assert "logistic, both, fold 0" in studies and "knn, residual, fold 1" in studies
    assert studies[-1] == "logistic, both, everybody"
    assert all(search.trials == 3 and search.auroc is not None for search in transfer.metrics.tuning)
    assert len(transfer.trials) == 3 * len(studies)
    assert "shuffled labels learnt without tuning" in transfer.metrics.permutation_p.method


def test_hold_out_compares_only_held_out_subjects() -> None:
    transfer = run(*make_tables(20, 20), "evaluation=holdout")
    assert {row.figures["auroc"].n for row in transfer.metrics.comparison} == {20}


@pytest.mark.extras
def test_random_labels_give_an_auroc_of_chance() -> None:
    """Scaler, balancing and tuning use only the training part, so shuffled labels cannot be predicted."""
    values = []
    for seed in range(5):
        table, features = make_tables(30, 18, seed=seed)
        table["label"] = np.random.default_rng(100 + seed).permutation(table["label"])
        transfer = run(table, features, "balancing=smote", "classifier.tuning.trials=2", "evaluation.folds=3",
                    "transfer.compare=[]")  # fmt: skip
        values.append(transfer.metrics.figures["auroc"].value)
    assert abs(np.mean(values) - 0.5) < 0.14  # the standard error of the mean of five is about 0.04


@pytest.mark.parametrize(("evaluation", "trials"), [("crossfit", 0), ("crossfit", 2), ("holdout", 0)])
@pytest.mark.parametrize(
    ("healthy", "abnormal", "expected"),
    [
        (12, 0, "All subjects have the same label"),
        (12, 1, "One class has a single member"),
        (6, 3, "3 folds instead of 5: the smaller class has 3 members."),
        (2, 2, "2 folds instead of 5"),
    ],
)
def test_too_few_subjects_give_fewer_folds_or_no_prediction_with_a_reason(
    healthy: int, abnormal: int, expected: str, trials: int, evaluation: str
) -> None:
    transfer = run(*make_tables(healthy, abnormal), f"evaluation={evaluation}", f"classifier.tuning.trials={trials}")
    if evaluation == "crossfit":
        assert any(expected in note for note in transfer.metrics.notes)
    elif abnormal < 2:
        # The only abnormal subject is in the training part, so the held-out part has one label.
        assert (
            transfer.metrics.figures["auroc"].value is None and "undefined" in transfer.metrics.figures["auroc"].method
        )
    assert transfer.metrics.figures["auroc"].value is None or transfer.metrics.figures["auroc"].n <= healthy + abnormal


@pytest.mark.parametrize("evaluation", ["crossfit", "holdout"])
def test_subjects_without_labels_are_not_an_error(evaluation: str) -> None:
    table, features = make_tables(3, 3)
    transfer = run(table.assign(label="unknown"), features, f"evaluation={evaluation}")
    assert transfer.metrics.figures["auroc"].value is None and transfer.metrics.permutation_p.value is None
    assert transfer.metrics.notes == ["No subject outside train and validation has a label."]
    assert transfer.probabilities.isna().all()
    plan = make_plan(f"evaluation={evaluation}")
    assert fit_for_patients(plan, table.assign(label="unknown"), features) is None


def test_a_classifier_that_could_not_be_tested_is_not_kept_for_new_patients() -> None:
    table, features = make_tables(1, 6)
    assert fit_for_patients(make_plan(), table, features) is None
    assert fit_for_patients(make_plan(), *make_tables(2, 6)) is not None


def test_the_classifier_for_new_patients_is_not_trained_on_a_held_out_protocol() -> None:
    table, features = make_tables(20, 20)
    held_out = make_plan("split=leave_protocol_out", "split.protocol=a")
    subjects = fit_for_patients(held_out, table, features).training_subjects
    assert subjects == list(table.index[table["role"] == "classifier"]) and len(subjects) == 20
    assert len(fit_for_patients(make_plan(), table, features).training_subjects) == 40


def test_a_stored_classifier_predicts_new_subjects_except_its_training_subjects() -> None:
    plan = make_plan()
    classifier = fit_for_patients(plan, *make_tables(30, 20)).pipeline
    table, features = make_tables(10, 10, seed=1)
    table.loc["s00", "label"] = "unknown"
    transfer = apply_classifier(plan, classifier, table, features, training_subjects={"s01", "s19"})
    assert sorted(transfer.probabilities.index[transfer.probabilities.isna()]) == ["s01", "s19"]
    assert transfer.metrics.figures["auroc"].n == 17 and transfer.metrics.figures["auroc"].value > 0.9
    assert transfer.folds.isna().all() and list(transfer.arms) == ["both"]
    assert not {"tuning", "permutation_p"} & set(transfer.metrics.to_dict())
    unpredicted = apply_classifier(plan, None, table, features, training_subjects=set())
    assert unpredicted.probabilities.isna().all() and unpredicted.metrics.figures["auroc"].value is None


@pytest.mark.parametrize("broken", ["constant", "one_missing", "column_missing", "infinite"])
@pytest.mark.parametrize("classifier", ["logistic", "knn"])
def test_invalid_features_are_removed_or_imputed(broken: str, classifier: str) -> None:
    table, features = make_tables(20, 20)
    numbers = np.arange(len(features))
    features = {
        "constant": lambda: features.assign(residual_joint_q000=1.0),
        "one_missing": lambda: features.where(pd.Series(numbers != 3, features.index), axis=0),
        "column_missing": lambda: features.assign(residual_joint_q001=np.nan),
        "infinite": lambda: features.assign(residual_joint_q001=np.where(numbers == 5, np.inf, 0.0)),
    }[broken]()
    transfer = run(table, features, f"classifier={classifier}", "transfer.compare=[]")
    assert transfer.metrics.figures["auroc"].value > 0.85
    expected = {
        "constant": "are the same in every subject: residual_joint_q000.",
        "one_missing": "are not finite in some subjects and are replaced by the median: encoder_mean_00, ",
        "column_missing": "are missing in all subjects: residual_joint_q001.",
        "infinite": "are not finite in some subjects and are replaced by the median: residual_joint_q001.",
    }
    assert any(expected[broken] in note for note in transfer.metrics.notes)


def test_an_unknown_classifier_is_an_error_with_its_name() -> None:
    with pytest.raises(ConfigurationError, match="no option `forest`") as raised:
        compose_config("transfer.compare=[forest]")
    assert "random_forest" in str(raised.value)
