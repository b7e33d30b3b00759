"""Import of a cohort from a source on disk: the first step of training and evaluation."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from brain_cae.configuration import Config
from brain_cae.errors import DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.executor import Executor
from brain_cae.files.locks import exclusive
from brain_cae.files.names import file_names, printable
from brain_cae.scans.extent import slab_cautions
from brain_cae.scans.protocol import subject_acquisition
from brain_cae.scans.sessions import one_session
from brain_cae.scans.skulls import check_skulls
from brain_cae.scans.sources.base import SeriesLocation, Source, agreeing, counted, some
from brain_cae.scans.sources.build import make_source
from brain_cae.scans.store import import_series, reading_notes
from brain_cae.stages.stripping import require_for_heads
from brain_cae.vocabulary import MODALITIES, Serious

if TYPE_CHECKING:
    # Preparation imports nilearn and scikit-learn, which takes seconds; a cohort needs neither.
    from brain_cae.data.subject import PreparedSubject

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cohort:
    """The imported subjects, with their volumes after :func:`brain_cae.stages.preparation.prepare`.

    Attributes:
        index: One row per scan of the subjects that have all modalities in use.
        report: One row per series: imported, refused or missing, with the reason.
        cautions: What a reader of the results must know about the data.
        modalities: In channel order.
        reference: Modality whose grid is used.
        dataset: Configuration of the data set.
        locations: Where the source found each scan; an export refers to these files.
        prepared: Prepared subjects by name; empty before preparation.
    """

    index: pd.DataFrame
    report: pd.DataFrame
    cautions: list[str]
    modalities: list[str]
    reference: str
    dataset: Any = None
    locations: list[SeriesLocation] = field(default_factory=list, repr=False)
    prepared: "dict[str, PreparedSubject]" = field(default_factory=dict)

    @property
    def labels(self) -> pd.Series:
        """Label of each subject (index: subject)."""
        return self.index.groupby("subject")["label"].first()

    @property
    def skull(self) -> pd.Series:
        """Skull state of each subject, ``on``, ``stripped`` or ``unknown`` (index: subject)."""
        return self.index.groupby("subject")["skull"].first()

    @property
    def sites(self) -> pd.Series:
        """Site of each subject, ``""`` where it is not recorded (index: subject)."""
        return self.index.groupby("subject")["site"].first().fillna("").astype(str)

    @property
    def acquisition(self) -> pd.DataFrame:
        """Acquisition parameters, one row per subject."""
        return subject_acquisition(self.index, modalities=self.modalities, reference=self.reference)

    def subjects(self, names: list[str]) -> "list[PreparedSubject]":
        """Return prepared subjects in the order of ``names``."""
        return [self.prepared[name] for name in names]

    def fingerprints(self, names: Iterable[str]) -> np.ndarray:
        """Return the fingerprints of those subjects that have one, (n, 512)."""
        prints = [self.prepared[name].fingerprint for name in names if name in self.prepared]
        prints = [one for one in prints if one.size]
        return np.stack(prints) if prints else np.empty((0, 512), np.float32)

    def without(self, refused: Mapping[str, str]) -> "Cohort":
        """Return the cohort without the refused subjects, which the report and a caution name with the reason."""
        if not refused:
            return self
        report = self.report.copy()
        for subject, reason in refused.items():
            rows = (report["subject"] == subject) & report["modality"].isin(self.modalities)
            report.loc[rows, ["status", "reason"]] = ["refused", reason]
        first = "; ".join(f"{subject}: {reason}" for subject, reason in list(refused.items())[:5])
        return replace(
            self,
            index=self.index[~self.index["subject"].isin(refused)].reset_index(drop=True),
            report=report,
            prepared={name: subject for name, subject in self.prepared.items() if name not in refused},
            cautions=[
                *self.cautions,
                f"{agreeing(len(refused), '{subject|subjects} could not be prepared and {is|are} left out')}: {first}.",
            ],
        )

    def require_subjects(self) -> None:
        """Check that subjects are left; call it after writing ``import_report.csv``, which lists the reasons.

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
                advice="import_report.csv in the folder of the run gives the reason for each series.",
            )


