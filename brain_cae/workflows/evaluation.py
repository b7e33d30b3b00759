"""The journey of ``evaluate.py``, and the last stage of ``train.py``: score, transfer, audit, report."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brain_cae.configuration import Config, EvaluateConfig, LeaveProtocolOut, with_asked
from brain_cae.data.brain_masks import require_stripper
from brain_cae.detector.build import make_audit_tests
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import load
from brain_cae.errors import DatasetError, LeakageError
from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT
from brain_cae.files.run_folder import RunFolder, newest_run, peak_memory_mb
from brain_cae.reporting import ReportContent, write_report
from brain_cae.stages.audit import audit_scores
from brain_cae.stages.cautions import harmonise_cautions, skull_cautions
from brain_cae.stages.cohort import Cohort, import_cohort, prepared_store
from brain_cae.stages.metrics import by_subject, metrics_of
from brain_cae.stages.prediction import Assessment, assess
from brain_cae.stages.report import curves, predictions, title, views
from brain_cae.transfer.features import select_arm
from brain_cae.vocabulary import HEALTHY_ROLES, UNSEEN_ROLES
from brain_cae.workflows.recalibration import recalibrate

log = logging.getLogger(__name__)


def run(config: EvaluateConfig, output: Path) -> float | None:
    """Score with a stored model: the run's own subjects again, or new ones.

    Returns:
        ``detection.auroc``, or None where it is not defined.
    """
    return score_stored(config, output)["detection"]["auroc"]["value"]


def score_external(config: Config, output: Path) -> dict[str, Any]:
    """Score the subjects of ``external`` with the model that the run in ``output`` has left.

    Everything lies in ``external/`` of the run, as an evaluation of new subjects leaves it.

    Returns:
        The section ``external`` of the run's ``metrics.json``.
    """
    again = EvaluateConfig(
        run=str(output),
        cache=config.cache,
        workers=config.workers,
        dataset=config.external,
        extensions=config.extensions,
    )
    metrics = score_stored(again, output / "external")
    return {
        "dataset": config.external.name,
        "subjects": metrics["subjects"]["test"],
        "detection": {"auroc": metrics["detection"]["auroc"]},
        "transfer": {"auroc": metrics["transfer"]["auroc"]},
        "verdict": metrics["audit"]["verdict"],
    }


def score_stored(config: EvaluateConfig, output: Path) -> dict[str, Any]:
    """What :func:`run` does; returns the content of ``metrics.json``."""
    source = Path(config.run) if config.run else newest_run(Path("outputs"))
    folder = RunFolder(output)
    with folder.status():
        log.info("model: %s", source / "model")
        model = load(source, config.extensions)
        model.config = with_asked(model.config, config)
        require_stripper(model.config.preprocess.skull_strip)
        with folder.stage("import"):
            cohort, splits = _bring_in(config, model, source)
            folder.write_csv("import_report.csv", cohort.report)
            cohort.require_subjects()
        if config.calibrate is not None:
            with folder.stage("calibrate"):
                unseen = splits.loc[splits["role"].isin(UNSEEN_ROLES), "subject"]
                recalibrate(model, config, cohort.index[cohort.index["subject"].isin(unseen)], folder)
        with folder.stage("prepare"):
            cohort.prepare(prepared_store(model.config, config.cache), progress=model.config.trainer.progress)
            for name, table in (
                ("import_report.csv", cohort.report),
                ("index.csv", cohort.index),
                ("splits.csv", splits),
            ):
                folder.write_csv(name, table)
            cohort.require_subjects()
        metrics = evaluate(
            model,
            cohort,
            splits,
            folder,
            cache=config.cache,
            model_run=source,
            new_subjects=config.dataset is not None,
        )
        log.info("report: %s", output / "report.html")
    return metrics


def _bring_in(config: EvaluateConfig, model: Detector, source: Path) -> tuple[Cohort, pd.DataFrame]:
    """The run's own subjects with their roles, or the subjects of another dataset, all in the role ``test``."""
    own = model.config
    roles = _own_roles(source) if config.dataset is None else None
    cohort = import_cohort(
        config.dataset if config.dataset is not None else own.dataset,
        own,
        cache=config.cache,
        workers=config.workers,
        limit=own.limit if config.dataset is None else None,
    )
    if roles is not None:
        return cohort, roles
    _refuse_seen(model, cohort)
    return cohort, pd.DataFrame({"subject": sorted(set(cohort.index["subject"])), "role": "test"})


def _own_roles(source: Path) -> pd.DataFrame:
    """Who of the run's subjects was unseen; an evaluation of other subjects has no such roles.

    Raises:
        DatasetError: There are none.
    """
    path = source / "splits.csv"
    roles = pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else None
    if roles is None or "train" not in set(roles["role"]):
        raise DatasetError(
            "This folder has no subjects of its own to score again.",
            expected="a training run's splits.csv",
            found="none" if roles is None else "that of an evaluation of new subjects",
            where=str(path),
            advice="Name the new subjects: dataset=folder dataset.root=…",
        )
    return roles


