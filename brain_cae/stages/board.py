"""What TensorBoard and trackers receive of a run: its choices, and features with thumbnails for the projector."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from brain_cae.configuration import Config
from brain_cae.configuration.identity import WITHOUT_EFFECT
from brain_cae.errors import DatasetError
from brain_cae.files.documents import read_yaml
from brain_cae.reporting.board import Embedding, board_folder, final_metrics, verdict_of, write_board
from brain_cae.reporting.content import ReportContent
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.trackers import record_result
from brain_cae.transfer.features import select_arm

UNNAMED = (*WITHOUT_EFFECT, "resume", "inspect", "stop_after", "hydra", "debug")
"""Keys that do not name a run."""

MOST_BRAINS = 1000
THUMBNAIL = 48  # pixels


def typed_choices(run: Path) -> dict[str, str]:
    """Return the choices of a run as typed, by key; those that do not change a result are left out.

    Args:
        run: Folder of the run; without ``.hydra/`` there are none.
    """
    try:
        overrides = read_yaml(run / ".hydra" / "overrides.yaml")
    except (OSError, ValueError):
        return {}
    pairs = (str(item).lstrip("+~").partition("=") for item in overrides or [])
    return {key: value for key, _, value in pairs if not key.startswith(UNNAMED)}


def main_choices(config: Config, run: Path) -> dict[str, str | float]:
    """Return the choices that distinguish runs: the option of each group, main numbers, and what was typed."""
    chosen: dict[str, str | float] = {
        group: getattr(config, group).name
        for group in ("dataset", "modality", "preprocess", "reshape", "harmonise", "split", "model", "scoring",
                      "calibration", "features", "classifier", "balancing", "evaluation")
    }  # fmt: skip
    chosen |= {
        "seed": config.seed,
        "model.learning_rate": config.model.learning_rate,
        "trainer.max_epochs": config.trainer.max_epochs,
        "trainer.batch_size": config.trainer.batch_size,
        "scoring.alpha": config.scoring.alpha,
    }
    return typed_choices(run) | chosen


def publish(config: Config, assessment: Assessment, content: ReportContent, run: Path) -> None:
    """Show the results of a finished run in TensorBoard and in its tracker.

    Args:
        config: Configuration of the run.
        assessment: Assessment of the subjects that the figures count.
        content: Content of the report.
        run: Folder of the run, with the report.
    """
    parameters = main_choices(config, run)
    if config.logger.name != "csv":
        board = board_folder(run, typed_choices(run))
        write_board(board, content, parameters=parameters, embedding=embedding(config, assessment))
    record_result(
        config.logger,
        run,
        parameters=parameters,
        metrics=final_metrics(content.metrics),
        verdict=verdict_of(content),
    )


def embedding(config: Config, assessment: Assessment) -> Embedding | None:
    """Return the encoder's features of the subjects with a thumbnail each: a middle axial slice of the reference.

    None if there are too few or too many subjects to look at, or no features of an encoder.
    """
    names = list(assessment.features.index)
    if not 3 <= len(names) <= MOST_BRAINS:
        return None
    try:
        features = select_arm(assessment.features, "encoder", config.features.levels)
    except DatasetError:
        return None
    channel = config.modality.names.index(config.modality.reference)
    brains = (assessment.cohort.prepared[name] for name in names)
    thumbnails = [_thumbnail(brain.volume[channel], brain.spacing) for brain in brains]
    return Embedding(features, np.stack(thumbnails))


def _thumbnail(volume: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Return the middle axial slice of (X, Y, Z), RAS+, as (S, S) with values from 0 to 1, anterior at the top.

    Args:
        volume: One modality; background is 0.
        spacing: Voxel size along X, Y, Z in mm.
    """
    plane = np.asarray(volume[:, :, volume.shape[2] // 2], dtype=np.float32)
    sizes = np.array(plane.shape) * np.array(spacing[:2])
    pixels = (np.arange(THUMBNAIL) + 0.5) / THUMBNAIL - 0.5
    x, y = (
        np.floor((pixels * sizes.max() + size / 2) / step).astype(int)
        for size, step in zip(sizes, spacing[:2], strict=True)
    )
    inside = np.outer((x >= 0) & (x < plane.shape[0]), (y >= 0) & (y < plane.shape[1]))
    small = np.where(inside, plane[np.ix_(x.clip(0, plane.shape[0] - 1), y.clip(0, plane.shape[1] - 1))], 0)
    return np.clip(small / max(float(np.percentile(small, 99.5)), 1e-6), 0, 1).T[::-1]
