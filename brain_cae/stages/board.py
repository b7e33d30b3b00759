"""What TensorBoard and trackers receive of a run: its choices, and features with thumbnails for the projector."""

from pathlib import Path

import numpy as np

from brain_cae.configuration import Config
from brain_cae.configuration.identity import WITHOUT_EFFECT
from brain_cae.files.documents import read_yaml
from brain_cae.reporting.board import Embedding
from brain_cae.stages.prediction import Assessment
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
                      "features", "classifier", "balancing", "evaluation")
    }  # fmt: skip
    chosen |= {
        "seed": config.seed,
        "model.learning_rate": config.model.learning_rate,
        "trainer.max_epochs": config.trainer.max_epochs,
        "trainer.batch_size": config.trainer.batch_size,
        "scoring.alpha": config.scoring.alpha,
    }
    return typed_choices(run) | chosen


def embedding(config: Config, assessment: Assessment) -> Embedding | None:
    """Return the encoder's features of the subjects with a thumbnail each: a middle axial slice of the reference.

    None if there are too few or too many subjects to look at.
    """
    names = list(assessment.features.index)
    if not 3 <= len(names) <= MOST_BRAINS:
        return None
    features = select_arm(assessment.features, "encoder", config.features.levels)
    channel = config.modality.names.index(config.modality.reference)
    thumbnails = [_thumbnail(assessment.cohort.prepared[name].volume[channel]) for name in names]
    return Embedding(features, np.stack(thumbnails))


def _thumbnail(volume: np.ndarray) -> np.ndarray:
    """Return the middle axial slice of (X, Y, Z), RAS+, as (S, S) with values from 0 to 1, anterior at the top."""
    plane = np.asarray(volume[:, ::-1, volume.shape[2] // 2], dtype=np.float32).T
    side = max(plane.shape)
    square = np.pad(plane, [((side - size) // 2, side - size - (side - size) // 2) for size in plane.shape])
    chosen = np.linspace(0, side - 1, THUMBNAIL).round().astype(int)
    small = square[np.ix_(chosen, chosen)]
    return np.clip(small / max(float(np.percentile(small, 99.5)), 1e-6), 0, 1)
