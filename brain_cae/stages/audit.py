"""What the audit is given: tables of a scored cohort, or, before anything is trained, of headers and labels alone."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from brain_cae.audit import AuditResult, LabelMeaning, audit, audit_headers
from brain_cae.audit.nuisance_images import KINDS
from brain_cae.configuration import CombinedDataset, EvaluateConfig, PhantomDataset, RsnaMiccaiDataset
from brain_cae.configuration.schema import Audit
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.files.run_folder import RunFolder
from brain_cae.reporting import ReportContent, write_audit_report
from brain_cae.scans.headerless import group_without_headers
from brain_cae.scans.protocol import UNKNOWN, ProtocolGroups, subject_acquisition
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.base import MODALITIES
from brain_cae.scans.store import inspect_series
from brain_cae.stages.cohort import Cohort, make_source

log = logging.getLogger(__name__)

DEFAULTS = Audit(name="standard", margin=0.65, strata="protocol", healthy_means=None)

NOBODY = "nobody"
PUBLISHED = {
    "rsna_miccai": LabelMeaning(NOBODY, "patients with a glioblastoma", None),
    "brats": LabelMeaning(NOBODY, "patients with a glioma", None),
    "ixi": LabelMeaning("healthy volunteers", NOBODY, True),
}
"""What the classes of published data sets hold."""


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
                meaning=label_meaning(config.dataset, settings),
            )
        metrics = {"schema_version": 1, "audit": result.to_dict() | {"kind": "headers"}}
        content = ReportContent(
            title=f"{' and '.join(sorted(set(index['source'])))}: headers and labels",
            metrics=metrics,
            predictions=subjects.rename_axis("subject").reset_index(),
            index=index,
            warnings=list(dict.fromkeys([*notes, *result.warnings])),
        )
        write_audit_report(folder / "report.html", content)
        folder.write_json("metrics.json", metrics | {"seconds": folder.seconds})
        log.info("verdict: %s", result.verdict)
        for reason in result.reasons:
            log.info("  %s", reason)
        log.info("report: %s", output / "report.html")
    return result


def audit_scores(
    settings: Audit,
    cohort: Cohort,
    table: pd.DataFrame,
    roles: pd.Series,
    features: pd.DataFrame,
    *,
    harmonised: pd.DataFrame | None = None,
    seed: int,
) -> AuditResult:
    """Audit an evaluation.

    Args:
        settings: Margin, strata, and what the healthy class means.
        cohort: All subjects, prepared, those of ``train`` and ``validation`` as well.
        table: The evaluated subjects with label, score, protocol, source, flagged and so on, indexed by subject.
        roles: Role of every subject.
        features: What the transfer classifier has learnt from, one row per evaluated subject.
        harmonised: The same as the classifier saw each subject out of fold; None where features are not harmonised.
        seed: Of permutations and resampling.
    """
    acquisition = cohort.acquisition.loc[table.index]
    looks = pd.DataFrame({name: own.appearance for name, own in cohort.prepared.items()}).T.reindex(table.index)
    prints = {name: own.fingerprint for name, own in cohort.prepared.items() if own.fingerprint.size}
    lesion = {name: own.lesion is not None and bool(own.lesion.any()) for name, own in cohort.prepared.items()}
    subjects = table.assign(lesion=pd.Series(lesion).reindex(table.index))
    subjects, acquisition = _with_strata(subjects, acquisition, cohort.index, looks, settings.strata)
    return audit(
        subjects,
        acquisition=acquisition,
        margin=settings.margin,
        seed=seed,
        strata=settings.strata,
        features=features,
        harmonised=harmonised,
        nuisance=looks[[name for name in looks if str(name).startswith(tuple(f"{kind}_" for kind in KINDS))]],
        scans=cohort.index.assign(role=cohort.index["subject"].map(roles))[["subject", "role", "series_hash"]].dropna(),
        fingerprints=pd.DataFrame(prints).T,
        meaning=label_meaning(cohort.dataset, settings),
    )


def label_meaning(dataset: Any, settings: Audit) -> LabelMeaning:
    """What the classes of a dataset stand for; own data says so by ``audit.healthy_means``."""
    if isinstance(dataset, CombinedDataset):
        return _together([label_meaning(part, settings) for part in dataset.parts.values()])
    if isinstance(dataset, PhantomDataset):
        lesions = "simulated brains with a glioma" if dataset.lesions else "simulated brains, their gliomas left out"
        return LabelMeaning("simulated brains without a tumour", lesions, True)
    if isinstance(dataset, RsnaMiccaiDataset) and dataset.healthy_value is not None:
        status = "methylation status of a promoter, in patients who all have a glioblastoma"
        own, other = dataset.healthy_value, 1 - dataset.healthy_value
        return LabelMeaning(f"MGMT_value {own} ({status})", f"MGMT_value {other} (the same)", False)
    if dataset.name in PUBLISHED:
        return PUBLISHED[dataset.name]
    return LabelMeaning(settings.healthy_means or "", "", True if settings.healthy_means else None)


def _together(parts: list[LabelMeaning]) -> LabelMeaning:
    """Of several sources: a part without any healthy subject says nothing of those that have some."""
    healthy = [part for part in parts if part.healthy != NOBODY]
    known = [part.controls for part in healthy]
    controls = False if False in known else True if known and all(known) else None
    return LabelMeaning(_joined(part.healthy for part in parts), _joined(part.abnormal for part in parts), controls)


def _joined(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(word for word in words if word not in ("", NOBODY))) or NOBODY


def _headers(config: EvaluateConfig) -> tuple[pd.DataFrame, list[str]]:
    """The index of what headers alone tell, and what a reader must know of it."""
    modalities = list(MODALITIES)
    source = make_source(config.dataset, modalities=modalities, workers=config.workers, limit=None, progress=True)
    found = inspect_series(one_session(source.locate(), modalities), workers=config.workers)
    lost = found.report[found.report["status"] == "refused"].groupby("reason").size()
    notes = [*source.notes(), *(f"{count} series left out: {reason}." for reason, count in lost.items())]
    for note in notes:
        log.warning(note)
    if found.index.empty:
        raise DatasetError(
            "No scan has a usable header.",
            expected="DICOM or NIfTI of a whole head",
            found="; ".join(map(str, lost.index)) or "no scans",
            where=f"dataset={config.dataset.name}",
            advice="inspect=true lists every reason with what to do.",
        )
    # Content was not read, so copies under other names cannot be seen.
    return found.index.assign(series_hash=""), notes


def _subjects(index: pd.DataFrame, strata: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Label, source and protocol of each subject, and its acquisition, from an index of headers."""
    modalities = [name for name in MODALITIES if (index["modality"] == name).any()]
    reference = "flair" if "flair" in modalities else modalities[0]
    acquisition = subject_acquisition(index, modalities=modalities, reference=reference)
    subjects = index.groupby("subject")[["label", "source", "site"]].first().reindex(acquisition.index)
    subjects["protocol"] = ProtocolGroups.fit(acquisition).assign(acquisition)
    return _with_strata(subjects, acquisition, index, pd.DataFrame(index=acquisition.index), strata)


def _with_strata(
    subjects: pd.DataFrame, acquisition: pd.DataFrame, index: pd.DataFrame, looks: pd.DataFrame, strata: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the column of the strata; where headers say nothing, spacings and the look of the images stand for them."""
    if strata not in subjects and strata not in acquisition and strata in index:
        subjects[strata] = index.groupby("subject")[strata].first().reindex(subjects.index)
    silent = subjects["protocol"] == UNKNOWN
    if strata == "protocol" and silent.any():
        own = subjects.index[silent]
        looks = looks[[name for name in looks if str(name).endswith(("_noise", "_smoothness_mm"))]]
        subjects.loc[own, "protocol"] = group_without_headers(
            acquisition.loc[own], looks.loc[own], subjects.loc[own, "source"]
        )
        acquisition = acquisition.join(looks)
    return subjects, acquisition
