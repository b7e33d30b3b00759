"""Checklists: every item once, answered by what the run knows, open otherwise."""

import dataclasses

from brain_cae.reporting import checklists
from brain_cae.reporting.content import ReportContent


def test_every_item_is_there_once():
    assert [number for number, _, _ in checklists.CLAIM] == [str(number) for number in range(1, 45)]
    numbers = [number for number, _, _ in checklists.TRIPOD]
    assert len(set(numbers)) == len(numbers) == 52
    assert list(dict.fromkeys(number.rstrip("abcdefg") for number in numbers)) == [str(n) for n in range(1, 28)]


def test_items_are_answered_from_the_run_or_open(make_content):
    (_, claim, answered), (_, tripod, _) = checklists.tables(make_content(views=0, settings={"seed": 3}))
    answers = {row[0].text: row[2].text for row in claim.rows}
    assert answers["44"] == answers["5"] == "open" and "seed 3" in answers["19"]
    assert answers["8"] == "7 of 10 series imported; reasons in section Import and import_report.csv"
    assert answered == sum(text != "open" for text in answers.values()) > 15
    assert next(row[2].text for row in tripod.rows if row[0].text == "23a").startswith("AUROC 0.9")


def answers_of(content):
    (_, claim, _), _ = checklists.tables(content)
    return {row[0].text: row[2].text for row in claim.rows}


def test_a_model_without_network_has_neither_epochs_nor_initial_weights(make_content):
    def answers(name, network):
        model = {"name": name, "network": network}
        settings = {"seed": 3, "model": model, "trainer": {"max_epochs": 40}}
        return answers_of(make_content(views=0, settings=settings))

    plain, without = answers("cae", {"channels": [4]}), answers("subspace", None)
    assert plain["22"].startswith("3D convolutional autoencoder 'cae'") and plain["25"].startswith("40 epochs")
    assert without["22"].startswith("linear space of healthy brains, without a network, 'subspace'")
    assert (without["24"], without["25"]) == ("no network", "no network; paragraph above")
    assert answers("translation", {"channels": [4]})["22"].startswith("3D U-Net 'translation'")


def test_a_nested_evaluation_has_no_roles_but_those_of_its_folds(make_content):
    nested = {"seed": 3, "evaluation": {"name": "nested", "folds": 4}}
    answer = answers_of(make_content(views=0, settings=nested))["19"]
    assert answer.startswith("by subject, into 4 outer folds, stratified by label (seed 3): test ")
    assert "train" not in answer and answer.endswith("each once; outer/*/splits.csv")


def test_answers_hold_for_the_data_of_the_run(make_content):
    content = make_content(views=0, settings={"seed": 3, "split": {"name": "protocol"}})
    known = answers_of(content)
    assert known["13"].startswith("index.csv lists") and "by label and protocol (seed 3)" in known["19"]
    assert known["38"].startswith("sensitivity 0.") and ", specificity " in known["38"]
    assert known["20"] == "open"  # whether images are shared was not tested
    tests = [{"name": "leakage", "verdict": "no concern"}]
    tested = make_content(metrics=content.metrics | {"audit": {"tests": tests}})
    assert answers_of(tested)["20"].startswith("subject; also no series")
    unnamed = content.index.assign(manufacturer=None, field_strength_t=None, repetition_time_ms=None, echo_time_ms=None)
    new = content.metrics | {"subjects": {"train": 0, "test": 78}}
    other = answers_of(make_content(index=unnamed, metrics=new))
    assert other["13"] == "open" and other["19"].startswith("all are new: none of them trained or calibrated")


def test_columns_of_empty_text_answer_nothing(make_content):
    index = make_content().index.assign(age=None, sex="")
    assert answers_of(make_content(index=index))["36"] == "open"
    assert answers_of(make_content(index=index.assign(sex="F")))["36"].startswith("sex: table in section Subjects")


def test_nothing_is_claimed_that_is_not_known():
    answers = answers_of(ReportContent(title="", metrics={}))
    assert {answers[number] for number in ("7", "8", "13", "19", "20", "21", "25", "32", "37", "38", "39")} == {"open"}


def test_ensembles_external_data_and_imbalance_are_answered_from_the_run(make_content):
    def answers(metrics=None, **settings):
        content = make_content(views=0, settings={"model": {"name": "cae", "network": {}}, **settings})
        (_, claim, _), (_, tripod, _) = checklists.tables(
            dataclasses.replace(content, metrics=metrics or content.metrics)
        )
        answered = {
            f"{name} {row[0].text}": row[2].text for name, table in (("C", claim), ("T", tripod)) for row in table.rows
        }
        return answered["C 27"], answered["C 33"], answered["T 13"]

    one, external, imbalance = answers(balancing={"name": "smote"})
    assert (one, external) == ("none: one model", "open")
    assert imbalance.endswith("classifier: balancing=smote, inside each training part")
    assert answers(model={"name": "cae", "members": ["subspace"]})[0].startswith(
        "residual joined with that of 1 further"
    )
    assert answers(external={"name": "folder"})[1] == "external/report.html"
    metrics = make_content(views=0).metrics
    folds = metrics | {"scoring": metrics["scoring"] | {"calibration": "crossfit"}}
    assert answers(folds, calibration={"folds": 4})[0].startswith("means over 4 networks")
    without = {"name": "subspace", "network": None}
    assert answers(folds, calibration={"folds": 4}, model=without)[0].startswith("means over 4 models")
    new = metrics | {"subjects": {"train": 0, "test": 78}}
    assert answers(new)[1].startswith("all subjects of this report are new to the model: AUROC 0.9")
