"""Assignment of subjects to four roles, and the check that no data leak from one role into another.

``train`` and ``validation`` contain healthy brains for the autoencoder (validation is also used for calibration).
``classifier`` and ``test`` contain both classes, and no subject that the autoencoder has seen.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brain_cae.errors import DatasetError, LeakageError
from brain_cae.files.tables import read_csv
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES, ROLES


def stratified(
    labels: pd.Series,
    *,
    train: float,
    validation: int,
    classifier: float,
    seed: int,
    protocols: pd.Series | None = None,
) -> pd.DataFrame:
    """Draw the roles at random within each label, and within each protocol if protocols are given.

    Args:
        labels: Label of each subject (index: subject): healthy, abnormal or unknown.
        train: Share of the healthy brains for training.
        validation: Number of healthy brains for validation and calibration.
        classifier: Share of the remaining healthy and of the abnormal brains for the role ``classifier``.
        seed: Seed of the random draw.
        protocols: Protocol of each subject (index: subject). Every role then contains each protocol in about the same
            proportion, within one or two subjects per label. The sizes of the roles do not change.

    Returns:
        Columns subject, role; subjects without a label get the role ``test``.

    Raises:
        DatasetError: Too few healthy brains to train and calibrate.
    """
    generator = np.random.default_rng(seed)
    drawn = {label: generator.permutation(sorted(labels.index[labels == label])) for label in CLASSES}
    if protocols is not None:
        drawn = {label: _interleaved(names, protocols, generator) for label, names in drawn.items()}
    healthy = drawn["healthy"]
    n_train = round(len(healthy) * train)
    if n_train < 2 or validation < 2 or n_train + validation > len(healthy):
        raise DatasetError(
            "There are too few healthy brains for training and calibration.",
            expected="at least 2 for training and 2 for validation (46 for validation are recommended)",
            found=f"{len(healthy)} healthy, {len(drawn['abnormal'])} abnormal subjects",
            advice="Add healthy brains, labelled `healthy`; dataset=combined takes them from another data set.",
        )
    roles = dict.fromkeys(healthy[:n_train], "train")
    roles |= dict.fromkeys(healthy[n_train : n_train + validation], "validation")
    for rest in (healthy[n_train + validation :], drawn["abnormal"]):
        count = round(len(rest) * classifier)
        roles |= dict.fromkeys(rest[:count], "classifier")
        roles |= dict.fromkeys(rest[count:], "test")
    roles |= dict.fromkeys(labels.index[labels == "unknown"], "test")
    return pd.DataFrame(sorted(roles.items()), columns=["subject", "role"])


def leave_protocol_out(
    labels: pd.Series, protocols: pd.Series, held_out: str, *, train: float, validation: int, seed: int
) -> pd.DataFrame:
    """Draw the roles as :func:`stratified` does, but test exactly the subjects of one protocol.

    Args:
        labels: Label of each subject (index: subject): healthy, abnormal or unknown.
        protocols: Protocol of each subject (same index).
        held_out: The protocol whose subjects all get the role ``test``.
        train: Share of the healthy brains of the other protocols for training.
        validation: Number of these brains for validation and calibration; the rest gets the role ``classifier``.
        seed: Seed of the random draw.

    Returns:
        Columns subject, role.

    Raises:
        DatasetError: The other protocols have too few healthy brains to train and calibrate.
    """
    tested = protocols[labels.index] == held_out
    try:
        drawn = stratified(labels[~tested], train=train, validation=validation, classifier=1.0, seed=seed)
    except DatasetError as error:
        healthy = labels == "healthy"
        raise DatasetError(
            "Holding out this protocol leaves too few healthy brains for training and calibration.",
            expected=error.expected,
            found=f"{int((healthy & ~tested).sum())} of {int(healthy.sum())} healthy brains have other protocols",
            where=f"split.protocol={held_out}",
            advice="Hold out another protocol, or add healthy brains of other protocols.",
        ) from error
    # `stratified` gives the role `test` to subjects without a label; here only the held-out protocol is tested. The
    # classifier ignores them.
    roles = drawn.replace({"role": {"test": "classifier"}})
    held_out_rows = pd.DataFrame({"subject": labels.index[tested], "role": "test"})
    return pd.concat([roles, held_out_rows]).sort_values("subject", ignore_index=True)


def healthy_folds(healthy: list[str], count: int, *, seed: int, protocols: pd.Series | None = None) -> pd.Series:
    """Divide healthy brains into folds of equal size, at random or, with protocols, each in about the same proportions.

    Args:
        healthy: Names of the brains.
        count: Number of folds.
        seed: Seed of the random draw.
        protocols: Protocol of each brain (index: subject).

    Returns:
        Number of the fold of each brain, from 0 (index: subject).

    Raises:
        DatasetError: A fold would have fewer than 2 brains.
    """
    if len(healthy) < 2 * count:
        raise DatasetError(
            "There are too few healthy brains for the folds of the calibration.",
            expected=f"at least {2 * count} in the roles train and validation, 2 in each fold",
            found=str(len(healthy)),
            where="calibration.folds",
            advice="Add healthy brains, or lower calibration.folds.",
        )
    generator = np.random.default_rng(seed)
    names = generator.permutation(sorted(healthy))
    if protocols is not None:
        names = _interleaved(names, protocols, generator)
    numbers = [number for number, part in enumerate(np.array_split(names, count)) for _ in part]
    return pd.Series(numbers, index=list(names)).sort_index()


def _interleaved(names: np.ndarray, protocols: pd.Series, generator: np.random.Generator) -> np.ndarray:
    """Return the subjects in an order in which every contiguous part contains each protocol in proportion.

    The members of a protocol are spaced evenly from a random start, so a protocol with one subject can be anywhere.
    """
    members = pd.Series(names).groupby(protocols.loc[names].to_numpy())
    number, size = members.cumcount(), members.transform("size")
    start = generator.random(members.ngroups)[members.ngroup()]
    return names[np.argsort((number + start) / size, kind="stable")]


def read_splits(path: Path, labels: pd.Series) -> pd.DataFrame:
    """Read a CSV file with columns subject and role, and check it against the imported subjects.

    Raises:
        DatasetError: The file is missing, has other columns or roles, names unknown subjects, or leaves too few
            brains for training and calibration.
    """
    try:
        splits = read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DatasetError("The split file cannot be read.", expected="a CSV: subject,role", where=str(path)) from error
    if list(splits.columns) != ["subject", "role"] or not set(splits["role"]) <= set(ROLES):
        raise DatasetError(
            "The split file has the wrong columns or roles.",
            expected=f"columns subject,role with roles {', '.join(ROLES)}",
            found=f"columns {', '.join(splits.columns)}"
            + (f"; roles {', '.join(sorted(set(splits['role'])))}" if "role" in splits else ""),
            where=str(path),
            advice="Use the splits.csv of any run as a template.",
        )
    unknown = sorted(set(splits["subject"]) - set(labels.index))
    if unknown:
        raise DatasetError(
            "The split file names subjects that were not imported.",
            found=", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else ""),
            where=str(path),
            advice="See import_report.csv for the reason, or remove them from the file.",
        )
    counts = {role: int((splits["role"] == role).sum()) for role in HEALTHY_ROLES}
    if min(counts.values()) < 2:
        raise DatasetError(
            "The split file leaves too few brains for training and calibration.",
            expected="at least 2 subjects each in train and validation (46 for validation are recommended)",
            found=", ".join(f"{count} in {role}" for role, count in counts.items()),
            where=str(path),
        )
    return splits


def check_leakage(splits: pd.DataFrame, index: pd.DataFrame) -> None:
    """Check that no subject has two roles, that healthy roles are healthy, and that no scan belongs to two subjects.

    Args:
        splits: Columns subject, role.
        index: One row per scan with subject, label, modality and series_hash (a hash of the voxels, so that the same
            image is recognised under another name or header).

    Raises:
        LeakageError: One of these checks failed; the subjects and roles are named.
    """
    twice = splits[splits["subject"].duplicated(keep=False)]
    if len(twice):
        raise LeakageError(
            "A subject has more than one role.",
            expected="one role per subject",
            found="; ".join(
                f"{name}: {', '.join(sorted(set(rows['role'])))}" for name, rows in twice.groupby("subject")
            ),
            where="splits.csv",
        )
    scans = index.merge(splits, on="subject")
    wrong = scans[scans["role"].isin(HEALTHY_ROLES) & (scans["label"] != "healthy")]
    if len(wrong):
        raise LeakageError(
            "A brain that is not healthy has a role for healthy brains.",
            expected="only healthy subjects in train and validation",
            found=", ".join(sorted(set(wrong["subject"]))[:5]),
            where="splits.csv",
        )
    for content, rows in scans[scans["series_hash"] != ""].groupby("series_hash"):
        # Also within one role: copies could be split between two folds, or bias the calibration.
        if rows["subject"].nunique() > 1:
            raise LeakageError(
                "The same scan belongs to two subjects.",
                expected="every scan once",
                found=", ".join(f"{r.subject}/{r.modality} ({r.role})" for r in rows.itertuples()),
                where=f"series_hash {content}",
                advice="Remove the copy, or assign both to the same subject.",
            )
