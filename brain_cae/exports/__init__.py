"""Exports of a model, or of what it found, for other programs: one format a file, ``evaluate.py export=<format>``.

A module of this package is a format of its name. It defines

- ``OF``: ``"model"``, or ``"results"`` if subjects must be scored first;
- ``export(work: Export) -> list[Path]``: writes to ``export/`` of ``work.folder`` and returns what it wrote;
- ``check(cohort)``, if it cannot export everything: raises what stands against it, before subjects are scored.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from torch import nn

from brain_cae.detector.detector import Detector
from brain_cae.errors import RunError
from brain_cae.executor import HERE, Executor
from brain_cae.files.run_folder import RunFolder
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.records import Metrics


@dataclass(frozen=True, eq=False)
class Export:
    """What a format may use.

    Attributes:
        detector: The detector, as it scored.
        run: Folder whose ``model/`` holds the detector, or the bundle that it came from.
        folder: Folder of the evaluation. Once subjects are scored it holds ``index.csv``, ``predictions.csv``,
            ``lesions.csv`` and ``anomaly_maps/``.
        target: File that the user named (``export=model.zip``); None for a format that writes to ``export/``.
        assessment: Findings, scores and prepared scans of the scored subjects; None if none were scored.
        metrics: Figures of the evaluation; None if no subjects were scored.
        executor: Where brains are worked on.
    """

    detector: Detector
    run: Path
    folder: RunFolder
    target: Path | None = None
    assessment: Assessment | None = None
    metrics: Metrics | None = None
    executor: Executor = HERE


def first_network(detector: Detector) -> nn.Module:
    """Return the network of a model, for formats that hold a network and nothing else; further members are left out.

    Raises:
        RunError: The model has no network.
    """
    if detector.network is None:
        raise RunError(
            "This model has no network to export.",
            expected="a run with model=cae or another network",
            found=f"model={detector.config.model.name}",
            where="export",
            advice="Hand on the whole model: export=model.zip.",
        )
    return detector.network


def needs_results(name: str) -> bool:
    """Return whether a format exports results of scored subjects."""
    return import_module(f"{__name__}.{name}").OF == "results"


def check(name: str, cohort: Cohort) -> None:
    """Raise what stands against a format for these scans, before they are prepared and scored."""
    if hasattr(module := import_module(f"{__name__}.{name}"), "check"):
        module.check(cohort)


def write(name: str, work: Export) -> list[Path]:
    """Write a format; return the paths of the files and folders that a reader opens."""
    return import_module(f"{__name__}.{name}").export(work)
