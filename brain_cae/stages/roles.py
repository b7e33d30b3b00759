"""Roles of labelled subjects according to the configuration, and their checks before training."""

from pathlib import Path
from typing import Any

import pandas as pd

from brain_cae.configuration import Config, validation_size
from brain_cae.data.splits import check_leakage, healthy_folds, leave_protocol_out, read_splits, stratified
from brain_cae.errors import ConfigurationError, DatasetError, LeakageError, RunError
from brain_cae.estimates import MIN_PER_CLASS_HELD_OUT
from brain_cae.files.tables import read_csv
from brain_cae.scans.protocol import MINIMUM, UNKNOWN, ProtocolGroups, as_typed, subject_acquisition
from brain_cae.scans.sources.base import agreeing, some
from brain_cae.stages.changed import with_other_scans
from brain_cae.stages.cohort import Cohort
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES, UNSEEN_ROLES

MOST_BRAINS = 1000
"""More healthy brains are not tried to find the number that leaves one to evaluate."""

FOLDS = 2
"""Each class needs as many members, so that the classifier can be fitted without the one that it classifies."""


def draw_roles(config: Config, index: pd.DataFrame) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``.

    Args:
        config: Configuration with split, seed and ``dataset.test_only``; its data set is named in messages.
        index: Index of the import; columns subject, label and source are enough for splits that do not use protocols.

    Returns:
        Columns subject, role.

    Raises:
        ConfigurationError: ``split.protocol`` is not the name of a protocol.
        DatasetError: There are no or too few healthy brains, nobody would be left to evaluate, there is no protocol to
            hold out, or the split file is invalid.
    """
    roles = _drawn_roles(config, index)
    # Without training, nothing is evaluated.
    if config.stop_after is None:
        _require_evaluation(config, index, roles)
    return roles


def calibrating(config: Config, roles: pd.DataFrame) -> int:
    """Return the number of healthy brains that calibrate: of ``validation``, cross-fitted also of ``train``."""
    return int(roles["role"].isin(HEALTHY_ROLES if config.calibration.folds else ("validation",)).sum())


def learning(config: Config, roles: pd.DataFrame) -> int:
    """Return the number of healthy brains that a network learns from: of ``train``, cross-fitted all but a fold."""
    folds, brains = config.calibration.folds, int((roles["role"] == "train").sum())
    if folds:
        brains = calibrating(config, roles)
        brains -= -(-brains // folds)
    return brains if config.overfit_subjects is None else min(brains, config.overfit_subjects)


def fold_roles(config: Config, index: pd.DataFrame, roles: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the roles with which each cross-fitted detector is fitted.

    Args:
        config: Configuration with calibration, split and seed.
        index: Index of the import.
        roles: Columns subject, role, of :func:`draw_roles`.

    Returns:
        One table per fold: the brains of the fold have the role ``validation``, and the other brains of ``train`` and
        ``validation`` the role ``train``.

    Raises:
        DatasetError: There are too few healthy brains for the folds.
    """
    healthy = roles["role"].isin(HEALTHY_ROLES)
    folds = healthy_folds(
        roles.loc[healthy, "subject"].tolist(),
        config.calibration.folds,
        seed=config.seed,
        protocols=protocols_of(config, index) if config.split.needs_protocols else None,
    )
    number = roles["subject"].map(folds)
    return [
        roles.assign(role=roles["role"].mask(healthy, "train").mask(number == fold, "validation"))
        for fold in range(config.calibration.folds)
    ]


def evaluation_cautions(config: Config, index: pd.DataFrame, roles: pd.DataFrame) -> list[str]:
    """Return which figures the evaluation cannot compute, and how many brains they take.

    Args:
        config: Configuration with split and evaluation.
        index: Columns subject, label.
        roles: Columns subject, role, of :func:`draw_roles`.
    """
    labels = index.groupby("subject")["label"].first()
    counts = labels[_evaluated(config, roles)].value_counts()
    healthy, abnormal = (int(counts.get(name, 0)) for name in CLASSES)
    least = MIN_PER_CLASS_HELD_OUT if config.split.holds_out_protocol else 1
    there = f"{healthy} healthy and {abnormal} abnormal"
    cautions = []
    if not healthy:
        cautions.append(
            f"False alarms cannot be computed: they take at least 1 healthy brain in the roles "
            f"{' and '.join(UNSEEN_ROLES)}, beyond those for training and calibration."
        )
    if min(healthy, abnormal) < least:
        cautions.append(
            f"AUROC cannot be computed: it takes at least {least} healthy and {least} abnormal, and {there} would be "
            "evaluated."
        )
    if min(healthy, abnormal) < FOLDS:
        cautions.append(
            f"The transfer classifier cannot be fitted: it takes at least {FOLDS} healthy and {FOLDS} abnormal, and "
            f"{there} would be evaluated."
        )
    return cautions


