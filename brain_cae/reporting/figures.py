"""Matplotlib figures in the look of the report: charts as SVG whose text can be searched, pictures as PNG data URIs."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image


@dataclass(frozen=True)
class Theme:
    """Colours of a chart on a light or a dark page, chosen to be distinguishable by colour-blind readers."""

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
    """One figure: a chart as SVG that takes its colours from the page, or a picture as a data URI.

    Args:
        alternative: What it shows, for readers who cannot see it.
        svg: The SVG element; empty for a picture.
        uri: The picture; empty for a chart.
        width: Width in pixels of the page; 0: as wide as its place.
    """

    alternative: str
    svg: Markup = field(default_factory=Markup)
    uri: str = ""
    width: int = 0


def palette(theme: Theme) -> dict[str, str]:
    """Return the colours of a theme by the name of their variable in the style sheet."""
    return {f"--chart-{name.replace('_', '-')}": colour for name, colour in asdict(theme).items()}


def style(theme: Theme) -> Any:
    """Return the context in which charts are drawn in the look of the report."""
    return rc_context(
        {
            "font.size": 9, "axes.edgecolor": theme.muted, "axes.labelcolor": theme.ink, "text.color": theme.ink,
            "xtick.color": theme.muted, "ytick.color": theme.muted, "axes.facecolor": "none",
            "figure.facecolor": "none", "axes.spines.top": False, "axes.spines.right": False,
            "axes.grid": True, "grid.color": theme.grid, "grid.linewidth": 0.7, "axes.axisbelow": True,
            "axes.linewidth": 0.7, "xtick.major.width": 0.7, "ytick.major.width": 0.7, "axes.titlesize": 9.5,
            "axes.titlelocation": "left", "axes.titleweight": "bold", "legend.frameon": False, "legend.fontsize": 8.5,
            "text.parse_math": False,
        }
    )  # fmt: skip


def blank(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """Return an empty figure (size in inches), not registered with pyplot, and its axes in one row."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    return figure, list(np.ravel(figure.subplots(1, columns)))


def chart(draw: Callable[[Theme], Figure | None], alternative: str) -> Chart | None:
    """Draw a figure that follows the colours of the page; None if there is nothing to draw."""
    # Saved inside the context: text created while drawing reads the style too.
    with style(LIGHT):
        figure = draw(LIGHT)
        if figure is None:
            return None
        width = int(figure.get_figwidth() * 100)
        return Chart(alternative, svg=_inline(figure, salt=alternative), width=width)


def _inline(figure: Figure, *, salt: str) -> Markup:
    """Return a figure as an SVG element for HTML, with text as text and colours as variables of the style sheet."""
    buffer = io.StringIO()
    # The salt makes the names of its markers and clips differ from those of other figures of the page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), warnings.catch_warnings():
        # The browser has the letters that Matplotlib's font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        figure.savefig(buffer, format="svg")
    figure.clear()
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    head, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    rest = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", rest)
    rest = re.sub(r"font-family: [^;\"]*;? ?", "", rest)  # the family is that of the page
    variables = {colour: f"var({name})" for name, colour in reversed(palette(LIGHT).items())}
    rest = re.sub(r"(?<=: )#[0-9a-f]{6}(?=[;\"])", lambda found: variables.get(found[0], found[0]), rest)
    # Matplotlib has escaped the text; nothing else of it comes from data.
    return Markup(f'<svg class="chart" {box[0] if box else ""} aria-hidden="true">{rest.strip()}')


def error_bars(*estimates: Mapping[str, Any]) -> np.ndarray:
    """Return the lengths of the intervals below and above their values, (2, N); 0 where a bound is unknown."""
    bounds = [(e["value"] - _bound(e["low"], e), _bound(e["high"], e) - e["value"]) for e in estimates]
    return np.maximum(np.transpose(bounds), 0)


def _bound(bound: Any, estimate: Mapping[str, Any]) -> float:
    return estimate["value"] if bound is None or np.isnan(bound) else bound


def data_uri(figure: Figure, *, picture: bool = False) -> str:
    """Return a figure as a PNG data URI; a colour palette makes it about three times smaller.

    Args:
        figure: Figure to encode; it is cleared afterwards.
        picture: True for greyscale images with coloured overlays; greys and colours then get separate palettes.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 0})  # read back at once
    figure.clear()
    buffer.seek(0)
    with Image.open(buffer) as image:
        rgb = image.convert("RGB")
    encoded = io.BytesIO()
    quantized = _quantized(rgb) if picture else rgb.quantize(128, dither=Image.Dither.NONE)
    quantized.save(encoded, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(encoded.getvalue()).decode("ascii")


def _quantized(image: Image.Image, greys: int = 96) -> Image.Image:
    """Quantize to evenly spaced greys plus colours of the coloured pixels.

    One common palette would lose thin lines and cause banding in maps.
    """
    pixels = np.asarray(image)
    red, green, blue = np.moveaxis(pixels, 2, 0)  # twenty times as fast as along the last axis
    highest, lowest = (of(of(red, green), blue) for of in (np.maximum, np.minimum))
    coloured = pixels[highest - lowest > 24]
    colours = np.repeat(np.linspace(0, 255, greys).astype(np.uint8)[:, None], 3, axis=1).ravel().tolist()
    if len(coloured):
        colours += Image.fromarray(coloured[None]).quantize(256 - greys, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours[: 3 * 256])
    return image.quantize(palette=palette, dither=Image.Dither.NONE)


def readable(text: Any, *, longest: int = 32) -> str:
    """Return text from files as a figure label: one line, printable, at most ``longest`` characters."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)).strip() or "not known"
    return line if len(line) <= longest else line[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
