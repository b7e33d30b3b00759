"""From a source on disk to prepared subjects: the first half of both journeys."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from brain_cae.configuration import Config, FolderDataset, PhantomDataset, RsnaMiccaiDataset
from brain_cae.data.prepared import PreparedStore
from brain_cae.data.preprocess import PreparedSubject
from brain_cae.errors import DatasetError
from brain_cae.locks import exclusive
from brain_cae.scans.protocol import subject_acquisition
from brain_cae.scans.sources.base import Source
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.phantom import Phantom
from brain_cae.scans.sources.rsna_miccai import RsnaMiccai
from brain_cae.scans.store import import_series

log = logging.getLogger(__name__)


@dataclass
class Cohort:
    """What the import has left.

    Attributes:
        index: One row per scan of the subjects that have every modality in use.
        report: One row per series: imported, refused or missing, with the reason.
        notes: What a reader of the results must know about the data.
        modalities: In channel order.
        reference: The modality whose grid is kept.
        prepared: Prepared subjects by name, after :meth:`prepare`.
    """

    index: pd.DataFrame
    report: pd.DataFrame
    notes: list[str]
    modalities: list[str]
    reference: str
    prepared: dict[str, PreparedSubject] = field(default_factory=dict)

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

    def subjects(self, names: list[str]) -> list[PreparedSubject]:
        """Prepared subjects in the order of ``names``."""
        return [self.prepared[name] for name in names]

    def prepare(self, store: PreparedStore, *, progress: bool) -> None:
        """Prepare every subject; those that cannot be are named in the report and leave the index."""
        self.prepared, refused = store.load_all(self.index, progress=progress)
        for subject, reason in refused.items():
            own = (self.report["subject"] == subject) & self.report["modality"].isin(self.modalities)
            self.report.loc[own, ["status", "reason"]] = ["refused", reason]
        if refused:
            some = "; ".join(f"{subject}: {reason}" for subject, reason in list(refused.items())[:5])
            self.notes.append(f"{len(refused)} subjects could not be prepared and are left out: {some}.")
        self.index = self.index[~self.index["subject"].isin(refused)].reset_index(drop=True)

    def require_subjects(self) -> None:
        """To be called when the report is written, so that a person can look the reasons up.

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


def prepared_store(config: Config, cache: str) -> PreparedStore:
    """Where the prepared subjects of this configuration lie."""
    return PreparedStore(
        Path(cache) / "prepared",
        modalities=config.modality.names,
        reference=config.modality.reference,
        scaling=config.preprocess.scaling,
    )


def make_source(dataset: Any, *, modalities: list[str], workers: int, limit: int | None, progress: bool) -> Source:
    """The source that a dataset's configuration names."""
    if isinstance(dataset, PhantomDataset):
        return Phantom(
            folder=dataset.root,
            subjects=min(dataset.subjects, limit or dataset.subjects),
            seed=dataset.seed,
            confounding=dataset.confounding,
            abnormal_fraction=dataset.abnormal_fraction,
            lesions=dataset.lesions,
            head_shell=dataset.head_shell,
            dimensions=dataset.dimensions,
            workers=workers,
            modalities=modalities,
            progress=progress,
        )
    if isinstance(dataset, RsnaMiccaiDataset):
        return RsnaMiccai(root=dataset.root, healthy_value=dataset.healthy_value, modalities=modalities)
    assert isinstance(dataset, FolderDataset)
    return Folder(root=dataset.root, modalities=modalities)


def import_cohort(
    dataset: Any,
    *,
    modalities: list[str],
    reference: str,
    store: Path,
    workers: int,
    limit: int | None = None,
    progress: bool = True,
) -> Cohort:
    """Find the scans, import them, and keep the subjects that have every modality in use.

    Raises:
        DatasetError: Nothing is there, or the dataset lacks a modality.
    """
    source = make_source(dataset, modalities=modalities, workers=workers, limit=limit, progress=progress)
    locations = source.locate()
    for modality in modalities:
        if not any(location.files for location in locations if location.modality == modality):
            raise DatasetError(
                f"The dataset has no scan of the modality `{modality}`.",
                expected=", ".join(modalities),
                found=", ".join(sorted({loc.modality for loc in locations if loc.files})) or "no scans",
                where="modality",
                advice="Choose another modality=…",
            )
    if limit is not None:
        kept = _spread(sorted({(loc.label, loc.subject) for loc in locations}), limit)
        locations = [location for location in locations if location.subject in kept]
    with exclusive(store / ".lock"):  # jobs of a sweep that start together: the first one imports, the others look up
        result = import_series(locations, store, workers=workers, progress=progress)
    complete = result.index.groupby("subject")["modality"].apply(lambda found: set(modalities) <= set(found))
    index = result.index[result.index["subject"].isin(complete.index[complete])].reset_index(drop=True)
    notes = [*source.notes(), *_losses(result.report)]
    for note in notes:
        log.warning(note)
    return Cohort(index=index, report=result.report, notes=notes, modalities=modalities, reference=reference)


def _spread(labelled: list[tuple[str, str]], limit: int) -> set[str]:
    """At most ``limit`` subjects, evenly over the list sorted by label, so that every label keeps its share."""
    step = max(1.0, len(labelled) / limit)
    return {labelled[int(i * step)][1] for i in range(min(limit, len(labelled)))}


def _losses(report: pd.DataFrame) -> list[str]:
    lost = report[report["status"] != "imported"]
    counts = lost.groupby(["status", "reason"], as_index=False).size()
    return [f"{row['size']} series {row['status']}: {row['reason']}." for row in counts.to_dict("records")]
