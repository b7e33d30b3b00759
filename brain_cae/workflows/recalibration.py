"""What scores are compared with: the healthy brains that calibrate, and their exchange for those of another scanner."""

import pandas as pd

from brain_cae.configuration import EvaluateConfig, dataset_option
from brain_cae.detector.detector import Detector
from brain_cae.errors import DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cautions import MIN_CALIBRATION, RECOMMENDED
from brain_cae.stages.cohort import import_cohort
from brain_cae.stages.harmonisation import harmonised
from brain_cae.stages.preparation import prepare, prepared_store
from brain_cae.stages.recalibration import healthy_only, recalibrated, refuse_overlap

MINIMUM = 2
"""Healthy brains without which nothing can be calibrated."""


def recalibrate(detector: Detector, config: EvaluateConfig, scored: pd.DataFrame, folder: RunFolder) -> Detector:
    """Import local healthy brains and calibrate a new detector with them; the network stays.

    The tables of the import are written to ``calibration/`` of ``folder``.

    Args:
        detector: Of the run; stays as it is.
        config: ``calibrate`` is a folder in the layout of ``dataset=folder``.
        scored: Rows of the index whose subjects are to be scored.
        folder: Of the evaluation.

    Raises:
        DatasetError: There are fewer than two healthy brains.
        LeakageError: The network has learnt from one of them, or one is to be scored as well.
    """
    assert config.calibrate is not None
    local = import_cohort(
        dataset_option("folder", root=config.calibrate),
        detector.config,
        cache=config.cache,
        workers=config.workers,
    )
    local = healthy_only(local)
    refuse_overlap(detector, local, scored)
    store = prepared_store(detector.config, config.cache)
    local = prepare(local, store, progress=detector.config.trainer.progress)
    folder.write_csv("calibration/import_report.csv", local.report)
    folder.write_csv("calibration/index.csv", local.index)
    if len(local.prepared) < MINIMUM:
        raise DatasetError(
            "There are too few healthy brains to calibrate with.",
            expected=f"at least {MINIMUM}, {MIN_CALIBRATION} to be of use, {RECOMMENDED} advised",
            found=str(len(local.prepared)),
            where=f"calibrate={config.calibrate}",
            advice=f"See {folder / 'calibration' / 'import_report.csv'} for what was left out, and why.",
        )
    return recalibrated(detector, harmonised(detector.harmoniser, local), scored, origin=config.calibrate)
