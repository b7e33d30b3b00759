"""Tables of roles, import losses and acquisition parameters."""

import dataclasses

import pandas as pd

from brain_cae.reporting import subject_tables
from brain_cae.reporting.content import ReportContent


def texts(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_losses_are_counted_by_reason_with_the_largest_first(make_content):
    content = make_content(views=0)
    assert subject_tables.import_sentence(content) == "7 of 10 series of 10 subjects were imported."
    assert texts(subject_tables.loss_table(content)) == [
        ["gap between slices", "2", "2", "flair"], ["truncated file", "1", "1", "flair"]
    ]  # fmt: skip
    complete = dataclasses.replace(content, import_report=content.import_report.assign(status="imported"))
    assert subject_tables.loss_table(complete) is None
    assert subject_tables.import_sentence(ReportContent(title="", metrics={})) == ""


def test_protocols_count_only_scored_subjects(make_content):
    content = make_content(views=0)
    roles, people, protocols = subject_tables.cohort_tables(content)
    assert people is None  # the index knows neither age nor sex
    counted = pd.crosstab(content.predictions.query("role != 'validation'")["protocol"], "all")["all"]
    assert {row[0]: int(row[-1]) for row in texts(protocols)} == counted.to_dict()
    assert texts(roles) == [
        # Predictions hold no labels of the training brains: only their total is shown.
        ["train", "\N{EN DASH}", "\N{EN DASH}", "\N{EN DASH}", "56"],
        ["validation", "40", "0", "0", "40"],
        ["classifier", "44", "34", "0", "78"],
    ]


def test_the_flow_of_subjects_counts_everybody_once():
    index = pd.DataFrame(
        {"subject": [*"aabcde"], "label": ["healthy"] * 3 + ["abnormal", "healthy", "unknown"], "modality": "t1"}
    )
    report = pd.DataFrame({"subject": [*"aabcdexy"], "status": ["imported"] * 6 + ["refused", "missing"]})
    predictions = pd.DataFrame(
        {"subject": [*"ace"], "score": 1.0, "role": "test", "label": ["healthy", "abnormal", "unknown"]}
    )
    content = ReportContent(title="", metrics={}, index=index, predictions=predictions, import_report=report)
    dash = "\N{EN DASH}"
    flow = texts(subject_tables.flow_table(content))
    assert flow[:-1] == [
        ["with scans in the data set", dash, dash, dash, "7"],
        ["left out: no usable set of scans", dash, dash, dash, "2"],
        ["prepared", "3", "1", "1", "5"],
        ["scored", "1", "1", "1", "3"],
    ]
    assert flow[-1][0].startswith("not scored (trained or calibrated") and flow[-1][1:] == ["2", "0", "0", "2"]
    unscored = dataclasses.replace(content, predictions=predictions.drop(columns="score"))
    assert subject_tables.flow_table(unscored) is None
    limited = texts(subject_tables.flow_table(dataclasses.replace(content, settings={"limit": 7})))
    assert limited[0][0] == "with scans in the data set (at most limit=7)"
    # Patients have no labels, and no roles.
    index = index.assign(label="unknown")
    new = dataclasses.replace(content, index=index, predictions=predictions.assign(label="unknown"))
    assert subject_tables.flow_table(new).columns == ["subjects", "total"]
    alone = dataclasses.replace(content, index=index[:2], predictions=predictions[:1], import_report=report[:2])
    assert subject_tables.flow_table(alone) is None


def test_age_and_sex_are_shown_by_label_for_those_that_were_scored_and_the_others():
    index = pd.DataFrame(
        {
            "subject": [*"aabcde"], "label": ["healthy"] * 4 + ["abnormal"] * 2,
            "modality": ["t1", "flair", "t1", "t1", "t1", "t1"],
            "age": [40.0, 41.0, 30.0, None, 62.0, 70.5], "sex": ["F", "F", "M", "", "F", "F"],
        }
    )  # fmt: skip
    predictions = pd.DataFrame({"subject": [*"abde"], "score": 1.0, "role": "test"})
    content = ReportContent(title="", metrics={}, index=index, predictions=predictions)
    dash = "\N{EN DASH}"
    assert texts(subject_tables.people_table(content)) == [
        ["healthy, scored", "2", f"35 (30{dash}40)", "2", "F (1), M (1)"],
        ["abnormal, scored", "2", f"66.2 (62.0{dash}70.5)", "2", "F (2)"],
        ["healthy, not scored", "1", "", "0", ""],
    ]
    nothing = dataclasses.replace(content, index=index.assign(age=None, sex=""))
    assert subject_tables.people_table(nothing) is None


def test_parameters_are_shown_by_label_with_median_and_range():
    index = pd.DataFrame(
        {
            "label": ["healthy"] * 3 + ["abnormal"] * 2, "modality": "flair", "echo_time_ms": [90, 100, 120, 80, 85.5],
            "manufacturer": ["GE", "GE", "SIEMENS", "GE", ""], "rows": 256,
        }
    )  # fmt: skip
    table = subject_tables.header_table(ReportContent(title="", metrics={}, index=index))
    assert texts(table) == [
        ["flair", "TE, ms", "100 (90\N{EN DASH}120)", "82.8 (80.0\N{EN DASH}85.5)"],
        ["flair", "manufacturer", "GE (2), SIEMENS (1)", "GE (1)"],
    ]
    one_class = ReportContent(title="", metrics={}, index=index[:3])
    assert subject_tables.header_table(one_class) is None


def test_a_significant_difference_is_marked():
    row = {"modality": "t1", "parameter": "echo_time_ms", "what": "value", "healthy": "90", "abnormal": "100",
           "effect": 0.5, "effect_name": "delta", "p": 0.01}  # fmt: skip
    details = [row | {"p_corrected": 0.04}, row | {"p_corrected": 0.2, "what": "known or missing"}]
    metrics = {"audit": {"tests": [{"name": "header_comparison", "details": details}]}}
    table = subject_tables.compared_headers(ReportContent(title="", metrics=metrics))
    assert [row[4].tone for row in table.rows] == ["amber", ""]
    assert texts(table)[1][1] == "TE, ms: known or missing" and texts(table)[0][6] == "0.040"
