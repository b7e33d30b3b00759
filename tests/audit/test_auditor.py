"""The whole audit, on tables with known truth and on tables that cannot be judged."""

import doctest
import importlib
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit import audit, audit_headers
from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN
from brain_cae.errors import ConfigurationError, DatasetError

LARGE = {"healthy": 60, "abnormal": 140, "dependence": 0.7}
EXPECTED = {
    # confounding, effect: verdict, and the answers that follow from the truth
    (0.0, 1.5): ("clear", {"metadata_only": NO_CONCERN, "score_dependence": CONCERN, "partial_confounder": CONCERN,
                           "contribution": NO_CONCERN, "within_protocol": NO_CONCERN, "full_confounder": NO_CONCERN,
                           "header_comparison": NO_CONCERN, "reshape_group": NO_CONCERN, "overlap": NO_CONCERN}),
    (0.6, 1.5): ("at risk", {"metadata_only": CONCERN, "protocol_label": CONCERN, "score_dependence": CONCERN,
                             "within_protocol": NO_CONCERN, "full_confounder": NO_CONCERN, "contribution": CONCERN,
                             "header_comparison": CONCERN, "reshape_group": CONCERN, "overlap": NO_CONCERN}),
    (0.6, 0.0): ("confounded", {"metadata_only": CONCERN, "score_dependence": CONCERN, "within_protocol": CONCERN,
                                "full_confounder": CONCERN, "header_comparison": CONCERN, "overlap": NO_CONCERN}),
    (1.0, 1.5): ("confounded", {"overlap": CONCERN, "metadata_only": CONCERN, "within_protocol": CANNOT_TELL,
                                "full_confounder": CANNOT_TELL, "contribution": CANNOT_TELL}),
    (1.0, 0.0): ("confounded", {"overlap": CONCERN, "header_comparison": CONCERN, "within_protocol": CANNOT_TELL}),
}  # fmt: skip


@pytest.mark.parametrize(("confounding", "effect"), EXPECTED)
def test_the_verdict_and_every_test(simulate, confounding: float, effect: float) -> None:
    verdict, answers = EXPECTED[confounding, effect]
    subjects, acquisition = simulate(2, confounding=confounding, effect=effect, **LARGE)
    result = audit(subjects, acquisition=acquisition)
    verdicts = {test.name: test.verdict for test in result.tests}
    assert result.verdict == verdict
    assert {name: verdicts[name] for name in answers} == answers
    assert len(result.reasons) <= 3


def test_many_sites_of_two_subjects_each_are_several_protocols() -> None:
    rng = np.random.default_rng(1)
    site = np.repeat(np.arange(30), 2)
    offset = rng.normal(0, 3, 30)[site]
    label = np.where(rng.random(60) < 1 / (1 + np.exp(-2 * offset)), "abnormal", "healthy")
    subjects = pd.DataFrame({"label": label, "score": offset + rng.normal(0, 0.2, 60), "site": [*map(str, site)]})
    result = audit(subjects, acquisition=pd.DataFrame(index=subjects.index), strata="site")
    # The AUROC is 0.96, and 0.40 within the sites: label and score are the site's.
    assert result.verdict == "cannot tell"
    verdicts = {test.name: test.verdict for test in result.tests}
    assert {verdicts[name] for name in ("metadata_only", "protocol_label", "score_dependence")} == {CONCERN}


def headers_of(tables) -> str:
    subjects, acquisition = tables
    return audit_headers(subjects.drop(columns="score"), acquisition=acquisition).verdict


def test_headers_alone_detect_the_association_and_nothing_else(simulate) -> None:
    verdicts = {
        confounding: Counter(
            headers_of(simulate(seed, confounding=confounding, healthy=60, abnormal=140)) for seed in range(cohorts)
        )
        for confounding, cohorts in ((0.0, 6), (0.6, 2), (1.0, 2))
    }
    assert verdicts[0.0]["confounded"] + verdicts[0.0]["at risk"] <= 2 and verdicts[0.0]["clear"] >= 4
    assert verdicts[0.6] == {"at risk": 2}
    assert verdicts[1.0] == {"confounded": 2}


def test_headers_alone_are_judged_without_the_score(simulate) -> None:
    subjects, acquisition = simulate(1, confounding=0.6)
    result = audit_headers(subjects, acquisition=acquisition)
    assert result.to_dict() == audit_headers(subjects.drop(columns="score"), acquisition=acquisition).to_dict()
    assert [test.name for test in result.tests] == [
        "overlap",
        "metadata_only",
        "protocol_label",
        "header_comparison",
        "label_semantics",
    ]
    single = audit_headers(subjects.assign(label="healthy"), acquisition=acquisition)
    assert single.verdict == "cannot tell" and "All 80 labelled subjects are healthy" in single.reasons[0]


def test_explanatory_tests_do_not_change_the_verdict(simulate) -> None:
    subjects, acquisition = simulate(1, confounding=0.6, dependence=1.0)
    whole = audit(subjects, acquisition=acquisition)
    short = audit(subjects, acquisition=acquisition, explain=False)
    assert (short.verdict, short.reasons, short.figures) == (whole.verdict, whole.reasons, whole.figures)
    left_out = {test.name for test in whole.tests} - {test.name for test in short.tests}
    assert left_out == {
        "header_comparison",
        "partial_confounder",
        "full_confounder",
        "reshape_group",
        "false_alarms",
    }


