"""Figures are encoded as small images, and text from files cannot break them."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from brain_cae.reporting.figures import DARK, LIGHT, blank, chart, data_uri, error_bars, palette, readable


def opened(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_error_bars_are_zero_where_a_bound_is_unknown():
    estimates = [
        {"value": 0.5, "low": 0.4, "high": 0.7},
        {"value": 0.5, "low": None, "high": float("nan")},
        {"value": 0.5, "low": 0.6, "high": 0.9},  # a bootstrap interval may exclude its value
    ]
    np.testing.assert_allclose(error_bars(*estimates), [[0.1, 0, 0], [0.2, 0, 0.4]])


def test_a_chart_is_text_in_the_colours_of_the_page():
    def draw(theme):
        figure, (axis,) = blank(3.0, 2.0)
        axis.plot([0, 1], [0, 1], "o-", color=theme.healthy)
        axis.set_title("<b>bold</b> & $x")
        axis.set_xlabel("stroke: #1f6fb4;")
        return figure

    drawn = chart(draw, "a line")
    assert drawn.width == 300 and drawn.alternative == "a line" and not drawn.uri
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; $x</text>" in drawn.svg and "<b>" not in drawn.svg
    assert "stroke: var(--chart-healthy)" in drawn.svg and "http" not in drawn.svg
    assert set(re.findall("#[0-9a-f]{6}", drawn.svg)) <= {"#1f6fb4"}, "only that of the label"
    other = chart(draw, "the same line in another figure")
    names = [set(re.findall(r'id="([^"]*)"', one.svg)) for one in (drawn, other)]
    assert names[0] and not names[0] & names[1], "names are unique in the page"
    assert chart(lambda theme: None, "nothing") is None


def test_every_colour_of_a_chart_has_a_value_for_either_page():
    assert palette(LIGHT).keys() == palette(DARK).keys()
    assert palette(DARK)["--chart-healthy-mean"] == DARK.healthy_mean


def test_an_image_keeps_its_greys_and_thin_coloured_lines():
    figure, (axis,) = blank(2.0, 2.0)
    axis.imshow(np.tile(np.linspace(0, 1, 256), (256, 1)), cmap="gray")
    axis.plot([10, 240], [128, 128], color="#00ffff", linewidth=1)
    pixels = np.asarray(opened(data_uri(figure, picture=True)).convert("RGB")).astype(int)
    cyan = (pixels[..., 0] < 60) & (pixels[..., 1] > 200) & (pixels[..., 2] > 200)
    assert cyan.sum() > 100
    assert len(np.unique(pixels[np.ptp(pixels, axis=2) == 0])) > 60


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb\tc", "a b c"), ("", "not known"), (None, "None"), ("x" * 40, "x" * 31 + "…"), ("\x00", "not known")],
)
def test_text_for_a_label_is_one_printable_line_of_bounded_length(text, shown):
    assert readable(text) == shown
