"""Results of a run in TensorBoard: scores, ROC, precision and recall, brains, features, choices, verdict."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from brain_cae.files.names import printable
from brain_cae.files.system_errors import writing
from brain_cae.reporting import charts, pictures
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.doubts import serious
from brain_cae.reporting.evidence import at, column, numbers, scored
from brain_cae.reporting.figures import LIGHT, style
from brain_cae.reporting.formatting import finite
from brain_cae.reporting.headline import banner, cards
from brain_cae.vocabulary import CLASSES

METRICS = {
    "auroc": ("detection", "auroc"),
    "average_precision": ("detection", "average_precision"),
    "auroc_healthy_subspace": ("baseline", "healthy_subspace", "auroc"),
    "gain_over_healthy_subspace": ("detection", "difference", "healthy_subspace"),
    "auroc_transfer": ("transfer", "auroc"),
    "false_alarms": ("detection", "false_alarms"),
    "dice": ("localisation", "dice"),
    "reconstruction_l1": ("reconstruction", "l1"),
}
"""Final figures by the name that TensorBoard and trackers give them, and their place in ``metrics.json``."""

BRAINS = 6
LONGEST_NAME = 100


@dataclass(frozen=True)
class Embedding:
    """Features of the subjects for the projector.

    Attributes:
        features: One row per subject (index: subject).
        thumbnails: One grey image per subject, (N, S, S), values from 0 to 1.
    """

    features: pd.DataFrame
    thumbnails: np.ndarray


def board_folder(run: Path, choices: Mapping[str, str]) -> Path:
    """Return the folder of a run's TensorBoard files; below ``tensorboard/``, its name tells the choices of the run.

    Args:
        run: Folder of the run.
        choices: The choices as typed, by key.

    Example:
        >>> board_folder(Path("outputs/a"), {"reshape": "fixed", "dataset.root": "/data/IXI"}).as_posix()
        'outputs/a/tensorboard/reshape=fixed,dataset.root=IXI'
    """
    name = ""
    # Options and seeds first: they distinguish runs more often than single keys, of which the last ones are left out.
    for key, value in sorted(choices.items(), key=lambda choice: "." in choice[0]):
        # TensorBoard shows the folder as the name of the run, and only the end of a path says something.
        word = re.sub(r"[^\w=,.+\[\]-]", "_", f"{key}={value.rstrip('/').rpartition('/')[2]}", flags=re.ASCII)
        if len(name) + len(word) < LONGEST_NAME:
            name += f",{word}" if name else word
    return run / "tensorboard" / name


def final_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the main figures of ``metrics.json`` by name, without those that are not defined."""
    found = {}
    for name, path in METRICS.items():
        value = at(metrics, *path)
        number = finite(value.get("value") if isinstance(value, Mapping) else value)
        if number is not None:
            found[name] = number
    return found


def write_board(
    folder: Path, content: ReportContent, *, parameters: Mapping[str, str | float], embedding: Embedding | None
) -> None:
    """Add the results of a finished run to its TensorBoard files.

    Args:
        folder: See :func:`board_folder`.
        content: Content of the report.
        parameters: Choices of the run, for the table of HParams.
        embedding: Features of the encoder; None without them.

    Raises:
        StorageError: The disk is full, or permission is denied.
    """
    # Imported here because it loads torch and TensorBoard, which a summary or a closing table do not need.
    from torch.utils.tensorboard import SummaryWriter

    with writing(folder), SummaryWriter(log_dir=str(folder)) as writer:
        writer.add_text("verdict", _card(content), 0)
        _scores(writer, content)
        _curves(writer, content)
        _brains(writer, content)
        if embedding is not None and len(embedding.features) > 2:
            _embedding(writer, content, embedding)
        _hparams(writer, content, parameters)


def verdict_of(content: ReportContent) -> str:
    """Return the verdict as TensorBoard and trackers list it; ``not a result`` where cautions stand over it."""
    return "not a result" if serious(content) else banner(content).verdict