def _evaluated(config: Config, roles: pd.DataFrame) -> list[str]:
    """Return the subjects that the figures count."""
    if config.evaluation.refits_everything:
        return list(roles["subject"])
    counted = ("test",) if config.split.holds_out_protocol else UNSEEN_ROLES
    return list(roles.loc[roles["role"].isin(counted), "subject"])


def _require_evaluation(config: Config, index: pd.DataFrame, roles: pd.DataFrame) -> None:
    """Check that somebody is left to evaluate, before hours of training.

    Raises:
        DatasetError: Every subject trains or calibrates the autoencoder.
    """
    required = ("test",) if config.split.holds_out_protocol else UNSEEN_ROLES
    if roles["role"].isin(required).any():
        return
    split, labels = config.split, index.groupby("subject")["label"].first()
    healthy = int((labels == "healthy").sum())
    enough = next(
        (
            n
            for n in range(healthy + 1, MOST_BRAINS)
            if n - round(n * config.split.train) > validation_size(n, config.split)
        ),
        None,
    )
    counts = ", ".join(f"{int((roles['role'] == role).sum())} in {role}" for role in HEALTHY_ROLES)
    raise DatasetError(
        "No subject would be left to evaluate.",
        expected="subjects in the roles classifier or test"
        + (f": at least {enough} healthy brains, or abnormal ones" if enough and not split.reads_file else ""),
        found=counts,
        where=f"dataset={config.dataset.name}",
        advice="Give some subjects the role test in split.file."
        if split.reads_file
        else "Add healthy or abnormal brains.",
    )


def labelling(dataset: Any) -> str:
    """Return how the subjects of a data set get their labels, as advice; ``""`` where they are given."""
    if hasattr(dataset, "parts"):
        ways = {name: labelling(part) for name, part in dataset.parts.items()}
        return " ".join(
            f"Part {name}: {way.replace('dataset.', f'dataset.parts.{name}.')}" for name, way in ways.items() if way
        )
    others = "dataset.label=healthy labels all subjects that have no other label."
    if hasattr(dataset, "label_column"):
        return (
            "Name a column of participants.tsv with dataset.label_column, and its values with dataset.healthy and "
            f"dataset.abnormal. {others}"
        )
    if getattr(dataset, "table", None) and hasattr(dataset, "label"):
        return f"Write healthy or abnormal in the column label of {dataset.table}."
    if hasattr(dataset, "label"):
        root = Path(dataset.root)
        folder = root.parent if root.is_file() else root  # of a zip, or of a DICOMDIR
        return (
            f"Write labels.csv in {folder}: the columns subject,label, healthy or abnormal for each subject. {others}"
        )
    return ""


def _drawn_roles(config: Config, index: pd.DataFrame) -> pd.DataFrame:
    subjects = index.groupby("subject")[["label", "source"]].first()
    # Sources for testing only: never used to train or calibrate the autoencoder.
    tested = subjects["source"].isin(getattr(config.dataset, "test_only", []))
    labels = subjects.loc[~tested, "label"]
    healthy, unknown = (int((labels == name).sum()) for name in ("healthy", "unknown"))
    how = labelling(config.dataset) if unknown else ""
    if healthy == 0:
        raise DatasetError(
            "There is no healthy brain to train on.",
            expected="subjects labelled healthy",
            found=", ".join(f"{count} {label}" for label, count in labels.value_counts().items()),
            where=f"dataset={config.dataset.name}",
            advice=how
            or "Add healthy brains from another data set (dataset=combined). In RSNA-MICCAI every patient "
            "has a glioblastoma; dataset.healthy_value=0 treats MGMT_value 0 as healthy, although it is not.",
        )
    if config.split.holds_out_protocol:
        protocols = protocols_of(config, index)
        held_out = _held_out_protocol(config.split.protocol, labels, protocols)
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
    try:
        drawn = stratified(
            labels,
            train=config.split.train,
            validation=validation_size(healthy, config.split),
            classifier=config.split.classifier,
            seed=config.seed,
            protocols=protocols_of(config, index) if config.split.needs_protocols else None,
        )
    except DatasetError as error:
        if not how:
            raise
        raise DatasetError(
            error.problem, expected=error.expected, found=f"{error.found}; {unknown} without a label", advice=how
        ) from error
    test_only = pd.DataFrame({"subject": subjects.index[tested], "role": "test"})
    return pd.concat([drawn, test_only]).sort_values("subject", ignore_index=True)


