"""The workflow of ``evaluate.py`` and the last part of ``train.py``: score, classify, audit, measure, report."""

import logging
from dataclasses import replace
from pathlib import Path

import pandas as pd

from brain_cae import exports
from brain_cae.configuration import Config, EvaluateConfig, export_format, with_asked
from brain_cae.data.strippers import require_stripper
from brain_cae.detector.build import make_audit_tests
from brain_cae.detector.bundle import digest, is_bundle, require_run, unpacked
from brain_cae.detector.detector import Detector
from brain_cae.detector.storage import load, save
from brain_cae.errors import DatasetError, LeakageError
from brain_cae.files.names import file_names
from brain_cae.files.provenance import environment
from brain_cae.files.run_folder import RunFolder, newest_run, peak_memory_mb
from brain_cae.files.tables import read_csv
from brain_cae.reporting.patients import addresses, write_patients
from brain_cae.reporting.report import write_report
from brain_cae.stages.audit import audit_scores
from brain_cae.stages.board import publish
from brain_cae.stages.cautions import (
    calibration_cautions,
    cohort_cautions,
    harmonise_cautions,
    out_of_calibration_cautions,
    serious,
    skull_cautions,
    trial_cautions,
)
from brain_cae.stages.changed import changed_cautions
from brain_cae.stages.cohort import Cohort, import_cohort
from brain_cae.stages.executor import make_executor
from brain_cae.stages.hardware import one_thread_in_forks
from brain_cae.stages.lesions import lesion_table
from brain_cae.stages.metrics import by_subject, measure
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.preparation import make_preparation, prepare
from brain_cae.stages.records import External, Metrics
from brain_cae.stages.report import map_reader, predictions, report_content, view, with_pages
from brain_cae.stages.scope import Scope
from brain_cae.stages.space import placed
from brain_cae.stages.transfer_plan import min_per_class
from brain_cae.stages.worklist import worklist, worklist_summary
from brain_cae.transfer.features import select_arm
from brain_cae.vocabulary import HEALTHY_ROLES, UNSEEN_ROLES
from brain_cae.workflows.crossfit import FOLDS
from brain_cae.workflows.recalibration import recalibrate
from brain_cae.workflows.scoring import score_new, score_unseen

log = logging.getLogger(__name__)


def run(config: EvaluateConfig, output: Path) -> float | None:
    """Score the unseen subjects of a run, or new subjects, with the stored model.

    Returns:
        ``detection.auroc``, or None if it is undefined.
    """
    if config.export is not None and config.dataset is None and config.calibrate is None:
        name = export_format(config.export)
        if not exports.needs_results(name):
            export_model(config, output)
            return None
    return score_stored(config, output).detection.residual.auroc.value


def export_model(config: EvaluateConfig, output: Path) -> list[Path]:
    """Write the stored model in the format of ``export``; no subject is imported or scored."""
    source = _source(config)
    folder = RunFolder(output)
    with folder.status():
        detector = load_detector(config, source)
        return _export(config, exports.Export(detector, source, folder))


def score_external(config: Config, output: Path) -> External:
    """Score the subjects of ``external`` with the model of the run in ``output``.

    The files of this evaluation are written to ``external/`` of the run.
    """
    evaluation = EvaluateConfig(
        run=str(output),
        cache=config.cache,
        workers=config.workers,
        executor=config.executor,
        dataset=config.external,
        extensions=config.extensions,
    )
    metrics = score_stored(evaluation, output / "external")
    return External(
        dataset=config.external.name,
        subjects=metrics.subjects["test"],
        detection=metrics.detection.residual.auroc,
        transfer=metrics.transfer.figures["auroc"],
        verdict=metrics.audit.verdict,
    )


