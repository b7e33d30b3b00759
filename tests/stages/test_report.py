"""Content of the report: title, curves, views and the table of predictions."""

from dataclasses import replace
from types import SimpleNamespace

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data.subject import to_source_space
from brain_cae.stages import report
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.report import PREDICTIONS, curves, map_reader, predictions, title, view, views, with_pages

BASELINES = ("intensity", "healthy_mean")


@pytest.fixture
def table():
    """Return six healthy subjects, four with a tumour and two without a label, by increasing score."""
    labels = ["healthy"] * 6 + ["abnormal"] * 4 + ["unknown"] * 2
    table = pd.DataFrame(dict.fromkeys(PREDICTIONS[1:], ""), index=[f"s{number:02d}" for number in range(12)])
    table["label"], table["score"], table["p_value"] = labels, np.arange(12.0), 0.5
    table["flagged"], table["out_of_calibration"], table["classifier_probability"] = False, False, np.nan
    for name in ("residual", *BASELINES):
        table[f"score.{name}"] = table["score"]
    return table


def test_the_title_has_sources_options_and_the_run_of_a_stored_model(make_config, tmp_path):
    cohort = Cohort(pd.DataFrame({"source": ["ixi", "brats", "ixi"]}), pd.DataFrame(), [], ["t1"], "t1")
    config = make_config("modality=t1", "reshape=modal")
    assert title(config, cohort, None) == "brats and ixi, t1, modal"
    assert title(config, cohort, tmp_path / "12-00") == "brats and ixi, t1, modal: scored with the model of 12-00"


def test_the_table_of_predictions_has_no_columns_of_single_scorers(table):
    assert list(predictions(table)) == PREDICTIONS
    assert predictions(table)["subject"].tolist() == list(table.index)


def test_curves_need_enough_subjects_of_each_class(table):
    drawn = curves(table, BASELINES, 4)
    assert set(drawn) == {"residual", "intensity", "healthy_mean"}
    labels, scores = drawn["residual"]
    assert len(labels) == len(scores) == 10 and "unknown" not in set(labels)
    assert curves(table, BASELINES, 5) == {}
    table.loc[["s00", "s06"], "classifier_probability"] = [0.1, 0.9]
    assert curves(table, BASELINES, 4)["transfer classifier"][1].tolist() == [0.1, 0.9]


def test_the_views_show_the_highest_scores_and_the_highest_healthy_scores(
    table, make_subject, make_config, monkeypatch
):
    prepared = {name: make_subject(name) for name in table.index}
    monkeypatch.setattr(report, "examine", lambda detector, subject: (None, None, np.ones(subject.mask.sum())))
    table.loc["s11", "out_of_calibration"] = True
    assessment = Assessment(
        table=table,
        findings={},
        features=pd.DataFrame(),
        arm="both",
        harmonised=None,
        unreached=[],
        transfer=SimpleNamespace(),
        detectors=dict.fromkeys(table.index),
        cohort=Cohort(pd.DataFrame(), pd.DataFrame(), [], ["t1", "flair"], "flair", prepared=prepared),
    )
    config = make_config("evaluation.views=1")
    assert with_pages(config, table, new_subjects=False) == [f"s{number:02d}" for number in (11, 10)]
    # A healthy brain that the report shows has a page, too.
    more = with_pages(make_config("evaluation.views=2"), table, new_subjects=False)
    assert more == ["s11", "s10", "s09", "s08", "s05"]
    assert len(with_pages(config, table, new_subjects=True)) == 12
    assert len(with_pages(make_config("evaluation.views=1", "evaluation.maps=false"), table, new_subjects=True)) == 2
    drawn = views(make_config("modality=t1_flair", "evaluation.views=4"), assessment)
    assert [view.subject for view in drawn] == ["s11", "s10", "s09", "s05"]
    assert [bool(view.caption) for view in drawn] == [True, False, False, False]
    assert drawn[0].modality == "flair" and list(drawn[0].others) == ["t1"]
    inside = (slice(2, -2),) * 3  # the margin
    np.testing.assert_array_equal(drawn[0].image[inside], prepared["s11"].volume[1])
    assert drawn[0].anomaly_map.shape == drawn[0].image.shape
    np.testing.assert_array_equal(drawn[0].anomaly_map[inside] > 0, prepared["s11"].mask)
    assert views(make_config("modality=t1_flair", "evaluation.views=0"), assessment) == []
    (one,) = views(make_config("modality=t1_flair", "evaluation.views=1"), assessment)
    assert one.subject == "s11"  # not the highest healthy score
    all_healthy = replace(assessment, table=table.assign(label="healthy"))
    drawn = views(make_config("modality=t1_flair", "evaluation.views=4"), all_healthy)
    assert [view.subject for view in drawn] == ["s11", "s10", "s09", "s08"]


def test_a_map_that_was_written_is_shown_at_its_place(make_subject, make_config, table, tmp_path):
    """The scan is stored from superior to inferior, and the arrays of the subject cover a part of it."""
    subject = make_subject("s11", shape=(12, 14, 10))
    stored = np.diag([2.0, 2.0, -3.0, 1.0])
    stored[:3, 3] = [-8, -10, 60]
    affine = np.diag([2.0, 2.0, 3.0, 1.0])
    affine[:3, 3] = stored[:3, 3] + [2 * 3, 2 * 2, -3 * 19 + 3 * 5]
    subject = replace(subject, affine=affine, source_affine=stored, source_shape=(20, 22, 20), start=(3, 2, 5),
                      whole=(20, 22, 20))  # fmt: skip
    values = np.random.default_rng(0).normal(size=(12, 14, 10)).astype(np.float32)
    (tmp_path / "anomaly_maps").mkdir()
    nibabel.save(to_source_space(values, subject), tmp_path / "anomaly_maps" / "x_all.nii.gz")
    reader = map_reader(tmp_path / "anomaly_maps", {"s11": "x", "s10": "y"})
    assert reader("s10") is None
    cohort = Cohort(pd.DataFrame(), pd.DataFrame(), [], ["t1", "flair"], "flair", prepared={"s11": subject})
    assessment = SimpleNamespace(table=table, cohort=cohort, detectors={})
    shown = view(make_config("modality=t1_flair"), assessment, "s11", reader)
    np.testing.assert_allclose(shown.anomaly_map[2:-2, 2:-2, 2:-2], values, atol=1e-5)
