"""Figures of the transfer classifier, beside other arms and scores."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.stages.transfer_metrics import applied_metrics, compared_metrics, searches
from brain_cae.stages.transfer_plan import transfer_plan

from ..conftest import compose_config

QUICK = ("evaluation.resamples=50",)


@pytest.fixture
def labels() -> pd.Series:
    return pd.Series(["healthy"] * 8 + ["abnormal"] * 6, index=[f"s{number}" for number in range(14)])


def test_a_stored_classifier_is_measured_where_it_has_predicted(labels) -> None:
    probabilities = pd.Series(np.linspace(0, 1, 14), index=labels.index)
    probabilities.iloc[0] = np.nan
    metrics = applied_metrics(transfer_plan(compose_config(*QUICK)), labels, probabilities, ["one left out"])
    assert (metrics.figures["auroc"].value, metrics.figures["auroc"].n) == (1.0, 13)
    assert metrics.comparison == [] and metrics.notes == ["one left out"]


def test_every_arm_and_every_score_is_compared_with_the_chosen_one(labels) -> None:
    plan = transfer_plan(compose_config(*QUICK, "features=both"))
    good, bad = pd.Series(np.linspace(0, 1, 14), labels.index), pd.Series(np.linspace(1, 0, 14), labels.index)
    table = pd.DataFrame({"label": labels, **{f"score.{name}": bad for name in plan.scores}})
    arms = pd.DataFrame({"both": good, "residual": bad, "both.svm": good})
    metrics = compared_metrics(plan, table, arms, [], pd.DataFrame())
    rows = {(row.features, row.classifier): row for row in metrics.comparison}
    assert rows["both", "logistic"].difference.value == rows["both", "svm"].difference.value == 0
    assert rows["residual", "logistic"].difference.value == -1
    assert rows["healthy_mean score", None].figures["auroc"].value == 0
    assert len(rows) == 3 + len(plan.scores)


def test_a_search_is_summarised_by_its_best_complete_trial() -> None:
    trials = pd.DataFrame(
        {"study": ["a", "a", "a"], "state": ["complete", "pruned", "complete"], "auroc": [0.7, np.nan, 0.8],
         "parameters": ["C=1", "C=2", "C=3"]}
    )  # fmt: skip
    (search,) = searches(trials)
    assert (search.trials, search.pruned, search.auroc, search.parameters) == (3, 1, 0.8, "C=3")
    assert searches(pd.DataFrame()) == []
