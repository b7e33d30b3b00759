"""The audit of a table with scores of any model; needs no run, no scans and no PyTorch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brain_cae.audit import AuditResult, AuditTest, LabelMeaning, audit
from brain_cae.audit.scores import Scored, read_scores
from brain_cae.configuration import EvaluateConfig, read_option
from brain_cae.estimates import Estimate, auroc
from brain_cae.files.run_folder import RunFolder
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.report import write_audit_report
from brain_cae.scans.sources.base import agreeing
from brain_cae.scans.sources.table import read_table

log = logging.getLogger(__name__)

REVERSED = (
    "The AUROC of the score is below 0.5. A higher score must mean more abnormal: if yours means the opposite, audit "
    "the score with its sign changed."
)


@dataclass(frozen=True)
class TableAudit:
    """The audit of a table.

    Attributes:
        result: The verdict with its reasons and tests, see :class:`brain_cae.audit.AuditResult`.
        auroc: AUROC of the score, with its interval.
        scored: The table as it was read.
        cautions: What a reader must know before any figure.
        title: Heading of the report.
    """

    result: AuditResult
    auroc: Estimate
    scored: Scored
    cautions: list[str]
    title: str

    @property
    def verdict(self) -> str:
        """``confounded``, ``at risk``, ``clear`` or ``cannot tell``."""
        return self.result.verdict

    @property
    def reasons(self) -> list[str]:
        """The strongest reasons for the verdict, three at most."""
        return self.result.reasons

    @property
    def tests(self) -> list[AuditTest]:
        """Every test that was run."""
        return self.result.tests

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: ``score.auroc`` and ``audit``."""
        return {
            "schema_version": 1,
            "score": {"auroc": self.auroc.to_dict()},
            "audit": self.result.to_dict() | {"kind": "table"},
        }

    def report(self, path: Path | str) -> Path:
        """Write the report, one self-contained HTML file; text of the table is escaped."""
        subjects = self.scored.subjects
        shown = subjects.assign(protocol=subjects[self.scored.strata])
        content = ReportContent(
            title=self.title,
            metrics=self.to_dict(),
            predictions=shown.rename_axis("subject").reset_index(),
            cautions=self.cautions,
        )
        return write_audit_report(Path(path), content, summary=self._summary())

    def _summary(self) -> str:
        known = self.scored.subjects[np.isfinite(self.scored.subjects["score"])]
        counts = known["label"].value_counts()
        text = agreeing(len(known), "{subject|subjects} with a score of another model (")
        text += ", ".join(f"{count} {label}" for label, count in counts.items()) + ")"
        if self.auroc.value is None:
            return f"{text}."
        interval = "" if self.auroc.low is None else f" [{self.auroc.low:.3f}, {self.auroc.high:.3f}]"
        return f"{text}; AUROC of the score {self.auroc.value:.3f}{interval}."


def audit_table(
    table: pd.DataFrame | Path | str,
    *,
    label: str | None = None,
    score: str | None = None,
    acquisition: Sequence[str] | None = None,
    subject: str | None = None,
    abnormal: str | None = None,
    strata: str | None = None,
    margin: float = 0.65,
    healthy_means: str | None = None,
    seed: int = 0,
) -> TableAudit:
    """Test whether the way subjects were scanned can explain the scores of any model.

    Args:
        table: One row per subject, as a table or a file (CSV, TSV or spreadsheet).
        label: Column with ``healthy`` and ``abnormal``, or 0 and 1; missing where unknown. Default: ``label``.
        score: Column with the score, higher means more abnormal. Default: ``score``.
        acquisition: Columns of scan parameters, text or numbers. Default: those with known names, such as
            ``manufacturer``, ``site``, ``field_strength_t``, ``tr``.
        subject: Column with names. Default: ``subject``, or else the index.
        abnormal: The label of patients, if the two labels have other names.
        strata: Column whose equal values were scanned alike. Default: ``protocol``, or else groups of the scan
            parameters.
        margin: AUROC below which the contribution of the acquisition is too small to explain a result.
        healthy_means: What the healthy class stands for, if it consists of controls.
        seed: Seed of permutations and resampling.

    Raises:
        DatasetError: A column is missing, a label or score cannot be read, or a subject has several rows.

    Example:
        >>> import pandas as pd
        >>> from brain_cae.workflows.table_audit import audit_table
        >>> table = pd.DataFrame({
        ...     "diagnosis": ["control"] * 40 + ["glioma"] * 40,
        ...     "probability": range(80),
        ...     "vendor": ["A"] * 40 + ["B"] * 40,
        ... })
        >>> audited = audit_table(table, label="diagnosis", abnormal="glioma", score="probability")
        >>> audited.verdict
        'confounded'
    """
    title = "audit of a table of scores"
    if not isinstance(table, pd.DataFrame):
        path = Path(table)
        read = read_table(path, expected="a table with one row per subject: label, score and scan parameters")
        table, title = pd.DataFrame(read.rows, columns=list(read.columns)), f"{path.name}: {title}"
    scored = read_scores(
        table, subject=subject, label=label, abnormal=abnormal, score=score, acquisition=acquisition, strata=strata
    )
    meaning = LabelMeaning(healthy_means or "", "", True if healthy_means else None)
    result = audit(
        scored.subjects,
        acquisition=scored.acquisition,
        margin=margin,
        seed=seed,
        strata=scored.strata,
        meaning=meaning,
    )
    subjects = scored.subjects[scored.subjects["label"] != "unknown"]
    reached = auroc(subjects["label"], subjects["score"], seed=seed)
    cautions = [*scored.cautions, *result.warnings]
    if reached.high is not None and reached.high < 0.5:
        cautions.insert(0, REVERSED)
    return TableAudit(result, reached, scored, cautions, title)


def run(config: EvaluateConfig, output: Path) -> TableAudit:
    """Audit ``audit.table``; write ``report.html`` and ``metrics.json``."""
    settings = config.audit
    assert settings is not None and settings.table is not None
    folder = RunFolder(output)
    with folder.status():
        with folder.stage("audit"):
            audited = audit_table(
                Path(settings.table),
                label=settings.label,
                score=settings.score,
                acquisition=settings.acquisition,
                subject=settings.subject,
                abnormal=settings.abnormal,
                strata=None if settings.strata == read_option("audit", "standard")["strata"] else settings.strata,
                margin=settings.margin,
                healthy_means=settings.healthy_means,
            )
        audited.report(folder / "report.html")
        folder.write_json("metrics.json", audited.to_dict() | {"seconds": folder.seconds})
        for caution in audited.cautions:
            log.warning(caution)
        log.info("verdict: %s", audited.verdict)
        for reason in audited.reasons:
            log.info("  %s", reason)
        log.info("report: %s", output / "report.html")
    return audited
