"""Cross-fitting: one detector per fold of the healthy brains, which calibrate with the detector that never saw them.

With ``calibration=split`` a healthy brain either trains or calibrates. Here each does both, in different folds: more
brains calibrate and more train, for K trainings (Vovk 2015, Ann Math Artif Intell 74:9; Barber et al. 2021, Annals of
Statistics 49:486).
"""

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config
from brain_cae.data.splits import check_leakage
from brain_cae.detector.build import make_harmoniser
from brain_cae.detector.crossfit import crossfitted
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import load, save
from brain_cae.errors import ConfigurationError
from brain_cae.files.atomic import whole
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.tables import read_csv
from brain_cae.harmonise import Unharmonised
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.hardware import scoring_device
from brain_cae.stages.roles import fold_roles

log = logging.getLogger(__name__)

FOLDS = "folds"
"""Folder of the folds, each with checkpoints, curves, roles and model of its own."""

Fit = Callable[[Config, pd.DataFrame, Cohort, RunFolder], Detector]


def fit_folds(config: Config, splits: pd.DataFrame, cohort: Cohort, folder: RunFolder, fit: Fit) -> Detector:
    """Return the detector of all folds, see :func:`brain_cae.detector.crossfit.crossfitted`.

    A resumed run takes finished folds as they are, and continues the training of the fold that was interrupted.

    Args:
        config: Configuration of the run.
        splits: Columns subject, role.
        cohort: Prepared subjects.
        folder: Folder of the run.
        fit: Fits one detector on the given roles, and continues from checkpoints in its folder.

    Raises:
        DatasetError: There are too few healthy brains for the folds.
    """
    roles = fold_roles(config, cohort.index, splits)
    if config.resume is not None and (Path(config.resume) / FOLDS).is_dir():
        with whole(folder / FOLDS) as aside:
            shutil.copytree(Path(config.resume) / FOLDS, aside, ignore=shutil.ignore_patterns(".*"))
    alone = replace(config, resume=None)
    detectors = []
    for number, of_fold in enumerate(roles):
        place = RunFolder(folder / f"{FOLDS}/{number}")
        detector = _finished(alone, of_fold, place)
        log.info("fold %d of %d%s", number + 1, len(roles), "" if detector is None else ": taken from the earlier run")
        if detector is None:
            check_leakage(of_fold, cohort.index)
            place.write_csv("splits.csv", of_fold)
            with folder.stage(f"fold {number + 1}"):
                detector = fit(alone, of_fold, cohort, place)
            save(detector, place / "model")
        detectors.append(detector)
    return replace(crossfitted(detectors), config=config)


def _finished(config: Config, roles: pd.DataFrame, place: RunFolder) -> Detector | None:
    """Return the stored detector of a fold; None if it is incomplete, or configuration or roles differ."""
    if not (place / "model/config.yaml").is_file():
        return None
    before = read_csv(place / "splits.csv", dtype=str, keep_default_na=False)
    detector = load(place.path, config.extensions)
    if detector.config != config or not before.equals(roles.astype(str)):
        return None
    for network in detector.networks:
        network.to(scoring_device(config.trainer.accelerator))
    return detector


def refuse_harmonised(config: Config) -> None:
    """Refuse images that are harmonised: each fold would fit its own harmonisation, and brains are scored by all.

    Raises:
        ConfigurationError: ``harmonise`` changes images, and the calibration is cross-fitted.
    """
    if config.calibration.folds and not isinstance(make_harmoniser(config), Unharmonised):
        raise ConfigurationError(
            "calibration=crossfit cannot be combined with the harmonisation of images, which each fold would fit anew.",
            expected="harmonise=none, or one that changes features",
            found=f"harmonise={config.harmonise.name}",
            where="calibration=crossfit",
            advice="Remove it, or use calibration=split.",
        )
