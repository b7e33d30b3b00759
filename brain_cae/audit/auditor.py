"""Run all audit tests on one cohort and combine them into a verdict."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from brain_cae.audit.contribution import contribution
from brain_cae.audit.correction import correct
from brain_cae.audit.false_alarms import false_alarms
from brain_cae.audit.full_confounder import full_confounder
from brain_cae.audit.header_comparison import header_comparison
from brain_cae.audit.label_semantics import LabelMeaning, label_semantics
from brain_cae.audit.leakage import leakage
from brain_cae.audit.leave_one_protocol_out import leave_one_protocol_out
from brain_cae.audit.metadata_only import metadata_only
from brain_cae.audit.nuisance_images import nuisance_images
from brain_cae.audit.overlap import label_is_source, overlap
from brain_cae.audit.partial_confounder import partial_confounder
from brain_cae.audit.protocol_in_features import protocol_in_features, protocol_in_harmonised
from brain_cae.audit.protocol_label import protocol_label
from brain_cae.audit.reshape_group import reshape_group
from brain_cae.audit.result import CANNOT_TELL, CONCERN, AuditTest, ExtraTest
from brain_cae.audit.score_dependence import score_dependence
from brain_cae.audit.table import AuditTable, make_table, require_columns
from brain_cae.audit.verdict import SOURCE_IS_LABEL, AuditResult, conclude, decide
from brain_cae.audit.within_protocol import within_protocol
from brain_cae.errors import ConfigurationError


def audit(
    subjects: pd.DataFrame,
    *,
    acquisition: pd.DataFrame,
    margin: float = 0.65,
    seed: int = 0,
    strata: str = "protocol",
    features: pd.DataFrame | None = None,
    harmonised: pd.DataFrame | None = None,
    nuisance: pd.DataFrame | None = None,
    scans: pd.DataFrame | None = None,
    fingerprints: pd.DataFrame | None = None,
    meaning: LabelMeaning | None = None,
    extra: Sequence[ExtraTest] = (),
    explain: bool = True,
) -> AuditResult:
    """Test whether the way the subjects were scanned can explain the result.

    Args:
        subjects: One row per subject, indexed by subject: ``label`` (healthy, abnormal, unknown), ``score`` (higher
            means more abnormal), the column named by ``strata``; optional ``role`` (train and validation are left
            out), ``source``, ``reshape_group``, ``flagged``, ``lesion``, and ``classifier_probability`` of a classifier
            that was trained on labels: it gets a separate verdict by the same rule.
        acquisition: One row per subject, same index: numerical and categorical scan parameters; values may be
            missing.
        margin: AUROC below which the acquisition's contribution is too small to explain a result.
        seed: Seed of permutations and resampling.
        strata: Column of either table; subjects with equal values were scanned alike.
        features: Features of each subject, on which the classifier was trained.
        harmonised: The same features after harmonisation; each subject is harmonised by a step that was not fitted on
            that subject.
        nuisance: Features of images that cannot show the disease, see
            :func:`brain_cae.audit.nuisance_images.nuisance_images`.
        scans: One row per scan of every subject, training subjects included, see
            :func:`brain_cae.audit.leakage.leakage`.
        fingerprints: Block means of every subject's brain, see the same function.
        meaning: What the classes stand for, as declared by the data source.
        extra: Further tests, called with the table; they never change the verdict.
        explain: False skips the tests that cannot change the verdict.

    Raises:
        DatasetError: A column is missing, a label is unknown, a subject has several rows, or a subject has no row of
            acquisition.
        ConfigurationError: ``margin`` is not between 0.5 and 1, or ``strata`` is not a column.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from brain_cae.audit import audit
        >>> scanner = np.repeat(["A", "B"], 40)
        >>> label = np.where(scanner == "A", "healthy", "abnormal")
        >>> table = pd.DataFrame({"label": label, "score": np.arange(80), "protocol": scanner})
        >>> audit(table, acquisition=pd.DataFrame({"field_strength_t": np.repeat([1.5, 3.0], 40)})).verdict
        'confounded'
    """
    require_columns(subjects, "label", "score")
    cohort = _table(subjects, acquisition, margin, strata)
    if (early := _undecidable(cohort)) is not None:
        alarms = [false_alarms(cohort, seed=seed) if cohort.n else None]
        settings = _of_settings(cohort, margin=margin, seed=seed)
        data_checks = (leakage(scans, fingerprints), label_semantics(cohort, meaning))
        return _conclude_early(early, _corrected(*settings, *alarms, *data_checks))
    deciding = (
        overlap(cohort, seed=seed),
        *metadata_only(cohort, margin=margin, seed=seed),
        protocol_label(cohort, margin=margin, seed=seed),
        score_dependence(cohort, seed=seed),
        contribution(cohort, margin=margin, seed=seed),
        within_protocol(cohort, seed=seed),
    )
    data_checks = (leakage(scans, fingerprints), label_semantics(cohort, meaning))
    classifier = _classifier_decision(cohort, deciding, margin=margin, seed=seed)
    if not explain:
        return _result(cohort, _corrected(*deciding, *data_checks), margin, classifier)
    tests = _corrected(
        *deciding,
        header_comparison(cohort, seed=seed),
        partial_confounder(cohort, seed=seed),
        full_confounder(cohort, seed=seed),
        leave_one_protocol_out(cohort, features, seed=seed),
        *nuisance_images(cohort, nuisance, margin=margin, seed=seed),
        reshape_group(cohort, seed=seed),
        false_alarms(cohort, seed=seed),
        protocol_in_features(cohort, features, seed=seed),
        protocol_in_harmonised(cohort, harmonised, seed=seed),
        *(test(cohort, seed=seed) for test in extra),
        *data_checks,
    )
    return _result(cohort, tests, margin, classifier)


def audit_headers(
    subjects: pd.DataFrame,
    *,
    acquisition: pd.DataFrame,
    margin: float = 0.65,
    seed: int = 0,
    strata: str = "protocol",
    scans: pd.DataFrame | None = None,
    meaning: LabelMeaning | None = None,
) -> AuditResult:
    """Test before training whether the classes of a cohort were scanned alike; no score is needed.

    Arguments and errors as for :func:`audit`; a column ``score`` is ignored.
    """
    cohort = _table(subjects.drop(columns="score", errors="ignore"), acquisition, margin, strata)
    data_checks = (leakage(scans), label_semantics(cohort, meaning))
    if (early := _undecidable(cohort)) is not None:
        settings = _of_settings(cohort, margin=margin, seed=seed)
        return _conclude_early(early, _corrected(*settings, *data_checks))
    tests = _corrected(
        overlap(cohort, seed=seed),
        *metadata_only(cohort, margin=margin, seed=seed),
        protocol_label(cohort, margin=margin, seed=seed),
        header_comparison(cohort, seed=seed),
        *data_checks,
    )
    return _result(cohort, tests, margin)


def _table(subjects: pd.DataFrame, acquisition: pd.DataFrame, margin: float, strata: str) -> AuditTable:
    if not 0.5 < margin < 1:
        raise ConfigurationError(
            "The audit's margin is an AUROC.", expected="between 0.5 and 1", found=str(margin), where="audit.margin"
        )
    return make_table(subjects, acquisition, strata=strata)


def _corrected(*tests: AuditTest | None) -> list[AuditTest]:
    return correct([test for test in tests if test is not None])


def _undecidable(cohort: AuditTable) -> tuple[str, list[str]] | None:
    """Return the decision if nothing can be compared, else ``None``."""
    if cohort.n == 0:
        reason = "No subject has a label (healthy or abnormal), so the classes cannot be compared."
    elif cohort.truth.all() or not cohort.truth.any():
        kind = "abnormal" if cohort.truth.any() else "healthy"
        reason = f"All {cohort.n} labelled subjects are {kind}; without the other class, nothing can be compared."
    elif not cohort.known:
        reason = "The protocol of most subjects is not known, so the scanner's effect on the result cannot be assessed."
    else:
        return None
    return CANNOT_TELL, [reason]


def _of_settings(cohort: AuditTable, *, margin: float, seed: int) -> list[AuditTest]:
    """Return the tests of two classes that need no protocol: every file has a matrix and a spacing."""
    both = cohort.truth.any() and not cohort.truth.all()
    return metadata_only(cohort, margin=margin, seed=seed) if both else []


def _conclude_early(decision: tuple[str, list[str]], tests: list[AuditTest]) -> AuditResult:
    verdict, reasons = decision
    told = [test.sentence for test in tests if test.name == "metadata_only" and test.verdict == CONCERN]
    return conclude((verdict, [*reasons, *told]), tests)


def _classifier_decision(
    cohort: AuditTable, deciding: tuple[AuditTest | None, ...], *, margin: float, seed: int
) -> tuple[str, list[str]] | None:
    """Return the decision on the classifier's probabilities: the tests of the score are repeated on them."""
    if "classifier_probability" not in cohort.table:
        return None
    probabilities = pd.to_numeric(cohort.table["classifier_probability"], errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(probabilities).any():
        return None
    probability_table = replace(cohort, scores=probabilities)
    repeated = (
        score_dependence(probability_table, seed=seed),
        contribution(probability_table, margin=margin, seed=seed),
        within_protocol(probability_table, seed=seed),
    )
    # If two tests share a name, the later one counts.
    return _decision(probability_table, _corrected(*deciding, *repeated), margin)


def _decision(cohort: AuditTable, tests: list[AuditTest], margin: float) -> tuple[str, list[str]]:
    abnormal = int(cohort.truth.sum())
    named = {test.name: test for test in tests}
    verdict, reasons = decide(named, margin=margin, healthy=cohort.n - abnormal, abnormal=abnormal)
    return verdict, [SOURCE_IS_LABEL, *reasons] if label_is_source(cohort) else reasons


def _result(
    cohort: AuditTable, tests: list[AuditTest], margin: float, classifier: tuple[str, list[str]] | None = None
) -> AuditResult:
    return conclude(_decision(cohort, tests, margin), tests, classifier)
