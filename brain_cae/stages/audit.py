"""Audit of a scored cohort: input tables, strata, and the meaning of the classes."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from brain_cae.audit import AuditResult, ExtraTest, audit
from brain_cae.audit.nuisance_images import KINDS
from brain_cae.audit.standing import CONFOUNDED
from brain_cae.configuration.schema import Audit
from brain_cae.scans.headerless import WITHOUT_HEADERS, group_without_headers
from brain_cae.scans.protocol import UNKNOWN, split_mixtures
from brain_cae.scans.sources.build import make_source
from brain_cae.stages.cohort import Cohort
from brain_cae.vocabulary import CLASSES, NOBODY, LabelMeaning

log = logging.getLogger(__name__)


def audit_scores(
    settings: Audit,
    cohort: Cohort,
    table: pd.DataFrame,
    roles: pd.Series,
    features: pd.DataFrame,
    *,
    harmonised: pd.DataFrame | None = None,
    extra: Sequence[ExtraTest] = (),
    seed: int,
) -> AuditResult:
    """Audit an evaluation for confounding by acquisition.

    Args:
        settings: Margin, strata, and the meaning of the healthy class.
        cohort: All subjects, prepared, including those of ``train`` and ``validation``.
        table: The evaluated subjects with label, score, protocol, source, flagged and so on, indexed by subject.
        roles: Role of every subject.
        features: Features used by the transfer classifier, one row per evaluated subject.
        harmonised: These features as harmonised for the fold in which each subject was held out; None if features are
            not harmonised.
        extra: Tests added by the user; they are shown but never affect the verdict.
        seed: Seed of permutations and resampling.
    """
    acquisition = cohort.acquisition.loc[table.index]
    appearance = pd.DataFrame({name: subject.appearance for name, subject in cohort.prepared.items()}).T
    appearance = appearance.reindex(table.index)
    fingerprints = {name: subject.fingerprint for name, subject in cohort.prepared.items() if subject.fingerprint.size}
    lesion = {name: subject.has_lesion for name, subject in cohort.prepared.items()}
    subjects = table.assign(lesion=pd.Series(lesion).reindex(table.index))
    subjects, acquisition = with_strata(subjects, acquisition, cohort.index, appearance, settings.strata)
    nuisance_prefixes = tuple(f"{kind}_" for kind in KINDS)
    result = audit(
        subjects,
        acquisition=acquisition,
        margin=settings.margin,
        seed=seed,
        strata=settings.strata,
        features=features,
        harmonised=harmonised,
        extra=extra,
        nuisance=appearance[[name for name in appearance if str(name).startswith(nuisance_prefixes)]],
        scans=cohort.index.assign(role=cohort.index["subject"].map(roles))[["subject", "role", "series_hash"]].dropna(),
        fingerprints=pd.DataFrame(fingerprints).T,
        meaning=label_meaning(make_source(cohort.dataset, modalities=cohort.modalities), settings),
    )
    return with_header_warning(result, subjects, settings.strata)


def with_header_warning(result: AuditResult, subjects: pd.DataFrame, strata: str) -> AuditResult:
    """Return the result with a warning if the headers of most labelled subjects name neither scanner nor settings.

    Groups by the grid and look of the images stand for protocols then, and these show gross differences only.
    """
    labelled = subjects[subjects["label"].isin(CLASSES)]
    verdicts = {result.verdict, (result.classifier or {}).get("verdict")}
    without = int(labelled["protocol"].astype(str).str.startswith(WITHOUT_HEADERS).sum())
    one_class = labelled["label"].nunique() < 2
    if strata != "protocol" or one_class or 2 * without < len(labelled) or verdicts <= {CONFOUNDED, None}:
        return result
    warning = (
        f"The headers of {without} of {len(labelled)} subjects name no scanner, TR or TE. Grid, noise and smoothness "
        "of their images stand for the protocol, and show gross differences only: this audit cannot show that the "
        "classes were scanned alike. If you know the scanner or hospital of each subject, give it as site in the "
        "table of labels and set audit.strata=site."
    )
    log.warning(warning)
    return replace(result, warnings=[*result.warnings, warning])


def label_meaning(source: Any, settings: Audit) -> LabelMeaning:
    """Return the meaning of the classes of a source; ``audit.healthy_means`` sets it if the source does not."""
    if hasattr(source, "parts"):
        return _combine_meanings([label_meaning(part, settings) for part in source.parts.values()])
    if source.meaning == LabelMeaning():
        return LabelMeaning(settings.healthy_means or "", "", True if settings.healthy_means else None)
    return source.meaning


def _combine_meanings(parts: list[LabelMeaning]) -> LabelMeaning:
    """Return the joint meaning of the classes; ``controls`` depends only on parts with healthy subjects."""
    healthy = [part for part in parts if part.healthy != NOBODY]
    known = [part.controls for part in healthy]
    controls = False if False in known else True if known and all(known) else None
    return LabelMeaning(
        _join_words(part.healthy for part in parts), _join_words(part.abnormal for part in parts), controls
    )


def _join_words(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(word for word in words if word not in ("", NOBODY))) or NOBODY


def with_strata(
    subjects: pd.DataFrame, acquisition: pd.DataFrame, index: pd.DataFrame, appearance: pd.DataFrame, strata: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return subjects and acquisition with the column of the strata.

    Subjects of unknown protocol are grouped by the spacing and appearance of their images. Those of several scanners
    in a pool of small groups, or in protocols that a model has not seen, do not share a protocol.
    """
    if strata not in subjects and strata not in acquisition and strata in index:
        subjects[strata] = index.groupby("subject")[strata].first().reindex(subjects.index)
    if strata == "protocol":
        subjects["protocol"] = split_mixtures(subjects["protocol"], acquisition)
    unknown = subjects["protocol"] == UNKNOWN
    if strata == "protocol" and unknown.any():
        without_headers = subjects.index[unknown]
        appearance = appearance[[name for name in appearance if str(name).endswith(("_noise", "_smoothness_mm"))]]
        subjects.loc[without_headers, "protocol"] = group_without_headers(
            acquisition.loc[without_headers], appearance.loc[without_headers], subjects.loc[without_headers, "source"]
        )
        acquisition = acquisition.join(appearance)
    return subjects, acquisition
