"""Drawing with matplotlib, and PNG data URIs of what was drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image


@dataclass(frozen=True)
class Theme:
    """Colours of a chart, in a light page and in a dark one; chosen to stay apart for colour-blind readers."""

    paper: str
    ink: str
    muted: str
    grid: str
    healthy: str
    abnormal: str
    unknown: str
    residual: str
    intensity: str
    healthy_mean: str
    classifier: str


LIGHT = Theme(
    paper="#ffffff", ink="#1d2430", muted="#5b6573", grid="#e3e7ec", healthy="#1f6fb4", abnormal="#d1541d",
    unknown="#7a8493", residual="#1d2430", intensity="#c08a00", healthy_mean="#1b8a6b", classifier="#8a4fbf",
)  # fmt: skip
DARK = Theme(
    paper="#1a1f27", ink="#e6e9ee", muted="#9aa5b4", grid="#303845", healthy="#6db3ee", abnormal="#ff9063",
    unknown="#98a2b0", residual="#f2f4f7", intensity="#e0b23c", healthy_mean="#4fc9a4", classifier="#c39bea",
)  # fmt: skip


@dataclass(frozen=True)
class Chart:
    """One figure as data URIs for a light and a dark page (the same where it has its own background)."""

    light: str
    dark: str
    alternative: str
    caption: str = ""
    width: int = 0


def style(theme: Theme) -> Any:
    """Context in which charts are drawn in the report's look."""
    return rc_context(
        {
            "font.size": 9, "axes.edgecolor": theme.muted, "axes.labelcolor": theme.ink, "text.color": theme.ink,
            "xtick.color": theme.muted, "ytick.color": theme.muted, "axes.facecolor": theme.paper,
            "figure.facecolor": theme.paper, "axes.spines.top": False, "axes.spines.right": False,
            "axes.grid": True, "grid.color": theme.grid, "grid.linewidth": 0.7, "axes.axisbelow": True,
            "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "axes.titlesize": 9.5,
            "axes.titlelocation": "left", "axes.titleweight": "bold", "legend.frameon": False, "legend.fontsize": 8.5,
            "text.parse_math": False,
        }
    )  # fmt: skip


def blank(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure (inches) that no global state of matplotlib holds on to, and its axes in one row."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    return figure, list(np.ravel(figure.subplots(1, columns)))


def chart(draw: Callable[[Theme], Figure | None], alternative: str) -> Chart | None:
    """Draw a figure for a light and for a dark page; None where there is nothing to draw."""
    uris, width = [], 0
    for theme in (LIGHT, DARK):
        # Encoded inside the context as well: texts made while drawing read the style too.
        with style(theme):
            figure = draw(theme)
            if figure is None:
                return None
            width = int(figure.get_figwidth() * 100)
            uris.append(data_uri(figure))
    return Chart(uris[0], uris[1], alternative, width=width)


def reach(*estimates: Mapping[str, Any]) -> np.ndarray:
    """How far intervals reach below and above their values, (2, N), for error bars; 0 where unknown."""
    bounds = [(e["value"] - _known(e["low"], e), _known(e["high"], e) - e["value"]) for e in estimates]
    return np.maximum(np.transpose(bounds), 0)


def _known(bound: Any, estimate: Mapping[str, Any]) -> float:
    return estimate["value"] if bound is None or np.isnan(bound) else bound


def data_uri(figure: Figure, *, picture: bool = False) -> str:
    """A figure as a PNG data URI with a palette, which makes it about three times smaller.

    Args:
        figure: It is cleared afterwards.
        picture: Whether it is a grey picture with some colour, whose greys and colours get palettes of their own.
    """
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    figure.clear()
    drawn.seek(0)
    with Image.open(drawn) as image:
        plain = image.convert("RGB")
    packed = io.BytesIO()
    reduced = _reduced(plain) if picture else plain.quantize(128, dither=Image.Dither.NONE)
    reduced.save(packed, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode("ascii")


def _reduced(image: Image.Image, greys: int = 96) -> Image.Image:
    """Even greys and the colours of the coloured pixels alone: a common palette would lose thin lines and band maps."""
    pixels = np.asarray(image)
    coloured = pixels[np.ptp(pixels.astype(int), axis=2) > 24]
    colours = np.repeat(np.linspace(0, 255, greys).astype(np.uint8)[:, None], 3, axis=1).ravel().tolist()
    if len(coloured):
        colours += Image.fromarray(coloured[None]).quantize(256 - greys, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[: 3 * 256])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def readable(text: Any, *, longest: int = 32) -> str:
    """Text that came from files, fit for a label in a figure: one line, printable, not too long."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)).strip() or "not known"
    return line if len(line) <= longest else line[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
