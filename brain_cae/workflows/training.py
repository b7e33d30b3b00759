"""The workflow of ``train.py``: import the scans, then learn from them and evaluate."""

import logging
from pathlib import Path

from brain_cae.configuration import Config
from brain_cae.configuration.identity import configuration_hash
from brain_cae.data.strippers import require_stripper
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.checkpoint import last_checkpoint
from brain_cae.stages.cohort import Cohort, import_cohort
from brain_cae.stages.executor import make_executor
from brain_cae.stages.processes import check_processes, is_main_process
from brain_cae.stages.roles import draw_roles, evaluation_cautions
from brain_cae.stages.stripping import with_stripper
from brain_cae.stages.trackers import require_tracker

log = logging.getLogger(__name__)


def run(config: Config, output: Path) -> float | None:
    """Train, evaluate and report; all files of the run are written to ``output``.

    Returns:
        ``detection.auroc``, which a sweep may optimise, or None if it is undefined.

    Raises:
        BrainCaeError: A stage failed for a reason that the user can correct; the message says how.
    """
    check_processes(config.trainer)
    if config.trainer.accelerator == "gpu":
        # Imported here because torch takes seconds, and the import of scans starts without it.
        from brain_cae.stages.hardware import check_hardware

        check_hardware(config.trainer)
    # The identity is that of the choices as given: a sweep may be continued where another tool is installed.
    identity, config = configuration_hash(config), with_stripper(config)
    require_stripper(config.preprocess.skull_strip)
    require_tracker(config.logger.name)
    last_checkpoint(config)  # errors are reported before the import
    folder = RunFolder(output)
    if not is_main_process():
        config, cohort = prepare_configured(config, import_configured(config))
        from brain_cae.workflows import learning

        learning.only_train(config, cohort, folder)
        return None
    with folder.status(identity):
        with folder.stage("import"):
            cohort = import_configured(config)
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            cohort.require_subjects()
        if config.stop_after == "import":
            log.info("import report: %s", output / "import_report.csv")
            return None
        # Conflicts, and what the evaluation will lack, are reported before preparation starts.
        lacking = evaluation_cautions(config, cohort.index, draw_roles(config, cohort.index))
        for caution in lacking:
            log.warning(caution)
        if config.stop_after is None:
            # Imported here because torch, Lightning, MONAI and scikit-learn take seconds, and all before needs none.
            from brain_cae.workflows import learning

            learning.check(config)
        with folder.stage("prepare"):
            config, cohort = prepare_configured(config, cohort, progress=config.trainer.progress)
            folder.write_csv("import_report.csv", cohort.report)
            folder.write_csv("index.csv", cohort.index)
            cohort.require_subjects()
        if config.stop_after == "prepare":
            log.info("prepared: %d subjects", len(cohort.prepared))
            return None
        for caution in evaluation_cautions(config, cohort.index, draw_roles(config, cohort.index)):
            if caution not in lacking:  # because of subjects that could not be prepared
                log.warning(caution)
        metrics = learning.learn_and_evaluate(config, cohort, folder)
    return metrics.detection.residual.auroc.value


def prepare_configured(config: Config, cohort: Cohort, *, progress: bool = False) -> tuple[Config, Cohort]:
    """Prepare the imported scans; return the configuration that names their space, and the cohort with them."""
    # Imported here because SciPy and scikit-learn take a second or two, and the import of scans needs neither.
    from brain_cae.stages.preparation import make_preparation, prepare
    from brain_cae.stages.space import placed, with_space

    cohort = prepare(cohort, make_preparation(config, config.cache, make_executor(config)), progress=progress)
    config = with_space(config, cohort)
    return config, placed(cohort, config)


def import_configured(config: Config) -> Cohort:
    """Import the configured dataset."""
    executor = make_executor(config)
    return import_cohort(config.dataset, config, cache=config.cache, executor=executor, limit=config.limit)