def protocols_of(config: Config, index: pd.DataFrame) -> pd.Series:
    """Return the protocol of each subject, named as in ``predictions.csv``."""
    acquisition = subject_acquisition(index, modalities=config.modality.names, reference=config.modality.reference)
    return ProtocolGroups.fit(acquisition).assign(acquisition)


def _held_out_protocol(typed: str | None, labels: pd.Series, protocols: pd.Series) -> str:
    """Return the protocol that ``split.protocol`` specifies.

    Raises:
        ConfigurationError: It is missing or unknown; the message lists all protocols with their number of subjects.
        DatasetError: The headers do not distinguish protocols.
    """
    members = pd.crosstab(protocols, labels).drop(index=UNKNOWN, errors="ignore")
    members = members.reindex(columns=list(CLASSES), fill_value=0)
    if members.empty:
        raise DatasetError(
            "No protocol can be held out: the headers have no information about scanners.",
            expected="manufacturer, field strength, TR or TE in the headers, or in the sidecars of dataset=bids",
            found=agreeing(len(protocols), "{subject|subjects} of unknown protocol"),
            where="split=leave_protocol_out",
            advice="Use split=stratified, or import DICOM.",
        )
    matches = [name for name in members.index if name == typed]
    matches = matches or [name for name in members.index if as_typed(name) == as_typed(typed or "")]
    if len(matches) == 1:
        return matches[0]
    listed = members.loc[members.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    raise ConfigurationError(
        "`split.protocol` is not a protocol of these subjects." if typed else "`split.protocol` has no value.",
        expected=" | ".join(
            f"{as_typed(str(n))} ({r.healthy} healthy, {r.abnormal} abnormal)" for n, r in listed.iterrows()
        ),
        found=typed,
        where="split.protocol",
        advice=f"Choose one of them, or several in a sweep: -m split.protocol=a,b. Protocols with fewer than {MINIMUM} "
        "subjects are held out together.",
    )


def split(config: Config, cohort: Cohort) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``; leakage is an error.

    Raises:
        ConfigurationError: ``split.protocol`` is not the name of a protocol.
        DatasetError: There are no or too few healthy brains.
        LeakageError: A subject, series or pixel content has two roles, or not the role of the run to resume.
        RunError: The scans of the run to resume have changed.
    """
    splits = draw_roles(config, cohort.index)
    check_leakage(splits, cohort.index)
    if config.resume is not None:
        _check_same_roles(splits, Path(config.resume) / "splits.csv")
        _check_same_scans(splits, cohort.index, Path(config.resume))
    return splits


def _check_same_roles(splits: pd.DataFrame, path: Path) -> None:
    """Check that a resumed run has the roles of the interrupted run: training brains must not be tested.

    Raises:
        RunError: The interrupted run has checkpoints but no stored roles.
        LeakageError: The roles differ.
    """
    if not path.is_file():
        if not (path.parent / "checkpoints").is_dir():
            return  # interrupted before training
        raise RunError("The roles of the run to resume are missing.", expected=str(path), where="resume")
    before = read_csv(path, dtype=str, keep_default_na=False)
    now = set(splits.itertuples(index=False, name=None))
    differ = {subject for subject, _ in now ^ set(before.itertuples(index=False, name=None))}
    if differ:
        raise LeakageError(
            "The roles differ from those of the run to resume.",
            expected="the same subjects in the same roles",
            found=f"{agreeing(len(differ), '{subject differs|subjects differ}')}: {some(sorted(differ))}",
            where=str(path),
            advice="Use the same data set and limit, or start a new run.",
        )


def _check_same_scans(splits: pd.DataFrame, index: pd.DataFrame, run: Path) -> None:
    """Check that a training goes on with the scans it began with: another brain may bear the name of the first.

    Raises:
        RunError: Healthy brains have other scans than in the interrupted run.
    """
    stored = run / "index.csv"
    if not stored.is_file() or not (run / "splits.csv").is_file():
        return  # interrupted before training
    healthy = splits.loc[splits["role"].isin(HEALTHY_ROLES), "subject"]
    names = sorted(with_other_scans(read_csv(stored, dtype=str, keep_default_na=False), index) & set(healthy))
    if names:
        raise RunError(
            "The scans of healthy brains differ from those of the run to resume.",
            expected="the scans that the training began with",
            found=f"{agreeing(len(names), '{subject differs|subjects differ}')}: {some(names)}",
            where=str(stored),
            advice="Restore the scans, or start a new run.",
        )