def import_cohort(
    dataset: Any,
    config: Config,
    *,
    cache: str,
    executor: Executor,
    limit: int | None = None,
    chosen: Collection[str] | None = None,
    trained: bool = False,
) -> Cohort:
    """Find and import the scans, and keep the subjects that have all modalities in use.

    Args:
        dataset: Configuration of the data set: that of the run, or another one to score with its model.
        config: Configuration of the run, with the modalities in use.
        cache: Folder of the import store.
        executor: Where series are read.
        limit: Maximum number of subjects.
        chosen: The subjects that a run with this limit has used, since another draw may take others.
        trained: Whether the modalities are those of a trained model, which cannot be chosen.

    Raises:
        DatasetError: There are no scans, a source lacks a modality, or the skull is on in some scans and stripped in
            others.
        ConfigurationError: Scans must be stripped by deepbet, which is not installed.
    """
    modalities, reference = config.modality.names, config.modality.reference
    progress, store = config.trainer.progress, Path(cache) / "imported"
    source = make_source(
        dataset, modalities=modalities, workers=executor.workers, limit=limit, progress=progress, cache=cache
    )
    locations = one_session(source.locate(), modalities)
    options = {"workers": executor.workers, "limit": limit, "progress": False, "write": False}
    require_modalities(
        locations, modalities, unused=lambda: unused_scans(dataset, modalities, **options), trained=trained
    )
    require_for_heads(config, locations)
    cautions = [
        *part_cautions(source, locations, limit),
        *source.notes(),
        *check_skulls(locations, reference=reference, skull_strip=config.preprocess.skull_strip),
    ]
    with exclusive(store / ".lock"):  # of parallel jobs in a sweep, the first imports and the others reuse its scans
        result = import_series(limited(locations, limit, chosen), store, executor=executor, progress=progress)
    index = complete_subjects(result.index, modalities)
    cautions += [*slab_cautions(index), *copy_cautions(index)]
    cautions += reading_notes(result.report)
    cautions += [*_lost_series(result.report), *_incomplete_subjects(result.report, index, modalities)]
    cautions += renamed_files(index)
    for caution in cautions:
        log.warning(caution)
    return Cohort(
        index=index,
        report=result.report,
        cautions=cautions,
        modalities=modalities,
        reference=reference,
        dataset=dataset,
        locations=locations,
    )


def unused_scans(dataset: Any, modalities: list[str], **options: Any) -> list[SeriesLocation]:
    """Return the scans of the modalities that are not in use; they are only counted, so errors do not matter."""
    others = [modality for modality in MODALITIES if modality not in modalities]
    if not others:
        return []
    with suppress(DatasetError):
        return make_source(dataset, modalities=others, **options).locate()
    scans = []
    for modality in others:  # a source may refuse all because it has none of one
        with suppress(DatasetError):
            scans += make_source(dataset, modalities=[modality], **options).locate()
    return scans


def require_modalities(
    locations: list[SeriesLocation],
    modalities: list[str],
    *,
    unused: Callable[[], list[SeriesLocation]] = list,
    trained: bool = False,
) -> None:
    """Check that at least one subject of each source has each modality.

    Args:
        locations: Scans of the modalities in use.
        modalities: Modalities in use.
        unused: Returns the scans of the other modalities, for the message.
        trained: Whether the modalities are those of a trained model, which cannot be chosen.

    Raises:
        DatasetError: A source has no scan of a modality.
    """
    for source in dict.fromkeys(location.source for location in locations):
        present = {location.modality for location in locations if location.files and location.source == source}
        for modality in modalities:
            if modality not in present:
                left_out = {
                    reason: advice_for(reason)
                    for location in locations
                    if location.source == source and location.modality == modality
                    for _, reason in location.left_out
                }
                present |= {one.modality for one in unused() if one.files and one.source == source}
                shown = [name for name in MODALITIES if name in present]
                raise DatasetError(
                    f"The dataset has no scan of the modality `{modality}`.",
                    expected=", ".join(modalities),
                    found=f"{', '.join(shown) or 'no scans'} in {source}"
                    + (f"; its scans of {modality} were left out: {some(sorted(left_out))}" if left_out else ""),
                    where="modality",
                    advice=next(iter(left_out.values()), None)
                    or (
                        f"Add the scans: the model was trained with {', '.join(modalities)} and needs each of them."
                        if trained
                        else "Choose another modality=…; inspect=true shows which modalities exist."
                    ),
                )


