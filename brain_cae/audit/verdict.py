"""The one verdict on a cohort, by a rule that is written down in ``docs/audit.md``."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from brain_cae.audit.cohort import Cohort, make_cohort
from brain_cae.audit.contribution import contribution
from brain_cae.audit.false_alarms import false_alarms
from brain_cae.audit.metadata_only import metadata_only
from brain_cae.audit.overlap import label_is_source, overlap
from brain_cae.audit.protocol_in_features import protocol_in_features
from brain_cae.audit.protocol_label import needed_for_margin, protocol_label
from brain_cae.audit.reshape_group import reshape_group
from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest
from brain_cae.audit.score_dependence import score_dependence
from brain_cae.audit.smoother import holm
from brain_cae.audit.within_protocol import within_protocol
from brain_cae.errors import ConfigurationError

CONFOUNDED, AT_RISK, CLEAR = "confounded", "at risk", "clear"
SMALLEST_CLASS = 5
STILL_STANDS = (
    "What still stands: reconstruction error, localisation and false alarms among subjects of one class or source."
)


@dataclass(frozen=True)
class AuditResult:
    """The verdict (``confounded``, ``at risk``, ``clear`` or ``cannot tell``), its reasons and the tests behind it."""

    verdict: str
    reasons: list[str]
    tests: list[AuditTest]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "tests": [test.to_dict() for test in self.tests],
        }


def audit(
    subjects: pd.DataFrame,
    *,
    acquisition: pd.DataFrame,
    margin: float = 0.65,
    seed: int = 0,
    strata: str = "protocol",
    features: pd.DataFrame | None = None,
) -> AuditResult:
    """Say whether the way the subjects were scanned explains the result.

    Args:
        subjects: One row per subject, indexed by subject: ``label`` (healthy, abnormal, unknown), ``score`` (higher
        means
            more abnormal), the column named by ``strata``; optional ``role`` (train and validation are left out),
            ``source``, ``reshape_group``, ``flagged``.
        acquisition: One row per subject, same index: numbers and categories of how the scan was made; gaps allowed.
        margin: AUROC below which the acquisition's part counts as too small to explain a result.
        seed: Seed of permutations and resampling.
        strata: Column whose equal values mean "scanned alike".
        features: Features by subject, to see whether the protocol can be read from them.

    Raises:
        DatasetError: A column is missing or a subject has several rows.
        ConfigurationError: ``margin`` is not between 0.5 and 1, or ``strata`` is no column.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from brain_cae.audit import audit
        >>> scanner = np.repeat(["A", "B"], 40)
        >>> label = np.where(scanner == "A", "healthy", "abnormal")
        >>> table = pd.DataFrame({"label": label, "score": np.arange(80), "protocol": scanner})
        >>> audit(table, acquisition=pd.DataFrame({"field_strength_t": np.repeat([1.5, 3.0], 40)})).verdict
        'confounded'
    """
    if not 0.5 < margin < 1:
        raise ConfigurationError(
            "The audit's margin is an AUROC.", expected="between 0.5 and 1", found=str(margin), where="audit.margin"
        )
    cohort = make_cohort(subjects, acquisition, strata=strata)
    abnormal = int(cohort.truth.sum())
    healthy = cohort.n - abnormal
    if not abnormal or not healthy:
        return _one_class(cohort, seed)
    if not cohort.known:
        reason = "No subject's protocol is known, so the scanner's part in the result cannot be judged."
        return AuditResult(CANNOT_TELL, [reason], [])
    tests = [
        overlap(cohort, seed=seed),
        *metadata_only(cohort, margin=margin, seed=seed),
        protocol_label(cohort, margin=margin, seed=seed),
        score_dependence(cohort, seed=seed),
        contribution(cohort, margin=margin, seed=seed),
        within_protocol(cohort, seed=seed),
        reshape_group(cohort, seed=seed),
        false_alarms(cohort, seed=seed),
        protocol_in_features(cohort, features, seed=seed),
    ]
    present = [test for test in tests if test is not None]
    verdict, reasons = decide({test.name: test for test in present}, margin=margin, healthy=healthy, abnormal=abnormal)
    if label_is_source(cohort):
        sources = "Label and source are the same thing here: no source holds both classes,"
        sources += " so nothing can separate disease from scanner."
        reasons = [sources, *reasons]
    return AuditResult(verdict, reasons, present)


def decide(tests: dict[str, AuditTest], *, margin: float, healthy: int, abnormal: int) -> tuple[str, list[str]]:
    """Combine the tests by the written rule; A, B and C are the conditions of ``docs/audit.md``."""
    gate, metadata, score = tests["overlap"], tests["metadata_only"], tests["score_dependence"]
    reach, within = tests["contribution"], tests["within_protocol"]
    if gate.verdict == CONCERN:
        return CONFOUNDED, [
            gate.sentence,
            "Figures between healthy and abnormal subjects are no evidence.",
            STILL_STANDS,
        ]
    if min(healthy, abnormal) < SMALLEST_CLASS:
        needed = needed_for_margin(abnormal, healthy, len(gate.details) - 1, margin)
        return CANNOT_TELL, [
            f"Only {healthy} healthy and {abnormal} abnormal subjects; about {needed} in all would do."
        ]
    if gate.verdict == CANNOT_TELL:
        return CANNOT_TELL, [gate.sentence, "Group scans into fewer protocols (audit.strata), or add subjects to each."]
    looks = [test for test in (metadata, tests["protocol_label"]) if test.p is not None]
    a_holds = bool(looks) and min(holm([test.p or 0.0 for test in looks])) <= 0.05
    association = min(looks, key=lambda test: test.p or 0.0).sentence if a_holds else metadata.sentence
    b_holds = score.verdict == CONCERN
    if a_holds and b_holds:
        reasons = [association, score.sentence, within.sentence]
        if within.verdict == CONCERN:
            return CONFOUNDED, [*reasons, "The scanner explains the result.", STILL_STANDS]
        if within.verdict == NO_CONCERN:
            return AT_RISK, [
                *reasons,
                "Part of the overall figure may be the scanner's; quote the one within protocols.",
            ]
        return CANNOT_TELL, [*reasons, "Until then, the scanner may explain the overall figure."]
    bound = max(_bound(metadata), _bound(tests["protocol_label"]))
    if not a_holds and bound < margin:
        return CLEAR, [metadata.sentence, tests["protocol_label"].sentence, "The two classes were scanned alike."]
    if reach.verdict == NO_CONCERN:
        return CLEAR, [association, score.sentence, reach.sentence]
    sizes = [test.n_needed for test in (metadata, reach) if test.n_needed]
    needed = min(sizes, default=math.ceil(1.5 * (healthy + abnormal)))
    return CANNOT_TELL, [association, score.sentence, reach.sentence, f"About {needed} subjects would do."]


def _bound(test: AuditTest) -> float:
    return 1.0 if test.upper_bound is None else test.upper_bound


def _one_class(cohort: Cohort, seed: int) -> AuditResult:
    if cohort.n == 0:
        reason = "No subject has a label (healthy or abnormal), so nothing can be said about the classes."
    else:
        kind = "abnormal" if cohort.truth.any() else "healthy"
        reason = f"All {cohort.n} labelled subjects are {kind}; without the other class there is nothing to explain."
    alarms = false_alarms(cohort, seed=seed) if cohort.n else None
    return AuditResult(CANNOT_TELL, [reason], [alarms] if alarms else [])
