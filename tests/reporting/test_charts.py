"""Charts show the same values as the tables."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from brain_cae.reporting import charts
from brain_cae.reporting.figures import LIGHT, style


def test_roc_steps_through_the_known_points(make_content):
    content = make_content(
        views=0, curves={"score": (["healthy", "healthy", "abnormal", "abnormal"], [0.1, 0.6, 0.4, 0.9])}
    )
    axis = charts.roc(content, LIGHT).axes[0]
    curve = next(line for line in axis.lines if line.get_label() == "score")
    assert list(zip(curve.get_xdata(), curve.get_ydata(), strict=True)) == [
        (0, 0),
        (0, 0.5),
        (0.5, 0.5),
        (0.5, 1),
        (1, 1),
    ]


def test_a_curve_of_one_class_is_left_out(make_content):
    assert charts.roc(make_content(views=0, curves={"score": ([1, 1], [0.1, 0.2])}), LIGHT) is None


def test_scores_have_a_row_for_each_label_and_the_threshold(make_content):
    content = make_content(views=0, calibration_scores=np.arange(40) / 20)
    axis = charts.scores(content, LIGHT).axes[0]
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == ["abnormal\n(n=34)", "healthy\n(n=44)", "healthy,\ncalibration\n(n=40)"]
    assert [len(dots.get_offsets()) for dots in axis.collections] == [34, 44, 40]
    expected = content.metrics["scoring"]["threshold"]
    assert any(np.allclose(line.get_xdata(), expected) for line in axis.lines)


def test_a_patient_is_shown_among_the_brains_that_calibrate_but_not_alone(make_content):
    content = make_content(views=0)
    one = content.predictions.iloc[[-1]].assign(label="unknown")
    alone = dataclasses.replace(content, predictions=one)
    assert charts.scores(alone, LIGHT) is None, "a figure of one point says nothing"
    among = dataclasses.replace(alone, calibration_scores=np.arange(40) / 20)
    patient, calibration = charts.scores(among, LIGHT).axes[0].collections
    assert patient.get_offsets().tolist() == [[one["score"].iloc[0], 0.0]] and len(calibration.get_offsets()) == 40


def test_the_loss_marks_the_last_epoch_as_the_one_that_is_kept(make_content):
    epochs = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.5, 0.1, 0.2]})
    axis = charts.loss(make_content(views=0, epochs=epochs), LIGHT).axes[0]
    assert axis.texts[0].get_text() == "kept: epoch 3"
    assert (list(axis.lines[1].get_xdata()), list(axis.lines[1].get_ydata())) == ([3], [0.2])
    assert charts.loss(make_content(views=0, epochs=epochs.head(1)), LIGHT) is None


def test_the_false_alarm_rate_at_alpha_is_the_fraction_of_flagged_healthy_brains(make_content):
    content = make_content(views=0)
    axis = charts.alarms(content, LIGHT).axes[0]
    step = next(line for line in axis.lines if line.get_label() == "observed")
    healthy = content.predictions.query("role != 'validation' and label == 'healthy'")["p_value"].to_numpy()
    for alpha in (0.1, 0.2, 0.4):
        drawn = step.get_ydata()[np.argmin(np.abs(step.get_xdata() - alpha))]
        assert drawn == pytest.approx((healthy <= alpha + 1e-9).mean(), abs=1 / 44 + 1e-9)


def test_the_band_of_chance_reaches_the_edge_of_the_chart(make_content):
    content = make_content(views=0)
    content.metrics["scoring"]["n_calibration"] = 12  # 6 / 13 is below 0.5, the right edge, and 7 / 13 is above
    axis = charts.alarms(content, LIGHT).axes[0]
    band = axis.collections[0].get_paths()[0].vertices[:, 0]
    assert band.min() == pytest.approx(1 / 13) and band.max() >= axis.get_xlim()[1] == 0.5


def test_letters_that_the_font_lacks_raise_no_warning(make_content, recwarn):
    content = make_content(views=0)
    content = dataclasses.replace(content, predictions=content.predictions.assign(protocol="西门子 3.0 T"))
    assert "西门子 3.0 T" in charts.chart_of("protocols", content).svg
    assert not [one for one in recwarn if "Glyph" in str(one.message)]


def test_names_from_headers_cannot_break_a_figure(make_content):
    content = make_content(views=0)
    content = dataclasses.replace(content, predictions=content.predictions.assign(protocol="$\\frac{ \n$" * 20))
    with style(LIGHT):
        figure = charts.protocols(content, LIGHT)
        figure.canvas.draw()
    label = figure.axes[0].get_yticklabels()[0].get_text()
    assert label.startswith("$\\frac{")
    lines = label.split("\n")
    assert len(lines) <= 3 and max(map(len, lines)) <= 32


def test_sensitivity_is_drawn_against_the_volume_of_the_lesion(make_content):
    axis = charts.volumes(make_content(views=0), LIGHT).axes[0]
    residual = axis.get_lines()[0]
    np.testing.assert_allclose(residual.get_ydata(), [3 / 8, 6 / 8, 1])
    assert axis.get_xscale() == "log" and (np.diff(residual.get_xdata()) > 0).all()
    assert axis.get_xticklabels()[0].get_text() == "0.4 to 2.1\n(n=8)"
    assert charts.volumes(make_content(views=0, metrics={}), LIGHT) is None
