"""What the audit is given: tables of a scored cohort, its strata, and what the classes mean."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from brain_cae.audit import AuditResult, ExtraTest, audit
from brain_cae.audit.nuisance_images import KINDS
from brain_cae.configuration.schema import Audit
from brain_cae.scans.headerless import group_without_headers
from brain_cae.scans.protocol import UNKNOWN
from brain_cae.scans.sources.build import make_source
from brain_cae.stages.cohort import Cohort
from brain_cae.vocabulary import NOBODY, LabelMeaning


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
    """Audit an evaluation.

    Args:
        settings: Margin, strata, and what the healthy class means.
        cohort: All subjects, prepared, those of ``train`` and ``validation`` as well.
        table: The evaluated subjects with label, score, protocol, source, flagged and so on, indexed by subject.
        roles: Role of every subject.
        features: What the transfer classifier has learnt from, one row per evaluated subject.
        harmonised: The same as the classifier saw each subject out of fold; None where features are not harmonised.
        extra: Tests of the user's own; shown, never part of the verdict.
        seed: Of permutations and resampling.
    """
    acquisition = cohort.acquisition.loc[table.index]
    looks = pd.DataFrame({name: subject.appearance for name, subject in cohort.prepared.items()}).T.reindex(table.index)
    prints = {name: subject.fingerprint for name, subject in cohort.prepared.items() if subject.fingerprint.size}
    lesion = {
        name: subject.lesion is not None and bool(subject.lesion.any()) for name, subject in cohort.prepared.items()
    }
    subjects = table.assign(lesion=pd.Series(lesion).reindex(table.index))
    subjects, acquisition = with_strata(subjects, acquisition, cohort.index, looks, settings.strata)
    return audit(
        subjects,
        acquisition=acquisition,
        margin=settings.margin,
        seed=seed,
        strata=settings.strata,
        features=features,
        harmonised=harmonised,
        extra=extra,
        nuisance=looks[[name for name in looks if str(name).startswith(tuple(f"{kind}_" for kind in KINDS))]],
        scans=cohort.index.assign(role=cohort.index["subject"].map(roles))[["subject", "role", "series_hash"]].dropna(),
        fingerprints=pd.DataFrame(prints).T,
        meaning=label_meaning(make_source(cohort.dataset, modalities=cohort.modalities), settings),
    )


def label_meaning(source: Any, settings: Audit) -> LabelMeaning:
    """What the classes of a source stand for; data of one's own say so by ``audit.healthy_means``."""
    if hasattr(source, "parts"):
        return _together([label_meaning(part, settings) for part in source.parts.values()])
    if source.meaning == LabelMeaning():
        return LabelMeaning(settings.healthy_means or "", "", True if settings.healthy_means else None)
    return source.meaning


def _together(parts: list[LabelMeaning]) -> LabelMeaning:
    """Of several sources: a part without any healthy subject says nothing of those that have some."""
    healthy = [part for part in parts if part.healthy != NOBODY]
    known = [part.controls for part in healthy]
    controls = False if False in known else True if known and all(known) else None
    return LabelMeaning(_joined(part.healthy for part in parts), _joined(part.abnormal for part in parts), controls)


def _joined(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(word for word in words if word not in ("", NOBODY))) or NOBODY


def with_strata(
    subjects: pd.DataFrame, acquisition: pd.DataFrame, index: pd.DataFrame, looks: pd.DataFrame, strata: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add the column of the strata; where headers say nothing, spacings and the look of the images stand for them."""
    if strata not in subjects and strata not in acquisition and strata in index:
        subjects[strata] = index.groupby("subject")[strata].first().reindex(subjects.index)
    silent = subjects["protocol"] == UNKNOWN
    if strata == "protocol" and silent.any():
        without_headers = subjects.index[silent]
        looks = looks[[name for name in looks if str(name).endswith(("_noise", "_smoothness_mm"))]]
        subjects.loc[without_headers, "protocol"] = group_without_headers(
            acquisition.loc[without_headers], looks.loc[without_headers], subjects.loc[without_headers, "source"]
        )
        acquisition = acquisition.join(looks)
    return subjects, acquisition
