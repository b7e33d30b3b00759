"""Charts of the report: ROC curves, scores by label and by protocol, calibration, tuning."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy.stats import betabinom
from sklearn.metrics import roc_curve

from brain_cae.estimates import wilson_interval
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at, column, flags, numbers, scored, threshold
from brain_cae.reporting.figures import Chart, Theme, blank, chart, readable
from brain_cae.reporting.formatting import finite
from brain_cae.vocabulary import CLASSES

MAX_PROTOCOLS = 18
RASTERIZED_FROM = 2000
"""Points of a chart from which they are drawn as an image: thousands of elements make a page slow."""
Draw = Callable[[ReportContent, Theme], Figure | None]


def all_charts(content: ReportContent) -> dict[str, Chart]:
    """Draw every chart for which the content has data, by name."""
    drawn = {name: chart_of(name, content) for name in CHARTS}
    return {name: chart for name, chart in drawn.items() if chart is not None}


def chart_of(name: str, content: ReportContent) -> Chart | None:
    """Draw the chart with this name, a key of ``CHARTS``; None without data."""
    draw, alternative = CHARTS[name]
    return chart(partial(draw, content), alternative)


def roc(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the ROC curve of every entry of ``content.curves`` that has both classes."""
    curves = {}
    for name, (labels, values) in content.curves.items():
        truth, score = _binary(labels), np.asarray(values, dtype=float)
        if truth.shape != score.shape:
            raise ValueError(f"curve {name!r}: {truth.size} labels, but {score.size} scores")
        known = np.isfinite(truth) & np.isfinite(score)
        if len(set(truth[known])) == 2:
            curves[name] = roc_curve(truth[known], score[known], drop_intermediate=False)[:2]
    if not curves:
        return None
    figure, (axis,) = blank(5.0, 4.6)
    axis.plot([0, 1], [0, 1], color=theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
    for number, (name, (false_positive, true_positive)) in enumerate(curves.items()):
        colour, dash = _curve_style(name, number, theme)
        width = 2.2 if number == 0 else 1.5
        axis.plot(false_positive, true_positive, color=colour, linewidth=width, linestyle=dash, label=readable(name),
                  clip_on=False, zorder=10 - number)  # fmt: skip
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axis.set_xlabel("false-positive rate (1 \N{MINUS SIGN} specificity)")
    axis.set_ylabel("true-positive rate (sensitivity)")
    axis.legend(loc="lower right")
    return figure


def _curve_style(name: str, number: int, theme: Theme) -> tuple[str, object]:
    key = name.lower().replace(" ", "_")
    for word, colour, dash in (
        ("intensity", theme.intensity, (0, (5, 1.5))),
        ("healthy_mean", theme.healthy_mean, (0, (3, 1, 1, 1))),
        ("healthy_subspace", theme.healthy_mean, (0, (1, 1))),
        ("absolute", theme.muted, (0, (2, 1))),
    ):
        if word in key:
            return colour, dash
    if any(word in key for word in ("classifier", "transfer", "logistic", "svm")):
        return theme.classifier, "-"
    return (theme.residual, theme.abnormal, theme.healthy, theme.unknown)[number % 4], "-"


def _binary(labels: object) -> np.ndarray:
    """Return labels as 1 (abnormal), 0 (healthy) or NaN."""
    names = {"abnormal": 1.0, "healthy": 0.0, "True": 1.0, "False": 0.0}
    return np.array([names[str(item)] if str(item) in names else _zero_or_one(item) for item in np.asarray(labels)])


def _zero_or_one(item: object) -> float:
    value = finite(item)
    return value if value in (0.0, 1.0) else np.nan


def scores(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the scores by label, with those of the healthy brains that calibrate in a separate row."""
    rows = scored(content)
    labels, values = column(rows, "label"), numbers(rows, "score")
    groups = {
        "abnormal": (values[labels == "abnormal"], theme.abnormal),
        "healthy": (values[labels == "healthy"], theme.healthy),
        "this brain" if len(rows) == 1 else "unlabelled": (values[~labels.isin(CLASSES)], theme.abnormal),
        "healthy,\ncalibration": (pd.Series(content.calibration_scores, dtype=float), theme.unknown),
    }
    groups = {name: (part.dropna(), colour) for name, (part, colour) in groups.items() if part.notna().any()}
    if sum(len(part) for part, _ in groups.values()) < 2:
        return None  # one point says nothing
    figure, (axis,) = blank(5.0, 1.4 + 0.8 * len(groups))
    for place, (part, colour) in enumerate(groups.values()):
        _strip(axis, part.to_numpy(), place, colour, theme)
    names = [f"{name}\n(n={len(part)})" for name, (part, _) in groups.items()]
    _finish_strips(axis, names, content, theme)
    axis.set_xlabel("volume score")
    return figure


def _strip(axis: Axes, values: np.ndarray, place: int, colour: str, theme: Theme) -> None:
    if len(values) == 1:
        axis.scatter(values, [place], s=60, color=colour, marker="D", linewidths=0, zorder=6)
        return
    spread = np.random.default_rng(place).uniform(-0.27, 0.27, len(values))
    many = len(values) > RASTERIZED_FROM
    axis.scatter(values, place + spread, s=17, color=colour, alpha=0.65, linewidths=0, rasterized=many)
    axis.plot([np.median(values)] * 2, [place - 0.36, place + 0.36], color=theme.ink, linewidth=1.6, zorder=5)


def _finish_strips(axis: Axes, names: list[str], content: ReportContent, theme: Theme) -> None:
    axis.set_yticks(range(len(names)), names, color=theme.ink)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    axis.spines["left"].set_visible(False)
    line = threshold(content)
    if line is not None:
        axis.axvline(line, color=theme.muted, linewidth=1.1, linestyle=(0, (4, 2)))
        axis.annotate("threshold ", (line, 1), xycoords=("data", "axes fraction"), xytext=(3, 3),
                      textcoords="offset points", fontsize=8, color=theme.muted, annotation_clip=False)  # fmt: skip


def reliability(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the fraction of abnormal subjects against the mean predicted probability, with Wilson 95 % intervals."""
    rows = scored(content)
    truth = pd.Series(_binary(column(rows, "label")), index=rows.index, dtype=float)
    table = pd.DataFrame({"probability": numbers(rows, "classifier_probability"), "truth": truth}).dropna()
    if len(table) < 10 or table["truth"].nunique() < 2:
        return None
    figure, (axis,) = blank(5.0, 4.4)
    axis.plot([0, 1], [0, 1], color=theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
    bins = pd.qcut(table["probability"].rank(method="first"), min(8, len(table) // 5), labels=False)
    for _, part in table.groupby(bins):
        mean, positive, count = part["probability"].mean(), int(part["truth"].sum()), len(part)
        low, high = wilson_interval(positive, count)
        axis.plot([mean, mean], [low, high], color=theme.classifier, linewidth=1.2, alpha=0.6)
        axis.plot(mean, positive / count, "o", color=theme.classifier, markersize=5.5, clip_on=False)
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="mean predicted probability")
    axis.set_ylabel("fraction abnormal (Wilson 95 %)")
    axis.set_title("Transfer classifier")
    return figure


def alarms(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the fraction of healthy brains with p at most alpha against alpha, with the 95 % band expected by chance.

    With n calibration brains and m test brains, the number with p <= k / (n + 1) follows a beta-binomial
    distribution with parameters m, k, n + 1 - k (Vovk 2012, Conditional validity of inductive conformal predictors).
    """
    rows = scored(content)
    values = np.sort(numbers(rows[column(rows, "label") == "healthy"], "p_value").dropna().to_numpy())
    if len(values) < 5:
        return None
    alpha = finite(at(content.metrics, "scoring", "alpha"))
    right = max(0.5, min(1.0, 2 * (alpha or 0.0)))
    figure, (axis,) = blank(5.0, 4.4)
    axis.plot([0, right], [0, right], color=theme.muted, linewidth=0.8, linestyle=(0, (3, 3)))
    calibration = finite(at(content.metrics, "scoring", "n_calibration"))
    if calibration:
        steps = np.arange(1, int(calibration) + 1)
        steps = steps[(steps - 1) / (calibration + 1) <= right]  # one more: the last step reaches the edge
        if len(steps):
            low, high = betabinom.interval(0.95, len(values), steps, calibration + 1 - steps)
            axis.fill_between(steps / (calibration + 1), low / len(values), high / len(values), step="post",
                              color=theme.healthy, alpha=0.15, linewidth=0, label="95 % by chance")  # fmt: skip
    grid = np.linspace(0, right, 401)
    observed = np.searchsorted(values, grid, side="right") / len(values)
    axis.step(grid, observed, where="post", color=theme.healthy, linewidth=1.8, label="observed")
    if alpha is not None:
        axis.axvline(alpha, color=theme.muted, linewidth=1.1, linestyle=(0, (4, 2)), label=f"alpha = {alpha:g}")
    axis.set(
        xlim=(0, right), ylim=(0, min(1.0, max(right, observed[-1] * 1.05))), xlabel="nominal false-alarm rate (alpha)"
    )
    axis.set_ylabel("observed false-alarm rate")
    axis.set_title(f"Healthy brains (n={len(values)})")
    axis.legend(loc="lower right")
    return figure


def protocols(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the scores of healthy brains by protocol, most frequent first, with their false alarms."""
    rows = scored(content)
    rows = rows[(column(rows, "label") == "healthy") & numbers(rows, "score").notna()]
    if rows.empty or not (column(rows, "protocol").fillna("").astype(str) != "").any():
        return None
    names = column(rows, "protocol").fillna("").astype(str)
    kept = names.value_counts().index[:MAX_PROTOCOLS]
    names = names.where(names.isin(kept), "all others")
    order = [*kept, "all others"] if (names == "all others").any() and "all others" not in kept else list(kept)
    figure, (axis,) = blank(10.2, 1.1 + 0.42 * len(order))
    for place, name in enumerate(order):
        part = rows[names == name]
        _strip(axis, numbers(part, "score").to_numpy(), place, theme.healthy, theme)
        flagged = flags(part).dropna()
        note = f"{int(flagged.sum())} of {len(flagged)} flagged" if len(flagged) else "flagging not available"
        axis.annotate(note, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5,
                      color=theme.muted, annotation_clip=False)  # fmt: skip
    _finish_strips(axis, [textwrap.fill(readable(name, longest=62), 32) for name in order], content, theme)
    axis.set_xlabel("volume score of healthy brains")
    return figure


def volumes(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the share of lesions whose brain is flagged against their volume, with Wilson 95 % intervals."""
    rows = at(content.metrics, "detection", "by_volume")
    if not isinstance(rows, list) or len(rows) < 2:
        return None
    # In the middle of each range on the logarithmic axis.
    places = np.array([np.sqrt(max(row["low_ml"], 1e-3) * max(row["high_ml"], 1e-3)) for row in rows])
    names = {"residual": "residual score"} | {name: name for name in ("healthy_subspace", "healthy_mean", "intensity")}
    shown = {name: text for name, text in names.items() if all(name in row["sensitivity"] for row in rows)}
    figure, (axis,) = blank(5.0, 4.4)
    for number, (name, text) in enumerate(shown.items()):
        found = [row["sensitivity"][name] for row in rows]
        colour, dash = _curve_style(text, number, theme)
        at_x = places * 1.06 ** (number - (len(shown) - 1) / 2)  # side by side, so that no interval hides another
        axis.plot(at_x, [one["value"] for one in found], "o", color=colour, linestyle=dash, markersize=4.5,
                  linewidth=2.2 if number == 0 else 1.3, label=text, clip_on=False, zorder=10 - number)  # fmt: skip
        axis.vlines(at_x, [one["low"] for one in found], [one["high"] for one in found], color=colour, alpha=0.5)
    axis.set_xscale("log")
    axis.set_xticks(places, [f"{_ml(row['low_ml'])} to {_ml(row['high_ml'])}\n(n={row['n']})" for row in rows])
    axis.minorticks_off()
    axis.set(ylim=(0, 1), xlabel="volume of the lesion, mL")
    axis.set_ylabel("share flagged (Wilson 95 %)")
    axis.set_title("Sensitivity by volume")
    axis.legend(loc="lower right")
    return figure


def _ml(volume: float) -> str:
    return f"{volume:.2g}" if volume < 99.5 else f"{volume:.0f}"


def tuning(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the best inner AUROC against the number of trials, one line per search for the selected classifier."""
    if content.trials.empty:
        return None
    prefix = f"{at(content.metrics, 'transfer', 'classifier')}, {at(content.metrics, 'transfer', 'features')}, "
    rows = content.trials[content.trials["study"].str.startswith(prefix)]
    if rows.empty:
        return None
    figure, (axis,) = blank(5.0, 4.4)
    for name, part in rows.groupby("study", sort=False):
        best = part["auroc"].where(part["state"] == "complete").cummax().ffill()
        final = str(name).removeprefix(prefix) == "everybody"
        axis.step(range(1, len(part) + 1), best, where="post", linewidth=2.0 if final else 1.0,
                  color=theme.classifier if final else theme.unknown,
                  label=readable(str(name).removeprefix(prefix)))  # fmt: skip
    axis.set(xlabel="trials", ylabel="best AUROC over inner folds")
    axis.set_title(readable(prefix.strip(", ")))
    axis.legend(loc="lower right")
    return figure


def loss(content: ReportContent, theme: Theme) -> Figure | None:
    """Draw the training loss by epoch, and mark the last one, whose weights are kept."""
    rows = content.epochs
    if len(rows) < 2:
        return None
    epochs, losses = numbers(rows, "epoch"), numbers(rows, "loss")
    figure, (axis,) = blank(5.0, 3.6)
    axis.plot(epochs, losses, color=theme.residual, linewidth=1.6)
    axis.plot(epochs.iloc[-1], losses.iloc[-1], "o", color=theme.classifier, markersize=7)
    axis.annotate(f"kept: epoch {epochs.iloc[-1]:.0f}", (epochs.iloc[-1], losses.iloc[-1]), xytext=(-6, 10),
                  textcoords="offset points", ha="right", fontsize=8.5, color=theme.classifier)  # fmt: skip
    if losses.min() > 0 and losses.max() > 10 * losses.min():
        axis.set_yscale("log")
    axis.set(xlabel="epoch", ylabel="mean training loss")
    axis.margins(y=0.15)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


CHARTS: dict[str, tuple[Draw, str]] = {
    "roc": (roc, "ROC curves of the residual score, the baselines and the transfer classifier"),
    "scores": (scores, "Scores of the subjects by label, with the threshold"),
    "reliability": (reliability, "Reliability of the transfer classifier"),
    "alarms": (alarms, "Observed false-alarm rate on healthy brains against alpha"),
    "protocols": (protocols, "Scores of healthy brains by protocol"),
    "volumes": (volumes, "Share of lesions whose brain is flagged, by volume of the lesion"),
    "loss": (loss, "Training loss by epoch, with the epoch whose weights are kept"),
    "tuning": (tuning, "Best inner AUROC of the tuning after each trial"),
}
"""Charts of the report by name, each with what it shows."""