def score_stored(config: EvaluateConfig, output: Path) -> Metrics:
    """Do what :func:`run` does, and return all metrics."""
    source = _source(config)
    folder = RunFolder(output)
    with folder.status():
        detector = load_detector(config, source)
        require_stripper(detector.config.preprocess.skull_strip)
        with folder.stage("import"):
            cohort, splits = _import(config, detector, source)
            folder.write_csv("import_report.csv", cohort.report)
            cohort.require_subjects()
            if config.export is not None:
                exports.check(export_format(config.export), cohort)
        if config.calibrate is not None:
            with folder.stage("calibrate"):
                scored = cohort.index[cohort.index["subject"].isin(_unseen(splits))]
                detector = recalibrate(detector, config, scored, folder)
                save(detector, folder / "model")
        with folder.stage("prepare"):
            steps = make_preparation(detector.config, config.cache, make_executor(config))
            cohort = prepare(cohort, steps, progress=detector.config.trainer.progress)
            cohort = placed(cohort, detector.config)
            if config.dataset is not None:  # subjects that could not be prepared are not tested
                splits = splits[splits["subject"].isin(cohort.index["subject"])]
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            folder.write_csv("splits.csv", splits)
            cohort.require_subjects()
        scope = Scope(splits, model_run=source, new_subjects=config.dataset is not None)
        if scope.new_subjects:
            assessment = score_new(detector, cohort, splits, folder, cache=config.cache, executor=make_executor(config))
            folder.write_csv("predictions.csv", predictions(assessment.table))
            said = _write_worklist(detector, assessment, folder)
            scope = replace(scope, cautions=(said,))
            metrics = conclude(detector, assessment, scope, folder)
        else:
            assessment = score_unseen(
                detector, cohort, splits, folder, cache=config.cache, executor=make_executor(config)
            )
            cautions = [*_changed(source, cohort, splits), *cohort_cautions(detector.config, cohort, splits)]
            metrics = conclude_unseen(detector, assessment, replace(scope, cautions=tuple(cautions)), folder)
        if config.export is not None:
            run = source if config.calibrate is None else output
            work = exports.Export(detector, run, folder, assessment=assessment, metrics=metrics)
            _export(config, replace(work, executor=make_executor(config)))
    return metrics


def _source(config: EvaluateConfig) -> Path:
    return Path(config.run) if config.run else newest_run(Path("outputs"))


def load_detector(config: EvaluateConfig, source: Path) -> Detector:
    """Return the detector of a run or bundle, with the decision rule and classifier that the evaluation asks for."""
    if is_bundle(source) and source.is_file():
        log.info("model: %s, SHA-256 %s", source, digest(source))
    else:
        log.info("model: %s", source / "model")
    with unpacked(source) as folder:
        detector = load(folder, config.extensions)
    one_thread_in_forks()  # such as those of a program that scores many brains with multiprocessing.Pool
    asked = replace(detector, config=with_asked(detector.config, config))
    brains = len(detector.scorers["residual"].calibration.scores)
    before, now = (calibration_cautions(brains, one.guarantee) for one in (detector, asked))
    return replace(asked, cautions=[*(one for one in detector.cautions if one not in before), *now])


def _export(config: EvaluateConfig, work: exports.Export) -> list[Path]:
    assert config.export is not None
    name = export_format(config.export)
    with work.folder.stage("export"):
        target = Path(config.export) if name != config.export else None
        written = exports.write(name, replace(work, target=target))
    for path in written:
        log.info("exported: %s", path)
    return written


def _write_worklist(detector: Detector, assessment: Assessment, folder: RunFolder) -> str:
    """Write ``worklist.csv`` of new patients; return what it says, which is also logged."""
    confidence = detector.config.scoring.confidence
    rows = worklist(assessment.table, assessment.findings, confidence)
    folder.write_csv("worklist.csv", rows)
    said = worklist_summary(rows, confidence, detector.calibration)
    log.info("worklist: %s: %s", folder / "worklist.csv", said)
    return f"Worklist (worklist.csv): {said}"


