"""Images of brains in three planes: modalities, anomaly map on a common colour scale, contour of the lesion."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure

from brain_cae.arrays.boxes import box_of
from brain_cae.reporting.content import ReportContent, SubjectView
from brain_cae.reporting.figures import LIGHT, Chart, data_uri, readable, style
from brain_cae.reporting.formatting import number, p_value
from brain_cae.reporting.planes import Convention, Plane, cut, peak

BUDGET = 2_000_000  # total characters of the data URIs; with viewer and volumes, a report stays below 8 MB
CONVENTION: Convention = "radiological"
CONTOUR = "#3fe0e8"


@dataclass(frozen=True)
class Picture:
    """Image of one brain with its score and caption."""

    subject: str
    label: str
    score: str
    p_value: str
    flagged: str
    remark: str
    chart: Chart
    page: str = ""
    volumes: str = ""


@dataclass(frozen=True)
class Gallery:
    """Images of abnormal or unlabelled brains, of healthy brains, and their common colour scale."""

    suspects: list[Picture] = field(default_factory=list)
    healthy: list[Picture] = field(default_factory=list)
    scale: Chart | None = None
    convention: str = CONVENTION


def gallery(content: ReportContent, resolution: int = 170) -> Gallery:
    """Draw all views of the content, at most at this resolution, and such that the report keeps its size limit."""
    if not content.views:
        return Gallery()
    threshold = content.voxel_threshold
    top = upper_limit(content.views, threshold)
    uris = [_view_uri(view, top, threshold, resolution) for view in content.views]
    while sum(map(len, uris)) > BUDGET and resolution > 40:
        resolution = max(40, int(resolution * min(0.9, (BUDGET / sum(map(len, uris))) ** 0.5)))
        uris = [_view_uri(view, top, threshold, resolution) for view in content.views]
    pictures = [(view, _picture(view, uri)) for view, uri in zip(content.views, uris, strict=True)]
    return Gallery(
        [picture for view, picture in pictures if view.label != "healthy"],
        [picture for view, picture in pictures if view.label == "healthy"],
        _scale(top, threshold),
    )


def upper_limit(views: list[SubjectView], threshold: float | None) -> float:
    """Return the upper end of the common colour scale: pooled 99.9th percentile, at least twice the voxel threshold."""
    pooled = [np.ravel(view.anomaly_map) for view in views]
    pooled = [values[np.isfinite(values) & (values > 0)][::7] for values in pooled]
    values = np.concatenate(pooled) if pooled else np.empty(0)
    top = float(np.percentile(values, 99.9)) if values.size else 1.0
    return max(top, 2 * threshold) if threshold is not None and threshold > 0 else top


def _picture(view: SubjectView, uri: str) -> Picture:
    location = ""
    if view.lesion is not None and np.any(view.lesion):
        hit = bool(np.asarray(view.lesion)[peak(view.anomaly_map)])
        location = "the maximum lies inside the lesion" if hit else "the maximum lies outside the lesion"
    remark = "; ".join(text for text in (view.caption, location) if text)
    flagged = "" if view.flagged is None else "flagged" if view.flagged else "not flagged"
    chart = Chart(f"{view.label} brain {view.subject} in three planes with its anomaly map", uri=uri)
    score = number(view.score, digits=2)
    return Picture(str(view.subject), view.label, score, p_value(view.p_value), flagged, remark, chart)


def _view_uri(view: SubjectView, top: float, threshold: float | None, resolution: int) -> str:
    """Draw one brain: a row per modality and one for the map, all on the same scale in mm."""
    voxel = peak(view.anomaly_map)
    box = _foreground(view.image)
    origin = tuple(part.start for part in box)
    centre = tuple(min(max(v - o, 0), part.stop - o - 1) for v, o, part in zip(voxel, origin, box, strict=True))

    def planes(volume: np.ndarray) -> list[Plane]:
        return cut(np.asarray(volume)[box], centre, view.spacing, convention=CONVENTION)

    outline = planes(np.asarray(view.lesion, dtype=float)) if view.lesion is not None else None
    rows = [(view.modality, view.image), *view.others.items(), ("anomaly map", view.image)]
    first = planes(view.image)
    gap, name_width = 6.0, 16.0
    width = name_width + sum(plane.width_mm + gap for plane in first)
    height = max(plane.height_mm for plane in first) + gap
    inches = 5.2 / width
    with style(LIGHT):
        figure = Figure(figsize=(5.2, inches * height * len(rows)), dpi=resolution, facecolor="black")
        for place, (name, volume) in enumerate(rows):
            left = name_width
            is_map = place == len(rows) - 1
            grey = _window(np.asarray(volume)[box])
            maps = planes(view.anomaly_map) if is_map else [None] * 3
            for column, (plane, values) in enumerate(zip(planes(volume), maps, strict=True)):
                slack = (height - gap - plane.height_mm) / 2
                bottom = (len(rows) - 1 - place) * height + gap / 2 + slack
                total = height * len(rows)
                axis = figure.add_axes((left / width, bottom / total, plane.width_mm / width, plane.height_mm / total))
                _draw(axis, plane, grey, values, top, threshold, outline[column] if outline else None)
                if place == 0:
                    sides(axis, plane)
                left += plane.width_mm + gap
            figure.text(0.006, 1 - (place + 0.5) / len(rows), readable(name), color="#c9d1dc", fontsize=8,
                        rotation=90, va="center", ha="left")  # fmt: skip
        return data_uri(figure, picture=True)


def _draw(
    axis: Axes, plane: Plane, grey: tuple[float, float], values: Plane | None, top: float, threshold: float | None,
    outline: Plane | None,
) -> None:  # fmt: skip
    axis.set_axis_off()
    axis.imshow(plane.pixels, extent=plane.extent, cmap="gray", vmin=grey[0], vmax=grey[1], interpolation="bilinear",
                aspect="auto")  # fmt: skip
    if values is not None:
        known = np.nan_to_num(values.pixels, nan=0.0, posinf=top, neginf=0.0)
        axis.imshow(known, extent=plane.extent, cmap=map_colours(top, threshold), vmin=0, vmax=top,
                    interpolation="bilinear", aspect="auto")  # fmt: skip
    if outline is not None and outline.pixels.min() < 0.5 < outline.pixels.max():
        rows, columns = outline.pixels.shape
        x = (np.arange(columns) + 0.5) * plane.width_mm / columns
        y = (np.arange(rows) + 0.5) * plane.height_mm / rows
        axis.contour(x, y, outline.pixels, levels=[0.5], colors=CONTOUR, linewidths=0.7)
    axis.set(xlim=(0, plane.width_mm), ylim=(plane.height_mm, 0))


def sides(axis: Axes, plane: Plane) -> None:
    """Write the sides of the patient into the upper corners of a plane."""
    for letter, place, align in ((plane.left, 0.01, "left"), (plane.right, 0.99, "right")):
        axis.text(place, 0.97, letter, transform=axis.transAxes, color="#aab6c6", fontsize=7, ha=align, va="top")


def map_colours(top: float, threshold: float | None) -> ListedColormap:
    """Return a colour map from red to yellow, transparent at 0 and opaque from the voxel threshold upwards.

    Without a threshold, it is opaque from a third of the scale.
    """
    steps = 256
    colours = LinearSegmentedColormap.from_list("anomaly", ["#b01818", "#f0701c", "#ffe45c"])(np.linspace(0, 1, steps))
    opaque_from = (threshold / top) if threshold is not None and threshold > 0 else 1 / 3
    values = np.linspace(0, 1, steps)
    colours[:, 3] = np.clip((values - 0.4 * opaque_from) / (0.6 * opaque_from), 0, 1) * 0.85
    return ListedColormap(colours)


def _scale(top: float, threshold: float | None) -> Chart:
    with style(LIGHT):
        figure = Figure(figsize=(4.6, 0.62), dpi=150, facecolor="black", layout="constrained")
        axis = figure.subplots()
        axis.set_facecolor("#555555")
        axis.imshow(np.linspace(0, top, 256)[None], extent=(0, top, 0, 1), cmap=map_colours(top, threshold), vmin=0,
                    vmax=top, aspect="auto")  # fmt: skip
        axis.grid(False)
        axis.set_yticks([])
        axis.tick_params(colors="#e6e9ee", labelsize=7.5, length=2)
        for spine in axis.spines.values():
            spine.set_visible(False)
        if threshold is not None and 0 < threshold < top:
            axis.axvline(threshold, color="white", linewidth=1)
            axis.annotate(" voxel threshold", (threshold, 0.5), color="white", fontsize=7.5, va="center")
        uri = data_uri(figure)
    return Chart("Colour scale of the anomaly maps (joint z)", uri=uri, width=440)


def _window(image: np.ndarray) -> tuple[float, float]:
    inside = image[np.isfinite(image) & (image != 0)]
    if not inside.size:
        return 0.0, 1.0
    low, high = np.percentile(inside, (1, 99.7))
    return min(0.0, float(low)), max(float(high), float(low) + 1e-6)


def _foreground(image: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the bounding box of nonzero voxels with a margin of two voxels; the whole volume if all are 0."""
    spans = zip(box_of(np.isfinite(image) & (image != 0)), image.shape, strict=True)
    x, y, z = (slice(max(side.start - 2, 0), min(side.stop + 2, size)) for side, size in spans)
    return x, y, z
