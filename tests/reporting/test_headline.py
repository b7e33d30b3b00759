"""Top of the report: verdict, one-line summary, key figures and their cautions."""

import dataclasses

import numpy as np
import pytest

from brain_cae.reporting import headline
from brain_cae.reporting.content import ReportContent
from brain_cae.vocabulary import Serious


def audited(**audit) -> ReportContent:
    return ReportContent(title="", metrics={"audit": audit})


@pytest.mark.parametrize(
    ("verdict", "tone"), [("confounded", "red"), ("at_risk", "amber"), ("Clear", "green"), ("cannot tell", "grey")]
)
def test_a_verdict_has_its_colour_and_its_meaning(verdict, tone):
    banner = headline.banner(audited(verdict=verdict, reasons=["a", "b", "c", "d"]))
    assert (banner.tone, banner.reasons) == (tone, ["a", "b", "c"])
    assert banner.meaning == headline.MEANINGS[banner.verdict]
    before = headline.banner(audited(verdict=verdict, kind="headers"))
    assert before.meaning == headline.BEFORE_TRAINING[before.verdict] != banner.meaning


def test_without_an_audit_the_banner_says_so():
    banner = headline.banner(ReportContent(title="", metrics={}))
    assert (banner.verdict, banner.tone) == ("no audit", "grey")


def test_a_figure_that_is_not_evidence_has_a_caution():
    figures = [{"keys": ["detection"], "standing": "no evidence"}, {"keys": ["transfer"], "standing": "evidence"}]
    content = audited(verdict="confounded", figures=figures)
    assert headline.caution_for(content, "detection") == headline.CAUTIONS["no evidence"]
    assert headline.caution_for(content, "transfer") == ""  # the audit lists which figures are evidence
    assert headline.caution_for(audited(verdict="confounded"), "transfer") == headline.CAUTIONS["no evidence"]
    assert headline.caution_for(audited(verdict="confounded"), "localisation") == ""


def test_the_summary_states_who_was_scored_and_how_well(make_content):
    content = make_content(views=0)
    assert headline.summary(content).startswith("78 subjects scored (44 healthy, 34 abnormal); AUROC of the residual")
    without_auroc = dataclasses.replace(content, metrics={"scoring": {"alpha": 0.1}})
    flagged = int(content.predictions.query("role != 'validation'")["flagged"].sum())
    assert headline.summary(without_auroc).endswith(f"; {flagged} of 78 flagged at alpha 0.1.")
    assert headline.cohort_summary(content).startswith("118 subjects (44 healthy, 34 abnormal); headers and labels")
    assert headline.summary(ReportContent(title="", metrics={})) == "0 subjects scored."


def test_cards_show_the_figures_next_to_their_baselines(make_content):
    content = make_content(views=0)
    detection, transfer, alarms, precision, dice = headline.cards(content)
    auroc = content.metrics["detection"]["auroc"]["value"]
    assert float(detection.main.value) == pytest.approx(auroc, abs=0.006)
    assert [figure.name for figure in detection.compared][:2] == ["baseline intensity", "baseline healthy_mean"]
    gain = content.metrics["detection"]["difference"]["healthy_mean"]["value"]
    assert float(detection.compared[2].value.replace("\N{MINUS SIGN}", "-")) == pytest.approx(gain, abs=0.006)
    assert transfer.main.note == "logistic, both features" and alarms.main.note == "nominal: alpha = 0.10"
    assert precision.main.note and dice.main.note


def test_a_card_without_a_value_gives_the_reason(make_content):
    content = dataclasses.replace(make_content(views=0), metrics={})
    detection, _, _, precision, _ = headline.cards(content)
    assert (detection.main.value, detection.main.note) == ("not defined", "this evaluation did not compute it")
    assert precision.main.note == "the scored subjects have no lesion masks"


def test_a_trial_says_so_in_the_summary_and_is_not_green(make_content):
    content = make_content(views=0, learnt=3, cautions=[Serious("a trial")])
    assert headline.summary(content).startswith("Not a result: see the cautions. 78 subjects scored")
    assert headline.summary(content).endswith("The network learnt from 3 healthy brains.")
    assert headline.banner(content).tone == "grey" and "not a result to rely on" in headline.banner(content).answer
    assert headline.cards(content)[0].main.note == "learnt from 3 healthy brains"


def test_the_answer_says_whether_the_network_is_worth_its_training(make_content):
    content = make_content(views=0)
    for low, high, words in [
        (0.1, 0.2, "beats the best baseline, healthy_mean"),
        (-0.2, -0.1, "is not worth"),
        (-0.1, 0.1, "It is not shown that"),
    ]:
        content.metrics["detection"]["difference"]["healthy_mean"] = {"value": 0.0, "low": low, "high": high}
        assert words in headline.answer(content)
    without = dataclasses.replace(content, settings={"model": {"name": "subspace", "network": None}}, learnt=56)
    assert "network" not in headline.answer(without) + headline.summary(without)
    assert headline.summary(without).endswith("The model learnt from 56 healthy brains.")
    content.metrics["audit"]["verdict"] = "confounded"
    assert "disease or the scanner cannot be said" in headline.answer(content)


def test_a_patient_is_shown_with_the_decision_and_the_brains_that_calibrate(make_content):
    content = make_content(views=0)
    row = content.predictions.iloc[[-1]].assign(label="unknown", score=1.0, flagged=True, out_of_calibration=True)
    content = dataclasses.replace(content, predictions=row, calibration_scores=np.arange(40) / 20, learnt=56)
    banner = headline.banner(content)
    assert banner.tone == "amber"
    assert banner.heading == "The brain is flagged, but the threshold is not set for such scans"
    assert "no audit is possible" in banner.reasons[0]
    score, _, as_high, flagged, learnt = headline.cards(content)
    assert score.main.value == "1.00" and "unlike those that calibrate" in score.caution
    assert (as_high.main.value, flagged.main.value, learnt.main.value) == ("20 of 40", "yes", "56")
    undecided = dataclasses.replace(content, predictions=row.assign(flagged=None))
    assert headline.banner(undecided).heading == "No decision: too few healthy brains calibrate"