def _card(content: ReportContent) -> str:
    """Return verdict, key figures and cautions as Markdown; above it, the cautions under which it is not a result."""
    verdict, first = banner(content), serious(content)
    lines = ["# not a result", "", *(f"- {printable(caution)}" for caution in first), ""] if first else []
    lines += [f"# {verdict.verdict}", verdict.meaning, "", *(f"- {reason}" for reason in verdict.reasons), ""]
    lines += ["", f"**{content.title}**", "", "| figure | value |", "|---|---|"]
    for card in cards(content):
        caution = f": {card.caution}" if card.caution else ""
        lines.append(f"| {card.main.name} | {card.main.value} {card.main.interval}{caution} |")
    lines += ["", *(f"- **Caution** {printable(caution)}" for caution in content.cautions if caution not in first)]
    return "\n".join(line.replace("<", "&lt;") for line in lines)


def _scores(writer: Any, content: ReportContent) -> None:
    rows = scored(content)
    for name in (*CLASSES, "unknown"):
        values = numbers(rows[column(rows, "label") == name], "score").dropna()
        if len(values):
            writer.add_histogram(f"scores/{name}", values.to_numpy(), 0, bins="auto")


def _curves(writer: Any, content: ReportContent) -> None:
    with style(LIGHT):
        for name in ("roc", "scores"):
            figure = getattr(charts, name)(content, LIGHT)
            if figure is not None:
                writer.add_figure(f"result/{name}", figure, 0, close=False)
    for name, (labels, values) in content.curves.items():
        truth = np.isin(np.asarray(labels).astype(str), ("abnormal", "1"))
        score = np.asarray(values, dtype=float)
        known = np.isfinite(score)
        spread = float(np.ptp(score[known])) if known.any() else 0.0
        if spread > 0:
            # The plugin reads scores as probabilities; their order is what the curve depends on.
            ranks = pd.Series(score[known]).rank(pct=True).to_numpy()
            writer.add_pr_curve(f"result/{name}", truth[known], ranks, 0)


def _brains(writer: Any, content: ReportContent) -> None:
    """Draw the brains with the highest scores."""
    highest = sorted(content.views, key=lambda view: -view.score)[:BRAINS]
    gallery = pictures.gallery(replace(content, views=highest))
    drawn = {picture.subject: picture for picture in (*gallery.suspects, *gallery.healthy)}
    for number, view in enumerate(highest, start=1):
        picture = drawn[str(view.subject)]
        encoded = picture.chart.uri.partition(",")[2]
        with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
            pixels = np.asarray(image.convert("RGB"))
        writer.add_image(f"most_anomalous/{number}_{picture.label}_score_{picture.score}", pixels, 0, dataformats="HWC")


def _embedding(writer: Any, content: ReportContent, embedding: Embedding) -> None:
    features = embedding.features
    rows = content.predictions.set_index("subject").reindex(features.index)
    columns = ["subject", "label", "protocol", "score", "flagged"]
    texts = [
        [printable(str(value)) for value in (name, row.label, row.protocol, f"{row.score:.3f}", row.flagged)]
        for name, row in zip(features.index, rows.itertuples(), strict=True)
    ]
    values = features.to_numpy(dtype=np.float32)
    values = (values - values.mean(axis=0)) / np.maximum(values.std(axis=0), 1e-6)
    images = np.repeat(embedding.thumbnails[:, None].astype(np.float32), 3, axis=1)
    import torch

    writer.add_embedding(
        values, metadata=texts, metadata_header=columns, label_img=torch.from_numpy(images), tag="encoder"
    )


def _hparams(writer: Any, content: ReportContent, parameters: Mapping[str, str | float]) -> None:
    """Write choices and final figures in the folder of the curves, so that the run has one line in the table."""
    from torch.utils.tensorboard.summary import hparams

    metrics = {f"result/{name}": value for name, value in final_metrics(content.metrics).items()}
    for summary in hparams({**parameters, "verdict": verdict_of(content)}, metrics):
        writer.file_writer.add_summary(summary)
    for name, value in metrics.items():
        writer.add_scalar(name, value, 0)