def limited(
    locations: list[SeriesLocation], limit: int | None, chosen: Collection[str] | None = None
) -> list[SeriesLocation]:
    """Return the locations of at most ``limit`` subjects, with the share of each label unchanged, or of ``chosen``."""
    if limit is None:
        return locations
    labelled = sorted({(loc.label, loc.subject) for loc in locations})
    kept = _sample_evenly(labelled, limit) if chosen is None else set(chosen)
    return [location for location in locations if location.subject in kept]


def part_cautions(source: Source, locations: list[SeriesLocation], limit: int | None) -> list[str]:
    """Return the serious caution of a run that uses a part of its data set; empty if ``limit`` left nobody out."""
    unwritten = getattr(source, "left_out", 0)
    subjects = len({location.subject for location in locations}) + unwritten
    if limit is None or limit >= subjects:
        return []
    return [
        Serious(
            f"Only {limit} of the {subjects} subjects of the data set were used (limit={limit}): this is not the "
            "result for the data set."
        )
    ]


def complete_subjects(index: pd.DataFrame, modalities: list[str]) -> pd.DataFrame:
    """Return the rows of the subjects that have all modalities."""
    complete = index.groupby("subject")["modality"].apply(lambda present: set(modalities) <= set(present))
    return index[index["subject"].isin(complete.index[complete])].reset_index(drop=True)


def _sample_evenly(labelled: list[tuple[str, str]], limit: int) -> set[str]:
    """Return at most ``limit`` subjects, evenly spaced in a list sorted by label: each label keeps its share."""
    step = max(1.0, len(labelled) / limit)
    return {labelled[int(i * step)][1] for i in range(min(limit, len(labelled)))}


def _incomplete_subjects(report: pd.DataFrame, index: pd.DataFrame, modalities: list[str]) -> list[str]:
    """Return the caution about subjects that lack a modality, with the names of both."""
    imported = report[report["status"] == "imported"].groupby("subject")["modality"].apply(set)
    names = sorted(set(report["subject"]) - set(index["subject"]))
    lacking = [
        f"{name} without {' and '.join(m for m in modalities if m not in imported.get(name, ()))}" for name in names
    ]
    return counted({"{subject lacks|subjects lack} a modality in use and {is|are} left out": lacking})


def copy_cautions(index: pd.DataFrame) -> list[str]:
    """Return the serious caution about subjects of whom two contrasts are one image, by its hash."""
    alike = index[index.duplicated(["subject", "series_hash"], keep=False)]
    copies = {str(subject): sorted(names) for subject, names in alike.groupby("subject")["modality"]}
    text = (
        "{subject has|subjects have} one image as several contrasts: at most one of the names is right, and scores "
        "and maps are meaningless; replace the copy"
    )
    named = [f"{subject} ({' and '.join(names)})" for subject, names in copies.items()]
    return [Serious(caution, copies) for caution in counted({text: named})]


def renamed_files(index: pd.DataFrame) -> list[str]:
    """Return the caution about subjects whose files are called otherwise, because their names cannot be files."""
    files = file_names(dict.fromkeys(index["subject"])).items()
    renamed = [f"{printable(subject)} as {file}" for subject, file in files if subject != file]
    text = (
        "{subject has a name that is|subjects have names that are} unsafe as {the name of a file|names of files}; "
        "{its|their} files are called otherwise"
    )
    return counted({text: renamed})


def _lost_series(report: pd.DataFrame) -> list[str]:
    """Return one caution for each reason why series were refused or are missing."""
    lost = report[report["status"] != "imported"]
    counts = lost.groupby(["status", "reason"], as_index=False).size()
    return [
        f"{row['size']} series {row['status']}: {row['reason']}. {advice_for(row['reason']) or ''}".rstrip()
        for row in counts.to_dict("records")
    ]
