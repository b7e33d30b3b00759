"""Nothing that cannot be relied on stands in green."""

import dataclasses

import pandas as pd
import pytest

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.doubts import is_doubtful, serious, serious_of_runs, tone
from brain_cae.vocabulary import Serious


@pytest.fixture
def content():
    estimate = {"value": 1.0, "low": 0.5, "high": 1.0, "n": 20}
    metrics = {"detection": {"false_alarms": estimate}, "localisation": {"dice": estimate | {"n": 1}}}
    predictions = pd.DataFrame({"subject": ["a", "b"], "role": "test", "out_of_calibration": [True, False]})
    return ReportContent(title="", metrics=metrics, predictions=predictions, cautions=["an ordinary caution"])


def test_good_news_is_green_and_a_figure_of_one_subject_is_not(content):
    assert tone(content, "clear") == tone(content, "stands", ["detection.false_alarms"]) == "green"
    assert tone(content, "stands", ["localisation"]) == ""
    assert tone(content, "confounded") == "red" and tone(content, "something else") == ""


def test_a_serious_caution_takes_the_green_away_but_not_the_red(content):
    doubtful = dataclasses.replace(content, cautions=[*content.cautions, Serious("a trial")])
    assert serious(doubtful) == ["a trial"] and not serious(content)
    assert tone(doubtful, "clear") == tone(doubtful, "no concern") == "" and tone(doubtful, "confounded") == "red"


def test_a_caution_about_one_of_many_scans_does_not_stand_over_the_figures_of_all(content):
    caution = Serious("the flair of a looks like a T1", ["a"])
    many = dataclasses.replace(content, cautions=[caution], index=pd.DataFrame({"subject": [*"abcdefghijkl"]}))
    few = dataclasses.replace(many, index=pd.DataFrame({"subject": ["a", "b"]}))
    assert not serious(many) and not is_doubtful(many) and serious(few) == [caution]
    assert serious(many, ["a"]) == [caution] and not serious(few, ["b"])


def test_cautions_of_several_runs_name_them():
    runs = {"0": {"cautions": ["a trial", "few"]}, "1": {}, "2": {"cautions": ["a trial"]}, "3": {"cautions": "broken"}}
    assert serious_of_runs(runs) == ["Runs 0, 2: a trial", "Run 0: few"]


@pytest.mark.parametrize("written", [True, "True", "true"])
def test_scans_that_were_never_calibrated_take_the_green_away(content, written):
    assert not is_doubtful(content)
    outside = content.predictions.assign(out_of_calibration=written)
    assert is_doubtful(dataclasses.replace(content, predictions=outside))