def _refuse_seen(model: Detector, cohort: Cohort) -> None:
    """New subjects must be new to the network and to its calibration, whatever they are called now.

    Raises:
        LeakageError: The model was trained or calibrated with some of the scans.
    """
    roles = cohort.index["series_hash"].map(model.seen)
    known = cohort.index[roles.isin(HEALTHY_ROLES)]
    if len(known):
        names = sorted(set(known["subject"]))
        raise LeakageError(
            "The model has learnt from some of these brains, or was calibrated with them.",
            expected="subjects that the model has never seen",
            found=f"{len(names)} that it has, among them {', '.join(names[:5])}",
            where="dataset",
            advice="Take them out; or leave dataset= out to score the run's own unseen subjects again.",
        )


def evaluate(
    model: Detector,
    cohort: Cohort,
    splits: pd.DataFrame,
    folder: RunFolder,
    *,
    cache: str,
    model_run: Path | None = None,
    new_subjects: bool = False,
) -> dict[str, Any]:
    """Score every subject outside ``train`` and ``validation`` and write everything that a run leaves.

    Where a protocol is held out, ``predictions.csv`` holds them all, and every figure counts the role ``test`` alone.

    Args:
        model: Fitted; the classifier for new subjects is fitted here, unless the model comes from another run.
        cohort: Prepared subjects.
        splits: Columns subject, role.
        folder: Where the files go.
        cache: Where findings of the same brains by the same model lie.
        model_run: The run that the model comes from; None when it was fitted just now.
        new_subjects: True applies the stored classifier. It has learnt from the run's own subjects: those are
            cross-fitted (or held out) again, whoever asks.

    Returns:
        The content of ``metrics.json``.
    """
    found = assess(model, cohort, splits, folder, cache=cache, model_run=model_run, new_subjects=new_subjects)
    folder.write_csv("predictions.csv", predictions(found.table))
    alone = isinstance(model.config.split, LeaveProtocolOut) and not new_subjects
    if alone:
        # The others have taught the classifier; every figure from here on is of the held-out protocol.
        found = found.among(found.table.index[found.table["role"] == "test"])
    return conclude(
        model, splits, folder, found, model_run=model_run, min_per_class=MIN_PER_CLASS_HELD_OUT if alone else 1
    )


def conclude(
    model: Detector,
    splits: pd.DataFrame,
    folder: RunFolder,
    found: Assessment,
    *,
    model_run: Path | None = None,
    min_per_class: int = 1,
) -> dict[str, Any]:
    """Audit what was found, and write report, tables and ``metrics.json``, whose content is returned.

    Args:
        model: The one that is stored; others may have judged some subjects.
        splits: Columns subject, role.
        folder: Where the files go.
        found: Of the subjects that figures shall count.
        model_run: As for :func:`evaluate`.
        min_per_class: Members that each class must have for figures between the classes.
    """
    config, table, findings, cohort = model.config, found.table, found.findings, found.cohort
    nested = config.evaluation.name == "nested" and model_run is None
    # Whoever taught one fold's model is tested by another's.
    roles = table["role"] if nested else splits.set_index("subject")["role"]
    with folder.stage("audit"):
        arm = select_arm(found.features, "residual" if nested else config.features.name, config.features.levels)
        verdict = audit_scores(
            config.audit,
            cohort,
            table,
            roles,
            arm,
            harmonised=found.harmonised,
            extra=make_audit_tests(config),
            seed=config.seed,
        )
    with folder.stage("report"):
        metrics = metrics_of(model, table, findings, found.transfer, splits, cohort, min_per_class)
        metrics["harmonise"] = {"name": config.harmonise.name, "unchanged": len(found.unreached)}
        if nested:
            metrics["subjects"]["test"] = len(table)
        metrics["environment"]["model_run"] = str(model_run) if model_run else None
        metrics["audit"] = verdict.to_dict()
        folder.write_csv("subjects.csv", by_subject(table, findings, found.transfer.arms))
        cautions = [*model.cautions, *cohort.notes, *skull_cautions(model, cohort.skull[list(table.index)])]
        cautions += harmonise_cautions(found.unreached, len(table))
        if nested:
            cautions.append(
                f"Every figure is of {table['fold'].nunique()} outer folds, each with an autoencoder of its own, in "
                "outer/; thresholds, groups and costs shown are those of the stored model, which no figure judges."
            )
        content = ReportContent(
            title=title(config, cohort, model_run),
            metrics=metrics,
            predictions=predictions(table),
            import_report=cohort.report,
            index=cohort.index,
            views=views(config, found),
            configuration=yaml.safe_dump(asdict(config), sort_keys=False),
            cautions=list(dict.fromkeys([*cautions, *verdict.warnings])),
            curves=curves(table, model.baselines, min_per_class),
            trials=found.transfer.trials,
        )
        write_report(folder / "report.html", content)
    metrics["seconds"] = folder.seconds
    metrics["peak_memory_mb"] = peak_memory_mb()
    folder.write_json("metrics.json", metrics)
    return metrics
