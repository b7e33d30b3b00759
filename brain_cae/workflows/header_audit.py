"""The audit of headers and labels before training; needs no run and reads no voxels."""

import logging
from pathlib import Path

import pandas as pd

from brain_cae.audit import AuditResult, audit_headers
from brain_cae.configuration import EvaluateConfig
from brain_cae.configuration.schema import Audit
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.report import write_audit_report
from brain_cae.scans.protocol import ProtocolGroups, subject_acquisition
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.build import make_source
from brain_cae.scans.store import inspect_series, reading_notes
from brain_cae.stages.audit import label_meaning, with_header_warning, with_strata
from brain_cae.vocabulary import MODALITIES

log = logging.getLogger(__name__)

DEFAULTS = Audit(name="standard", margin=0.65, strata="protocol", healthy_means=None, extra={})


def run(config: EvaluateConfig, output: Path) -> AuditResult:
    """Audit the headers and labels of a data set; write ``report.html``, ``metrics.json`` and ``index.csv``.

    The result is also in ``metrics.json``, under ``audit``.

    Raises:
        ConfigurationError: No data set is chosen.
        DatasetError: No scan has a usable header.
    """
    if config.dataset is None:
        raise ConfigurationError(
            "An audit without a run needs a data set.",
            expected="dataset=phantom | rsna_miccai | folder | …",
            where="dataset",
            advice="Choose one, or omit audit_only to score with a run.",
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
            result = with_header_warning(result, subjects, settings.strata)
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
        for reason in result.reasons:
            log.info(reason)
    return result


def _headers(config: EvaluateConfig) -> tuple[pd.DataFrame, list[str]]:
    """The index that headers alone give, and what a reader must know about it."""
    modalities = list(MODALITIES)
    options = {"workers": config.workers, "limit": None, "progress": True, "cache": config.cache}
    source = make_source(config.dataset, modalities=modalities, **options)
    scans = one_session(source.locate(), modalities)
    headers = inspect_series(scans, workers=config.workers, store=Path(config.cache) / "imported")
    refused = headers.report[headers.report["status"] == "refused"].groupby("reason").size()
    notes = [*source.notes(), *reading_notes(headers.report)]
    notes += [f"{count} series excluded: {reason}." for reason, count in refused.items()]
    for note in notes:
        log.warning(note)
    if headers.index.empty:
        raise DatasetError(
            "No scan has a usable header.",
            expected="DICOM or NIfTI of a whole head",
            found="; ".join(map(str, refused.index)) or "no scans",
            where=f"dataset={config.dataset.name}",
            advice="inspect=true lists every reason and what to do about it.",
        )
    # Voxels were not read, so copies of a scan under other names cannot be detected.
    return headers.index.assign(series_hash=""), notes


def _subjects(index: pd.DataFrame, strata: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label, source and protocol of each subject, and its acquisition parameters, from an index of headers."""
    modalities = [name for name in MODALITIES if (index["modality"] == name).any()]
    reference = "flair" if "flair" in modalities else modalities[0]
    acquisition = subject_acquisition(index, modalities=modalities, reference=reference)
    subjects = index.groupby("subject")[["label", "source", "site"]].first().reindex(acquisition.index)
    subjects["protocol"] = ProtocolGroups.fit(acquisition).assign(acquisition)
    return with_strata(subjects, acquisition, index, pd.DataFrame(index=acquisition.index), strata)
