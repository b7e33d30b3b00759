"""From a source on disk to the imported subjects: the beginning of training and of evaluation."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from brain_cae.configuration import Config
from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.files.locks import exclusive
from brain_cae.scans.protocol import subject_acquisition
from brain_cae.scans.sessions import one_session
from brain_cae.scans.skulls import check_skulls
from brain_cae.scans.sources.base import SeriesLocation, counted, some
from brain_cae.scans.sources.build import make_source
from brain_cae.scans.store import import_series

if TYPE_CHECKING:
    # Preparing takes nilearn and scikit-learn, seconds to import; looking at a cohort needs neither.
    from brain_cae.data.preprocess import PreparedSubject

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """What the import has left, and after :func:`brain_cae.stages.preparation.prepare` the prepared subjects.

    Attributes:
        index: One row per scan of the subjects that have every modality in use.
        report: One row per series: imported, refused or missing, with the reason.
        notes: What a reader of the results must know about the data.
        modalities: In channel order.
        reference: The modality whose grid is kept.
        dataset: Configuration of the dataset that it came from.
        prepared: Prepared subjects by name; empty before the preparation.
    """

    index: pd.DataFrame
    report: pd.DataFrame
    notes: list[str]
    modalities: list[str]
    reference: str
    dataset: Any = None
    prepared: "dict[str, PreparedSubject]" = field(default_factory=dict)

    @property
    def labels(self) -> pd.Series:
        """Label of each subject (index: subject)."""
        return self.index.groupby("subject")["label"].first()

    @property
    def skull(self) -> pd.Series:
        """``on``, ``stripped`` or ``unknown`` for each subject (index: subject)."""
        return self.index.groupby("subject")["skull"].first()

    @property
    def acquisition(self) -> pd.DataFrame:
        """Acquisition parameters, one row per subject."""
        return subject_acquisition(self.index, modalities=self.modalities, reference=self.reference)

    def subjects(self, names: list[str]) -> "list[PreparedSubject]":
        """Prepared subjects in the order of ``names``."""
        return [self.prepared[name] for name in names]

    def require_subjects(self) -> None:
        """To be called after ``import_report.csv`` is written, where a person can look up the reasons.

        Raises:
            DatasetError: No subject is left.
        """
        if self.index.empty:
            reasons = sorted({str(reason) for reason in self.report["reason"] if reason})
            raise DatasetError(
                "No subject has every modality in use.",
                expected=", ".join(self.modalities),
                found="; ".join(reasons) or "no scans",
                where="import_report.csv",
                advice="import_report.csv in the run's folder names the reason for each series.",
            )


def import_cohort(dataset: Any, config: Config, *, cache: str, workers: int, limit: int | None = None) -> Cohort:
    """Find the scans, import them, and keep the subjects that have every modality in use.

    Args:
        dataset: Configuration of the dataset: the run's own, or another one that a run's model is to score.
        config: Of the run, which says what is in use.
        cache: Folder of the import store.
        workers: Processes.
        limit: At most this many subjects.

    Raises:
        DatasetError: Nothing is there, a source lacks a modality, or some skulls are on and others stripped.
    """
    modalities, reference = config.modality.names, config.modality.reference
    progress, store = config.trainer.progress, Path(cache) / "imported"
    source = make_source(dataset, modalities=modalities, workers=workers, limit=limit, progress=progress)
    locations = one_session(source.locate(), modalities)
    require_modalities(locations, modalities)
    notes = [
        *source.notes(),
        *check_skulls(locations, reference=reference, skull_strip=config.preprocess.skull_strip),
    ]
    with exclusive(store / ".lock"):  # jobs of a sweep that start together: the first one imports, the others look up
        result = import_series(limited(locations, limit), store, workers=workers, progress=progress)
    index = complete_subjects(result.index, modalities)
    notes += [*_losses(result.report), *_incomplete(result.report, index, modalities)]
    for note in notes:
        log.warning(note)
    return Cohort(
        index=index,
        report=result.report,
        notes=notes,
        modalities=modalities,
        reference=reference,
        dataset=dataset,
    )


def require_modalities(locations: list[SeriesLocation], modalities: list[str]) -> None:
    """Each modality in use must be there for one subject of each source at least.

    Raises:
        DatasetError: One is not.
    """
    for source in dict.fromkeys(location.source for location in locations):
        there = {location.modality for location in locations if location.files and location.source == source}
        for modality in modalities:
            if modality not in there:
                left_out = {
                    reason: advice_for(reason)
                    for location in locations
                    if location.source == source and location.modality == modality
                    for _, reason in location.left_out
                }
                raise DatasetError(
                    f"The dataset has no scan of the modality `{modality}`.",
                    expected=", ".join(modalities),
                    found=f"{', '.join(sorted(there)) or 'no scans'} in {source}"
                    + (f"; its scans of {modality} were left out: {some(sorted(left_out))}" if left_out else ""),
                    where="modality",
                    advice=next(iter(left_out.values()), None)
                    or "Choose another modality=…; inspect=true shows what is there.",
                )


def limited(locations: list[SeriesLocation], limit: int | None) -> list[SeriesLocation]:
    """The locations of at most ``limit`` subjects; every label keeps its share."""
    if limit is None:
        return locations
    kept = _spread(sorted({(loc.label, loc.subject) for loc in locations}), limit)
    return [location for location in locations if location.subject in kept]


def complete_subjects(index: pd.DataFrame, modalities: list[str]) -> pd.DataFrame:
    """The rows of the subjects that have every modality."""
    complete = index.groupby("subject")["modality"].apply(lambda present: set(modalities) <= set(present))
    return index[index["subject"].isin(complete.index[complete])].reset_index(drop=True)


def _spread(labelled: list[tuple[str, str]], limit: int) -> set[str]:
    """At most ``limit`` subjects, evenly over the list sorted by label, so that every label keeps its share."""
    step = max(1.0, len(labelled) / limit)
    return {labelled[int(i * step)][1] for i in range(min(limit, len(labelled)))}


def _incomplete(report: pd.DataFrame, index: pd.DataFrame, modalities: list[str]) -> list[str]:
    """Who is left out for want of a modality, and which."""
    there = report[report["status"] == "imported"].groupby("subject")["modality"].apply(set)
    names = sorted(set(report["subject"]) - set(index["subject"]))
    lacking = [
        f"{name} without {' and '.join(m for m in modalities if m not in there.get(name, ()))}" for name in names
    ]
    return counted({"subjects lack a modality in use and are left out": lacking})


def _losses(report: pd.DataFrame) -> list[str]:
    lost = report[report["status"] != "imported"]
    counts = lost.groupby(["status", "reason"], as_index=False).size()
    return [
        f"{row['size']} series {row['status']}: {row['reason']}. {advice_for(row['reason']) or ''}".rstrip()
        for row in counts.to_dict("records")
    ]
