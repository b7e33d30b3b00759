"""Nested evaluation: everything is refitted in each outer fold, without the subjects of that fold.

Cross-fitting keeps one autoencoder and predicts only subjects outside ``train`` and ``validation``. Here every labelled
subject is in one outer fold, and reshape, network, healthy reference, thresholds, tuning and classifier are refitted in
each fold (Varma and Simon 2006, BMC Bioinformatics 7:91).
"""

import logging
import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config, validation_size
from brain_cae.data.splits import check_leakage, stratified
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import load
from brain_cae.errors import DatasetError
from brain_cae.files.names import file_names
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.tables import read_csv
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.executor import make_executor
from brain_cae.stages.hardware import scoring_device
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.transfer import pooled
from brain_cae.stages.transfer_plan import transfer_plan
from brain_cae.transfer.fitting import make_folds
from brain_cae.workflows.scoring import score_unseen

log = logging.getLogger(__name__)

Fit = Callable[[Config, pd.DataFrame, Cohort, RunFolder], Detector]


def outer_splits(config: Config, labels: pd.Series) -> list[pd.DataFrame]:
    """The roles in each outer fold.

    Args:
        config: ``split`` gives the shares of ``train`` and ``validation``, ``evaluation`` the number of folds.
        labels: Label of each subject (index: subject).

    Returns:
        One table per fold: columns subject, role. The fold itself has the role ``test``; subjects outside of it that
        neither train nor calibrate the autoencoder have the role ``classifier``. Subjects without a label are tested
        in the first fold.

    Raises:
        DatasetError: A class has fewer than two members, or a fold leaves too few healthy brains.
    """
    known, unknown = labels[labels != "unknown"], labels.index[labels == "unknown"]
    truth = (known == "abnormal").to_numpy()
    numbers, notes = make_folds(truth, folds=config.evaluation.folds, seed=config.seed)
    if len(known) == 0 or numbers.max() < 1:
        raise DatasetError(
            "Outer folds need at least two subjects of each class.",
            expected="at least 2 healthy and 2 abnormal subjects",
            found=f"{int((~truth).sum())} healthy and {int(truth.sum())} abnormal",
            where="evaluation=nested",
            advice="Use evaluation=crossfit, which also reports on healthy brains alone.",
        )
    for note in notes:
        log.warning(note)
    splits = []
    for number in range(numbers.max() + 1):
        remaining, tested = known[numbers != number], known.index[numbers == number]
        drawn = stratified(
            remaining,
            train=config.split.train,
            validation=validation_size(int((remaining == "healthy").sum()), config.split),
            classifier=1.0,
            seed=config.seed,
        )
        scored = [*tested, *(unknown if number == 0 else [])]
        roles = pd.concat([drawn, pd.DataFrame({"subject": scored, "role": "test"})])
        splits.append(roles.sort_values("subject", ignore_index=True))
    return splits


def assess_nested(config: Config, cohort: Cohort, folder: RunFolder, fit: Fit) -> Assessment:
    """Assess the subjects of each outer fold with a detector fitted without them; return one joined assessment.

    Roles and model of each fold are written to ``outer/<fold>``. A resumed run (``resume``) loads the models of
    finished folds from there.

    Args:
        config: Configuration of the run.
        cohort: Prepared subjects.
        folder: Folder of the run.
        fit: Function that fits reshape, network, reference and thresholds on the given roles.
    """
    parts = []
    splits = outer_splits(config, cohort.labels)
    files = file_names(dict.fromkeys(cohort.index["subject"]))
    contrasts = (*config.modality.names, "all")
    for number, roles in enumerate(splits):
        log.info("outer fold %d of %d", number + 1, len(splits))
        check_leakage(roles, cohort.index)
        fold_config = replace(config, resume=None, evaluation=replace(config.evaluation, name="holdout"))
        fold_folder = RunFolder(folder / f"outer/{number}")
        fold_folder.write_csv("splits.csv", roles)
        detector = _finished_fold(config, fold_config, number, roles) or fit(fold_config, roles, cohort, fold_folder)
        unseen = score_unseen(detector, cohort, roles, fold_folder, cache=config.cache, executor=make_executor(config))
        tested = unseen.among(roles.loc[roles["role"] == "test", "subject"])
        take_maps(fold_folder, folder, [f"{files[name]}_{one}" for name in tested.table.index for one in contrasts])
        fold = pd.array([number] * len(tested.table), dtype="Int64")
        parts.append(replace(tested, table=tested.table.assign(fold=fold)))
    return _join(config, cohort, parts)


def take_maps(fold: RunFolder, folder: RunFolder, names: Iterable[str]) -> None:
    """Put the maps of a fold's subjects in the place of those by the stored model, which none of their figures knows.

    Args:
        fold: Folder of the outer fold in which the subjects were tested.
        folder: Folder of the run.
        names: Names of the maps. A map that the fold lacks is removed.
    """
    for name in names:
        path = f"anomaly_maps/{name}.nii.gz"
        if (fold / path).is_file():
            folder.write(path, partial(shutil.copyfile, fold / path))
        else:
            (folder / path).unlink(missing_ok=True)


def _join(config: Config, cohort: Cohort, parts: list[Assessment]) -> Assessment:
    """Join the assessments of all outer folds."""
    table = pd.concat([part.table for part in parts])
    residual, harmonised = r"^residual_", [part.harmonised for part in parts if part.harmonised is not None]
    return Assessment(
        table=table,
        findings={name: findings for part in parts for name, findings in part.findings.items()},
        # Bottleneck channels are not comparable between networks; residual features are.
        features=pd.concat([part.features.filter(regex=residual) for part in parts]),
        arm="residual",
        harmonised=pd.concat([arm.filter(regex=residual) for arm in harmonised]) if harmonised else None,
        unreached=[name for part in parts for name in part.unreached],
        transfer=pooled(transfer_plan(config), table, [part.transfer for part in parts]),
        detectors={name: detector for part in parts for name, detector in part.detectors.items()},
        cohort=replace(
            cohort,
            prepared={name: part.cohort.prepared[name] for part in parts for name in part.table.index},
            cautions=list(
                dict.fromkeys([*cohort.cautions, *(text for part in parts for text in part.cohort.cautions)])
            ),
        ),
    )


def _finished_fold(config: Config, fold_config: Config, number: int, roles: pd.DataFrame) -> Detector | None:
    """The fold's detector from the interrupted run; None if it is incomplete, or configuration or roles differ."""
    if config.resume is None:
        return None
    run = Path(config.resume) / "outer" / str(number)
    if not (run / "model" / "config.yaml").is_file():
        return None
    before = read_csv(run / "splits.csv", dtype=str, keep_default_na=False)
    detector = load(run, config.extensions)
    if detector.config != fold_config or not before.equals(roles.astype(str)):
        return None
    for network in detector.networks:
        network.to(scoring_device(config.trainer.accelerator))
    return detector
