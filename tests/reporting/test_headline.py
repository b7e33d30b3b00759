"""Top of the report: verdict, one-line summary, key figures and their cautions."""

import dataclasses

import pytest

from brain_cae.reporting import headline
from brain_cae.reporting.content import ReportContent


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