def _import(config: EvaluateConfig, detector: Detector, source: Path) -> tuple[Cohort, pd.DataFrame]:
    """Import the subjects of the run with their roles, or those of another data set, all in the role ``test``."""
    run_config, executor = detector.config, make_executor(config)
    if config.dataset is None:
        roles = _roles_of_run(source)
        cohort = import_cohort(
            run_config.dataset,
            run_config,
            cache=config.cache,
            executor=executor,
            limit=run_config.limit,
            chosen=set(roles["subject"]),
            trained=True,
        )
        unseen = cohort.index[cohort.index["subject"].isin(_unseen(roles))]
        refuse_seen(detector, unseen, "Their files have changed since the run: restore them, or train again.")
        return cohort, roles
    cohort = import_cohort(config.dataset, run_config, cache=config.cache, executor=executor, trained=True)
    refuse_seen(detector, cohort.index)
    return cohort, pd.DataFrame({"subject": sorted(set(cohort.index["subject"])), "role": "test"})


def _roles_of_run(source: Path) -> pd.DataFrame:
    """Roles of the run's subjects: columns subject, role.

    Raises:
        DatasetError: The folder has no roles, or is an evaluation of new subjects.
    """
    require_run(source)
    path = source / "splits.csv"
    roles = read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else None
    if roles is None or "train" not in set(roles["role"]):
        raise DatasetError(
            "This folder has no unseen subjects to score.",
            expected="a training run's splits.csv",
            found="no splits.csv" if roles is None else "the splits.csv of an evaluation of new subjects",
            where=str(path),
            advice="Choose new subjects: dataset=folder dataset.root=…",
        )
    return roles


def _unseen(roles: pd.DataFrame) -> pd.Series:
    return roles.loc[roles["role"].isin(UNSEEN_ROLES), "subject"]


def _changed(source: Path, cohort: Cohort, roles: pd.DataFrame) -> list[str]:
    """Return the cautions about what has changed in the data set since the run; they are also logged."""
    stored = source / "index.csv"
    before = read_csv(stored, dtype=str, keep_default_na=False) if stored.is_file() else None
    cautions = changed_cautions(before, cohort.index, roles.set_index("subject")["role"])
    for caution in cautions:
        log.warning(caution)
    return cautions


def refuse_seen(
    detector: Detector,
    index: pd.DataFrame,
    advice: str = "Remove them, or omit dataset= to score the unseen subjects of the run.",
) -> None:
    """Check that the network was neither trained nor calibrated with a scan of the index, whatever its subject's name.

    Raises:
        LeakageError: The model was trained or calibrated with some of the scans.
    """
    known = index[index["series_hash"].map(detector.seen).isin(HEALTHY_ROLES)]
    if len(known):
        names = sorted(set(known["subject"]))
        raise LeakageError(
            "The model was trained on some of these brains, or calibrated with them.",
            expected="subjects that the model has never seen",
            found=f"{len(names)} that it has seen, such as {', '.join(names[:5])}",
            where="dataset",
            advice=advice,
        )


def conclude_unseen(detector: Detector, assessment: Assessment, scope: Scope, folder: RunFolder) -> Metrics:
    """Write ``predictions.csv`` of the run's unseen subjects, and everything that :func:`conclude` writes.

    With a held-out protocol, ``predictions.csv`` lists all of them, but figures count only the role ``test``.
    """
    folder.write_csv("predictions.csv", predictions(assessment.table))
    split = detector.config.split
    if split.holds_out_protocol:
        # The classifier was fitted on the other subjects; figures count only the held-out protocol.
        assessment = assessment.among(assessment.table.index[assessment.table["role"] == "test"])
    return conclude(detector, assessment, replace(scope, min_per_class=min_per_class(split)), folder)


