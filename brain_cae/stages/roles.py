"""The roles that a configuration gives to labelled subjects, and what is to be said of them before any work."""

from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config, validation_size
from brain_cae.data.splits import check_leakage, leave_protocol_out, read_splits, stratified
from brain_cae.errors import ConfigurationError, DatasetError, LeakageError, RunError
from brain_cae.scans.protocol import MINIMUM, UNKNOWN, ProtocolGroups, as_typed, subject_acquisition
from brain_cae.stages.cohort import Cohort
from brain_cae.vocabulary import CLASSES


def draw_roles(config: Config, index: pd.DataFrame) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``.

    Args:
        config: Its dataset is named in messages; its split, seed and ``dataset.test_only`` decide.
        index: The index of the import; its columns subject, label and source alone where protocols do not matter.

    Returns:
        Columns subject, role.

    Raises:
        ConfigurationError: ``split.protocol`` names no protocol.
        DatasetError: No or too few healthy brains, no protocol to hold out, or a split file that cannot be used.
    """
    subjects = index.groupby("subject")[["label", "source"]].first()
    # Sources that shall neither teach nor calibrate the autoencoder.
    tested = subjects["source"].isin(getattr(config.dataset, "test_only", []))
    labels = subjects.loc[~tested, "label"]
    healthy = int((labels == "healthy").sum())
    if healthy == 0:
        raise DatasetError(
            "There is no healthy brain to learn from.",
            expected="subjects labelled healthy",
            found=", ".join(f"{count} {label}" for label, count in labels.value_counts().items()),
            where=f"dataset={config.dataset.name}",
            advice="Add healthy brains from another set (dataset=combined). In RSNA-MICCAI every patient "
            "has a glioblastoma; dataset.healthy_value=0 reads MGMT_value 0 as healthy, which it is not.",
        )
    if config.split.holds_out_protocol:
        protocols = protocols_of(config, index)
        held_out = _held_out(config.split.protocol, labels, protocols)
        return leave_protocol_out(
            labels,
            protocols,
            held_out,
            train=config.split.train,
            validation=validation_size(int(((labels == "healthy") & (protocols != held_out)).sum()), config.split),
            seed=config.seed,
        )
    if config.split.reads_file:
        return read_splits(Path(config.split.file), subjects["label"])
    drawn = stratified(
        labels,
        train=config.split.train,
        validation=validation_size(healthy, config.split),
        classifier=config.split.classifier,
        seed=config.seed,
        protocols=protocols_of(config, index) if config.split.needs_protocols else None,
    )
    apart = pd.DataFrame({"subject": subjects.index[tested], "role": "test"})
    return pd.concat([drawn, apart]).sort_values("subject", ignore_index=True)


def protocols_of(config: Config, index: pd.DataFrame) -> pd.Series:
    """Protocol of each subject, as the run will name it in ``predictions.csv``."""
    acquisition = subject_acquisition(index, modalities=config.modality.names, reference=config.modality.reference)
    return ProtocolGroups.fit(acquisition).assign(acquisition)


def _held_out(typed: str | None, labels: pd.Series, protocols: pd.Series) -> str:
    """The protocol that was typed.

    Raises:
        ConfigurationError: None was, or it names none of them; all are listed with their members.
        DatasetError: The headers tell no protocols apart.
    """
    members = pd.crosstab(protocols, labels).drop(index=UNKNOWN, errors="ignore")
    members = members.reindex(columns=list(CLASSES), fill_value=0)
    if members.empty:
        raise DatasetError(
            "No protocol can be held out: the headers say nothing of scanners.",
            expected="manufacturer, field strength, TR or TE in the headers, or in the sidecars of dataset=bids",
            found=f"{len(protocols)} subjects of unknown protocol",
            where="split=leave_protocol_out",
            advice="Use split=stratified, or import DICOM.",
        )
    matches = [name for name in members.index if name == typed]
    matches = matches or [name for name in members.index if as_typed(name) == as_typed(typed or "")]
    if len(matches) == 1:
        return matches[0]
    listed = members.loc[members.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    raise ConfigurationError(
        "`split.protocol` names no protocol of these subjects." if typed else "`split.protocol` has no value.",
        expected=" | ".join(
            f"{as_typed(str(n))} ({r.healthy} healthy, {r.abnormal} abnormal)" for n, r in listed.iterrows()
        ),
        found=typed,
        where="split.protocol",
        advice=f"Give one of them, or several to a sweep: -m split.protocol=a,b. Protocols of fewer than {MINIMUM} "
        "subjects are held out together.",
    )


def split(config: Config, cohort: Cohort) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``; leakage is an error.

    Raises:
        ConfigurationError: No protocol is named that could be held out.
        DatasetError: No or too few healthy brains.
        LeakageError: A subject, series or pixel content stands in two roles.
    """
    splits = draw_roles(config, cohort.index)
    check_leakage(splits, cohort.index)
    if config.resume is not None:
        _check_same_roles(splits, Path(config.resume) / "splits.csv")
    return splits


def _check_same_roles(splits: pd.DataFrame, path: Path) -> None:
    """A network that goes on learning must not be tested on brains that it has learnt from before.

    Raises:
        RunError: The run that is to go on has learnt, and left no roles.
        LeakageError: Its roles were others.
    """
    if not path.is_file():
        if not (path.parent / "checkpoints").is_dir():
            return  # stopped before the roles were drawn: nothing has been learnt
        raise RunError("The roles of the run that is to go on are missing.", expected=str(path), where="resume")
    before = pd.read_csv(path, dtype=str, keep_default_na=False)
    now = set(splits.itertuples(index=False, name=None))
    differ = {subject for subject, _ in now ^ set(before.itertuples(index=False, name=None))}
    if differ:
        raise LeakageError(
            "The roles differ from those of the run that is to go on.",
            expected="the same subjects in the same roles",
            found=f"{len(differ)} subjects differ, among them {', '.join(sorted(differ)[:5])}",
            where=str(path),
            advice="Give the same data set and limit, or start a new run.",
        )