@pytest.mark.soak
@pytest.mark.parametrize("effect", [0.0, 1.5])
@pytest.mark.parametrize("dependence", [0.0, 0.7])
def test_false_alarm_rate_over_many_cohorts(simulate, effect: float, dependence: float) -> None:
    verdicts: Counter = Counter()
    alarms: Counter = Counter()
    for seed in range(1000, 1400):
        subjects, acquisition = simulate(seed, effect=effect, dependence=dependence)
        result = audit(subjects, acquisition=acquisition)
        verdicts[result.verdict] += 1
        alarms.update(test.name for test in result.tests if test.verdict == CONCERN)
    # 5 % of 400 is 20; more than 31 would happen once in a hundred times.
    assert verdicts["confounded"] + verdicts["at risk"] <= 31
    for name in ("metadata_only", "protocol_label", "header_comparison", "reshape_group", "overlap"):
        assert alarms[name] <= 31, name
    if dependence == 0:
        assert alarms["score_dependence"] <= 31 and alarms["partial_confounder"] <= 31


@pytest.mark.parametrize("label", ["healthy", "abnormal", "unknown"])
def test_one_label_only(simulate, label: str) -> None:
    subjects, acquisition = simulate(1)
    result = audit(subjects.assign(label=label), acquisition=acquisition)
    assert result.verdict == "cannot tell"
    assert ("label" if label == "unknown" else label) in result.reasons[0]


@pytest.mark.parametrize("size", [3, 30])
def test_a_label_that_equals_the_source_closes_the_gate(simulate, size: int) -> None:
    subjects, acquisition = simulate(1, healthy=size, abnormal=size)
    subjects["source"] = np.where(subjects["label"] == "healthy", "ixi", "brats")
    result = audit(subjects, acquisition=acquisition)
    text = " ".join(result.reasons)
    assert result.verdict == "confounded"
    assert "no source has both classes" in text
    standing = {row["keys"][0]: row["standing"] for row in result.figures}
    assert standing["detection"] == standing["transfer"] == standing["audit.within_protocol"] == "no evidence"
    assert standing["localisation"] == standing["reconstruction"] == standing["detection.specificity"] == "stands"
    shared = subjects.assign(source=np.where(np.arange(2 * size) % 2, "ixi", "brats"))
    assert "source" not in audit(shared, acquisition=acquisition).reasons[0]


def test_unknown_protocols_cannot_tell(simulate) -> None:
    subjects, acquisition = simulate(1)
    result = audit(subjects.assign(protocol=""), acquisition=acquisition)
    assert result.verdict == "cannot tell" and "not known" in result.reasons[0]
    assert {test.name for test in result.tests} == {
        "metadata_only", "image_minus_metadata", "false_alarms", "label_semantics"
    }  # fmt: skip


@pytest.mark.parametrize("scored", [True, False])
def test_settings_that_tell_the_classes_apart_are_named_without_a_protocol(simulate, scored: bool) -> None:
    subjects, _ = simulate(1)
    rows = np.where(subjects["label"] == "healthy", 256, 512)
    acquisition = pd.DataFrame({"rows": rows}, index=subjects.index)
    check = audit if scored else audit_headers
    result = check(subjects.assign(protocol="unknown"), acquisition=acquisition)
    assert result.verdict == "cannot tell" and "not known" in result.reasons[0]
    assert "AUROC of 1.00" in result.reasons[1] and "scanned differently" in result.reasons[1]


def test_subjects_that_the_autoencoder_was_fitted_on_are_left_out(simulate) -> None:
    subjects, acquisition = simulate(1)
    role = pd.Series("test", index=subjects.index)
    role.iloc[:8] = "validation"
    result = audit(subjects.assign(role=role), acquisition=acquisition)
    assert {test.n for test in result.tests if test.name == "overlap"} == {72}


def test_deterministic_and_json_safe(simulate) -> None:
    subjects, acquisition = simulate(3, healthy=70, abnormal=130)
    subjects.loc[subjects.index[:5], "score"] = np.nan
    first = audit(subjects, acquisition=acquisition, features=acquisition[["flair_rows"]]).to_dict()
    again = audit(subjects, acquisition=acquisition, features=acquisition[["flair_rows"]]).to_dict()
    assert json.dumps(first, allow_nan=False) == json.dumps(again, allow_nan=False)
    assert set(first) == {"verdict", "reasons", "warnings", "figures", "tests", "classifier"}
    assert {"name", "value", "low", "high", "p", "verdict"} <= set(first["tests"][0])
    for test in first["tests"]:
        assert test["low"] is None or test["low"] <= test["value"] <= test["high"], test["name"]


def test_order_of_rows_does_not_matter_for_the_verdict(simulate) -> None:
    subjects, acquisition = simulate(5, confounding=0.6, dependence=1.0)
    mixed = acquisition.sample(frac=1, random_state=0)
    assert audit(subjects, acquisition=acquisition).to_dict() == audit(subjects, acquisition=mixed).to_dict()


