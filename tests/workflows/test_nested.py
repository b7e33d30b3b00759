"""Nested evaluation: every subject is tested once, by a model that has not seen it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.executor import make_executor
from brain_cae.stages.preparation import make_preparation, prepare
from brain_cae.stages.stripping import with_stripper
from brain_cae.transfer.permutation import permutation_p_of_predictions
from brain_cae.workflows import learning, training
from brain_cae.workflows.nested import assess_nested, outer_splits, take_maps

from ..conftest import compose_config

NESTED = ("evaluation=nested", "evaluation.folds=3", "split.validation_minimum=9", "limit=40", "scoring.alpha=0.3")


def labels(healthy: int = 30, abnormal: int = 12, unknown: int = 2) -> pd.Series:
    kinds = ["healthy"] * healthy + ["abnormal"] * abnormal + ["unknown"] * unknown
    return pd.Series(kinds, index=[f"s{number:02d}" for number in range(len(kinds))])


def test_every_labelled_subject_is_tested_in_exactly_one_fold() -> None:
    known = labels()
    splits = outer_splits(compose_config(*NESTED), known)
    tested = pd.concat([roles.loc[roles["role"] == "test", "subject"] for roles in splits])
    assert sorted(tested) == sorted(known.index)
    for number, roles in enumerate(splits):
        assert not roles["subject"].duplicated().any()
        kinds = known[roles["subject"]].groupby(roles["role"].to_numpy()).agg(set)
        assert kinds["train"] == kinds["validation"] == {"healthy"}
        assert kinds["classifier"] == {"healthy", "abnormal"}
        assert ("unknown" in kinds["test"]) == (number == 0)
        assert set(roles["subject"]) >= set(known.index[known != "unknown"])


def test_outer_folds_need_both_classes() -> None:
    with pytest.raises(DatasetError, match="two subjects of each class") as raised:
        outer_splits(compose_config(*NESTED), labels(abnormal=0))
    assert "evaluation=crossfit" in str(raised.value)


@pytest.mark.parametrize("clash", ["split=protocol", "split.file=splits.csv", "trainer.devices=2"])
def test_another_source_of_roles_is_rejected(clash: str) -> None:
    with pytest.raises(ConfigurationError, match="draws the roles of its outer folds itself") as raised:
        compose_config(*NESTED, clash)
    assert raised.value.where == "evaluation=nested"


def test_permutation_within_folds_does_not_mistake_a_fold_difference_for_an_effect() -> None:
    """A fold with more abnormal subjects and higher probabilities throughout is not evidence within the folds."""
    truth = np.array([0] * 15 + [1] * 5 + [0] * 5 + [1] * 15)
    folds = np.repeat([0, 1], 20)
    generator = np.random.default_rng(0)
    values = folds + 0.1 * generator.standard_normal(40)
    within = permutation_p_of_predictions(truth, values, folds, permutations=200)
    assert within.value is not None and within.value > 0.05
    pooled = permutation_p_of_predictions(truth, values, np.zeros(40), permutations=200)
    assert pooled.value is not None and pooled.value < 0.02
    assert permutation_p_of_predictions(truth, truth + values, folds, permutations=19).value == pytest.approx(1 / 20)
    assert permutation_p_of_predictions(np.ones(5), values[:5], folds[:5]).value is None


def test_the_maps_of_a_nested_run_are_those_of_the_models_that_scored(tmp_path: Path) -> None:
    run, fold = RunFolder(tmp_path), RunFolder(tmp_path / "outer" / "0")
    for folder, maps in ((run, "ab"), (fold, "ac")):
        for name in maps:
            folder.write(
                f"anomaly_maps/{name}_all.nii.gz", lambda path, text=f"{folder.path.name}": path.write_text(text)
            )
    take_maps(fold, run, ["a_all", "b_all", "c_all"])  # the stored model learnt from c; the map of b was not written
    found = {path.name: path.read_text() for path in (tmp_path / "anomaly_maps").iterdir()}
    assert found == {"a_all.nii.gz": "0", "c_all.nii.gz": "0"}


@pytest.mark.extras
def test_a_nested_run_stores_one_model_and_reports_figures_of_all_folds(
    tiny_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = ("trainer.max_epochs=1", "evaluation=nested", "evaluation.folds=2", "evaluation.maps=false",
             "classifier.tuning.trials=2", "split.train=0.2", "split.validation_minimum=5")  # fmt: skip
    output = tmp_path / "run"
    training.run(compose_config(*tiny_overrides, *quick), output)
    metrics = json.loads((output / "metrics.json").read_text())
    predictions = pd.read_csv(output / "predictions.csv", dtype={"subject": str})
    roles = [pd.read_csv(output / "outer" / str(k) / "splits.csv", dtype=str).set_index("subject") for k in (0, 1)]
    assert len(predictions) == metrics["subjects"]["test"] == len(roles[0]) == 36
    for number, fold_roles in enumerate(roles):
        assert (fold_roles.loc[predictions.loc[predictions["fold"] == number, "subject"], "role"] == "test").all()
    assert metrics["detection"]["auroc"]["n"] == metrics["transfer"]["auroc"]["n"] == 36
    assert "fixed predictions" in metrics["transfer"]["permutation_p"]["method"]
    studies = [row["study"] for row in metrics["transfer"]["tuning"]]
    assert "logistic, both, training part of outer fold 1" in studies
    # A classifier fitted on everybody in an outer fold would be unused, and would have seen the tested subjects.
    assert not [name for name in studies if "everybody" in name]
    searched = pd.read_csv(output / "tuning.csv")["study"]
    assert {"logistic, both, everybody", *studies} <= set(searched)
    assert not (output / "outer" / "0" / "model" / "classifier.skops").exists()
    compared = {
        (row["classifier"], row["features"]): row["auroc"]["value"] for row in metrics["transfer"]["comparison"]
    }
    assert compared["dummy", "both"] == 0.5  # although the outer folds differ by one subject
    assert (output / "model" / "classifier.skops").is_file()
    page = (output / "report.html").read_text()
    assert "2 outer folds, each with a model of its own" in page
    # A resumed run does not train a finished fold again.
    (output / "outer" / "1" / "model" / "config.yaml").unlink()
    trained = []
    fit = learning.fit
    monkeypatch.setattr(learning, "fit", lambda config, *rest: trained.append(config) or fit(config, *rest))
    config = with_stripper(compose_config(*tiny_overrides, *quick, f"resume={output}"))
    steps = make_preparation(config, config.cache, make_executor(config))
    cohort = prepare(training.import_configured(config), steps, progress=False)
    again = assess_nested(config, cohort, RunFolder(tmp_path / "again"), learning.fit)
    assert len(trained) == 1
    before = predictions.set_index("subject")["score"]
    same = again.table.index[again.table["fold"] == 0]
    np.testing.assert_allclose(again.table.loc[same, "score"].astype(float), before[same], rtol=1e-3)
