"""The audit of headers and labels, before anything is trained: needs no run, reads no voxel."""

import logging
from pathlib import Path

import pandas as pd

from brain_cae.audit import AuditResult, audit_headers
from brain_cae.configuration import EvaluateConfig
from brain_cae.configuration.schema import Audit
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.reporting import ReportContent, write_audit_report
from brain_cae.scans.protocol import ProtocolGroups, subject_acquisition
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.build import make_source
from brain_cae.scans.store import inspect_series
from brain_cae.stages.audit import label_meaning, with_strata
from brain_cae.vocabulary import MODALITIES

log = logging.getLogger(__name__)

DEFAULTS = Audit(name="standard", margin=0.65, strata="protocol", healthy_means=None, extra={})


def run(config: EvaluateConfig, output: Path) -> AuditResult:
    """Audit the headers and labels of a dataset; needs no run, reads no voxel.

    Leaves ``report.html``, ``metrics.json`` (``audit``) and ``index.csv`` in ``output``.

    Raises:
        ConfigurationError: No dataset is named.
        DatasetError: It holds no scan with a readable header.
    """
    if config.dataset is None:
        raise ConfigurationError(
            "An audit without a run needs a dataset.",
            expected="dataset=phantom | rsna_miccai | folder | …",
            where="dataset",
            advice="Name one, or leave audit_only out to score with a run.",
        )
    settings = config.audit or DEFAULTS
    folder = RunFolder(output)
    with folder.status():
        with folder.stage("headers"):
            index, notes = _headers(config)
            folder.write_csv("index.csv", index)
        with folder.stage("audit"):
            subjects, acquisition = _subjects(index, settings.strata)
            result = audit_headers(
                subjects,
                acquisition=acquisition,
                margin=settings.margin,
                strata=settings.strata,
                scans=index.assign(role="not drawn yet")[["subject", "role", "series_hash"]],
                meaning=label_meaning(make_source(config.dataset, modalities=MODALITIES), settings),
            )
        metrics = {"schema_version": 1, "audit": result.to_dict() | {"kind": "headers"}}
        content = ReportContent(
            title=f"{' and '.join(sorted(set(index['source'])))}: headers and labels",
            metrics=metrics,
            predictions=subjects.rename_axis("subject").reset_index(),
            index=index,
            cautions=list(dict.fromkeys([*notes, *result.warnings])),
        )
        write_audit_report(folder / "report.html", content)
        folder.write_json("metrics.json", metrics | {"seconds": folder.seconds})
        log.info("verdict: %s", result.verdict)
        for reason in result.reasons:
            log.info("  %s", reason)
        log.info("report: %s", output / "report.html")
    return result


def _headers(config: EvaluateConfig) -> tuple[pd.DataFrame, list[str]]:
    """The index of what headers alone tell, and what a reader must know of it."""
    modalities = list(MODALITIES)
    source = make_source(config.dataset, modalities=modalities, workers=config.workers, limit=None, progress=True)
    headers = inspect_series(one_session(source.locate(), modalities), workers=config.workers)
    lost = headers.report[headers.report["status"] == "refused"].groupby("reason").size()
    notes = [*source.notes(), *(f"{count} series left out: {reason}." for reason, count in lost.items())]
    for note in notes:
        log.warning(note)
    if headers.index.empty:
        raise DatasetError(
            "No scan has a usable header.",
            expected="DICOM or NIfTI of a whole head",
            found="; ".join(map(str, lost.index)) or "no scans",
            where=f"dataset={config.dataset.name}",
            advice="inspect=true lists every reason with what to do.",
        )
    # Content was not read, so copies under other names cannot be seen.
    return headers.index.assign(series_hash=""), notes


def _subjects(index: pd.DataFrame, strata: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label, source and protocol of each subject, and its acquisition, from an index of headers."""
    modalities = [name for name in MODALITIES if (index["modality"] == name).any()]
    reference = "flair" if "flair" in modalities else modalities[0]
    acquisition = subject_acquisition(index, modalities=modalities, reference=reference)
    subjects = index.groupby("subject")[["label", "source", "site"]].first().reindex(acquisition.index)
    subjects["protocol"] = ProtocolGroups.fit(acquisition).assign(acquisition)
    return with_strata(subjects, acquisition, index, pd.DataFrame(index=acquisition.index), strata)