def test_wrong_tables_are_named(simulate) -> None:
    subjects, acquisition = simulate(1)
    with pytest.raises(DatasetError, match="score"):
        audit(subjects.drop(columns="score"), acquisition=acquisition)
    with pytest.raises(ConfigurationError, match="strata"):
        audit(subjects, acquisition=acquisition, strata="scanner")
    with pytest.raises(DatasetError, match="one row per subject"):
        audit(pd.concat([subjects, subjects.iloc[:1]]), acquisition=acquisition)
    with pytest.raises(DatasetError, match="in common"):
        audit(subjects, acquisition=acquisition.set_axis(range(80)))
    with pytest.raises(ConfigurationError, match="margin"):
        audit(subjects, acquisition=acquisition, margin=0.4)


def test_example_of_the_documentation_runs() -> None:
    module = importlib.import_module("brain_cae.audit.auditor")
    result = doctest.testmod(module)
    assert result.attempted > 3 and result.failed == 0


def test_every_reason_is_a_sentence(simulate) -> None:
    for confounding in (0.0, 0.6, 1.0):
        subjects, acquisition = simulate(2, confounding=confounding, dependence=1.0)
        for reason in audit(subjects, acquisition=acquisition).reasons:
            assert reason[0].isupper() or reason[0].isdigit()
            assert reason.endswith(".") and "nan" not in reason and "None" not in reason


def scanner_dependent(seed: int, *, disease: float, confounding: float = 0.6) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a score that depends on the disease only, and a classifier that also depends on the scanner."""
    generator = np.random.default_rng(seed)
    ill = np.arange(120) % 2
    tied = generator.random(120) < confounding
    scanner = np.where(tied, 2 * ill + generator.integers(0, 2, 120), generator.integers(0, 4, 120))
    effect = disease * ill
    classifier = effect + 2.0 * (scanner >= 2) + generator.standard_normal(120)
    table = pd.DataFrame(
        {
            "label": np.where(ill, "abnormal", "healthy"),
            "score": effect + generator.standard_normal(120),
            "classifier_probability": 1 / (1 + np.exp(-classifier)),
            "protocol": [f"scanner {number}" for number in scanner],
        }
    )
    return table, pd.DataFrame({"echo_time_ms": [90.0, 110.0, 130.0, 160.0]}).loc[scanner].reset_index(drop=True)


@pytest.mark.parametrize(("disease", "expected"), [(0.0, {"confounded"}), (2.0, {"at risk"})])
def test_a_classifier_has_a_separate_verdict(disease: float, expected: set[str]) -> None:
    """The score used no labels and does not depend on the scanner; a classifier may still have learnt it."""
    table, acquisition = scanner_dependent(0, disease=disease)
    result = audit(table, acquisition=acquisition, explain=False)
    assert result.verdict == "clear" and result.classifier is not None
    assert {result.classifier["verdict"]} == expected
    assert result.to_dict()["classifier"]["reasons"] == result.classifier["reasons"]
    rows = {row["keys"][0]: row["standing"] for row in result.figures}
    assert rows["detection"] == "stands"
    assert rows["transfer"] == ("no evidence" if disease == 0 else "read with care")
    assert any("the verdict on the transfer classifier is" in warning for warning in result.warnings)
    without = audit(table.drop(columns="classifier_probability"), acquisition=acquisition, explain=False)
    assert without.classifier is None and without.verdict == "clear" and not without.warnings


def test_a_classifier_without_any_probability_has_no_verdict() -> None:
    table, acquisition = scanner_dependent(0, disease=0.0)
    result = audit(table.assign(classifier_probability=np.nan), acquisition=acquisition, explain=False)
    assert result.classifier is None and not result.warnings


def test_a_classifier_on_an_unconfounded_cohort_is_also_clear() -> None:
    table, acquisition = scanner_dependent(1, disease=2.0, confounding=0.0)
    result = audit(table, acquisition=acquisition, explain=False)
    assert result.verdict == "clear" and result.classifier is not None and result.classifier["verdict"] == "clear"
    assert not result.warnings


def test_a_skull_stripper_that_follows_the_label_is_seen_and_one_for_all_changes_nothing(simulate) -> None:
    subjects, acquisition = simulate(2, healthy=20, abnormal=30)
    results = {
        name: audit_headers(subjects, acquisition=acquisition.assign(**columns))
        for name, columns in {
            "without": {},
            "constant": {"stripped_by": "delivered"},
            "heads": {"stripped_by": ""},
            "follows": {"stripped_by": np.where(subjects["label"] == "healthy", "deepbet", "delivered")},
        }.items()
    }
    plain = {name: json.dumps([test.to_dict() for test in result.tests]) for name, result in results.items()}
    assert plain["constant"] == plain["heads"] == plain["without"]
    tests = {test.name: test for test in results["follows"].tests}
    assert tests["metadata_only"].verdict == tests["header_comparison"].verdict == CONCERN
    assert tests["header_comparison"].details[0]["parameter"] == "stripped_by"
