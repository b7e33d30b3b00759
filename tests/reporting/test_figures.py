"""Figures are encoded as small images, and text from files cannot break them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from brain_cae.reporting.figures import DARK, LIGHT, blank, chart, data_uri, error_bars, readable


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


def test_a_chart_is_drawn_on_the_background_of_both_themes():
    def draw(theme):
        figure, (axis,) = blank(3.0, 2.0)
        axis.plot([0, 1], [0, 1], color=theme.healthy)
        return figure

    drawn = chart(draw, "a line")
    assert drawn.width == 300 and drawn.alternative == "a line"
    for uri, theme in ((drawn.light, LIGHT), (drawn.dark, DARK)):
        picture = opened(uri)
        assert picture.size == (450, 300) and picture.mode == "P"
        corner = picture.convert("RGB").getpixel((0, 0))
        paper = tuple(int(theme.paper[place : place + 2], 16) for place in (1, 3, 5))
        assert np.abs(np.subtract(corner, paper)).max() <= 4
    assert chart(lambda theme: None, "nothing") is None


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
