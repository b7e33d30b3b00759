"""Recalibration: healthy brains of another scanner replace those that the detector was calibrated with."""

import pandas as pd

from brain_cae.configuration import EvaluateConfig, dataset_option
from brain_cae.detector.detector import Detector
from brain_cae.errors import DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cautions import MIN_CALIBRATION, RECOMMENDED
from brain_cae.stages.cohort import import_cohort
from brain_cae.stages.executor import make_executor
from brain_cae.stages.harmonisation import harmonised
from brain_cae.stages.preparation import make_preparation, prepare
from brain_cae.stages.recalibration import healthy_only, recalibrated, refuse_overlap
from brain_cae.stages.space import placed

MINIMUM = 2
"""Number of healthy brains below which calibration is refused."""


def recalibrate(detector: Detector, config: EvaluateConfig, scored: pd.DataFrame, folder: RunFolder) -> Detector:
    """Import local healthy brains and return a detector calibrated with them; the network stays the same.

    The tables of the import are written to ``calibration/`` of ``folder``.

    Args:
        detector: The detector of the run; it is not changed.
        config: ``calibrate`` is a folder in the layout of ``dataset=folder``.
        scored: Index rows of the subjects to score.
        folder: Folder of the evaluation.

    Raises:
        DatasetError: There are fewer than two healthy brains.
        LeakageError: The network was trained on one of them, or one of them is to be scored as well.
    """
    assert config.calibrate is not None
    executor = make_executor(config)
    local = import_cohort(
        dataset_option("folder", root=config.calibrate),
        detector.config,
        cache=config.cache,
        executor=executor,
        trained=True,
    )
    local = healthy_only(local)
    refuse_overlap(detector, local, scored)
    steps = make_preparation(detector.config, config.cache, executor)
    local = placed(prepare(local, steps, progress=detector.config.trainer.progress), detector.config)
    folder.write_csv("calibration/import_report.csv", local.report)
    folder.write_csv("calibration/index.csv", local.index)
    if len(local.prepared) < MINIMUM:
        raise DatasetError(
            "There are too few healthy brains for calibration.",
            expected=f"at least {MINIMUM}; {MIN_CALIBRATION} for useful p-values, {RECOMMENDED} recommended",
            found=str(len(local.prepared)),
            where=f"calibrate={config.calibrate}",
            advice=f"See {folder / 'calibration' / 'import_report.csv'} for the excluded scans and the reasons.",
        )
    local = harmonised(detector.harmoniser, local)
    return recalibrated(detector, local, scored, origin=config.calibrate, executor=executor)