def conclude(detector: Detector, assessment: Assessment, scope: Scope, folder: RunFolder) -> Metrics:
    """Audit the assessment and compute its figures; write ``subjects.csv``, ``report.html`` and ``metrics.json``.

    Args:
        detector: The stored detector; in a nested evaluation the outer folds' detectors scored the subjects.
        assessment: Assessment of the subjects that the figures count.
        scope: Their roles, and what a reader must know of the way they were evaluated.
        folder: Folder for the files.
    """
    config, table, cohort = detector.config, assessment.table, assessment.cohort
    uncovered = out_of_calibration_cautions(table["out_of_calibration_reason"])
    for caution in set(uncovered) - set(serious(uncovered)):
        log.warning(caution)
    with folder.stage("audit"):
        audit = audit_scores(
            config.audit,
            cohort,
            table,
            scope.roles,
            select_arm(assessment.features, assessment.arm, config.features.levels),
            harmonised=assessment.harmonised,
            extra=make_audit_tests(config),
            seed=config.seed,
        )
    with folder.stage("report"):
        software = environment(config.seed, scope.splits, cohort.index)
        metrics = measure(detector, assessment, audit, scope=scope, environment=software | _origin(scope.model_run))
        folder.write_csv("subjects.csv", by_subject(table, assessment.findings, assessment.transfer.arms))
        cautions = [*reading_cautions(detector, assessment), *scope.cautions]
        metrics = replace(metrics, cautions=serious(cautions))
        folder.write_csv("lesions.csv", lesion_table(table, assessment.findings))
        _write_pages(detector, assessment, metrics, cautions, scope, folder)
    write_metrics(folder, metrics)
    for caution in metrics.cautions:
        # The last lines of a run are read; a caution in the report alone may not be.
        log.warning(caution)
    return metrics


def reading_cautions(detector: Detector, assessment: Assessment) -> list[str]:
    """Return what a reader of the scores must know first: of the detector, the subjects, and how both fit together."""
    table, cohort = assessment.table, assessment.cohort
    return [
        *trial_cautions(detector.config, detector.training_brains),
        *skull_cautions(detector.skull, cohort.skull[list(table.index)]),
        *out_of_calibration_cautions(table["out_of_calibration_reason"]),
        *detector.cautions,
        *cohort.cautions,
        *harmonise_cautions(assessment.unreached, len(table)),
    ]


def _origin(source: Path | None) -> dict[str, str | None]:
    """Return the run or bundle that the detector comes from; a bundle by its content, whatever its name."""
    origin = {"model_run": str(source) if source else None}
    return origin | {"bundle_sha256": digest(source)} if source and is_bundle(source) else origin


def _write_pages(
    detector: Detector, assessment: Assessment, metrics: Metrics, cautions: list[str], scope: Scope, folder: RunFolder
) -> None:
    """Write ``report.html`` and the pages of subjects in ``patients/``."""
    config, table = detector.config, assessment.table
    files = file_names(dict.fromkeys(assessment.cohort.index["subject"]))
    read_map = map_reader(folder / "anomaly_maps", files)
    named = with_pages(config, table, new_subjects=scope.new_subjects)
    content = report_content(
        detector,
        assessment,
        metrics,
        cautions=cautions,
        scope=scope,
        epochs=_epochs(scope.model_run or folder.path),
        pages=addresses({name: files[name] for name in named}),
        read_map=read_map,
        links={"worklist.csv": "worklist.csv"} if (folder / "worklist.csv").is_file() else {},
    )
    write_report(folder / "report.html", content)
    if scope.model_run is None:
        publish(config, assessment, content, folder.path)
    # Without stored maps, to view a brain is to examine it again.
    seen = {one.subject: one for one in content.views}
    shown = (seen.get(name) or view(config, assessment, name, read_map) for name in named)
    write_patients(folder / "patients", content, shown, files)


def _epochs(run: Path) -> pd.DataFrame:
    """Return the table of ``training.csv`` of a run, or of its first fold; empty if it has none."""
    path = next((path for path in (run / "training.csv", run / FOLDS / "0" / "training.csv") if path.is_file()), None)
    return read_csv(path) if path is not None else pd.DataFrame(columns=["epoch", "loss"])


def write_metrics(folder: RunFolder, metrics: Metrics, external: External | None = None) -> None:
    """Write ``metrics.json``: metrics, run time, peak memory, and the section ``external`` if it is given."""
    content = metrics.to_dict() | {"seconds": folder.seconds, "peak_memory_mb": peak_memory_mb()}
    if external is not None:
        content["external"] = external.to_dict()
    folder.write_json("metrics.json", content)
