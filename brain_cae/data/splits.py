"""Who serves for what: four roles, by subject, and the proof that none leaks into another.

``train`` and ``validation`` hold healthy brains for the autoencoder (validation also calibrates), ``classifier``
and ``test`` hold both classes and nothing that the autoencoder has seen.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from brain_cae.errors import DatasetError, LeakageError
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
    """Draw the roles at random within each label, and within each protocol where protocols are given.

    Args:
        labels: Label of each subject (index: subject): healthy, abnormal or unknown.
        train: Share of the healthy brains for training.
        validation: Number of healthy brains for validation and calibration.
        classifier: Share of the remaining healthy and of the abnormal ones for the role ``classifier``.
        seed: Of the draw.
        protocols: Protocol of each subject (index: subject). Every role then gets about the same share of each
            protocol as of its label, within one or two subjects; the sizes of the roles stay as they are without.

    Returns:
        Columns subject, role; subjects without label get the role ``test``.

    Raises:
        DatasetError: Too few healthy brains to train and calibrate.
    """
    generator = np.random.default_rng(seed)
    drawn = {label: generator.permutation(sorted(labels.index[labels == label])) for label in CLASSES}
    if protocols is not None:
        drawn = {label: _interleaved(names, protocols, generator) for label, names in drawn.items()}
    healthy = drawn["healthy"]
    learn = round(len(healthy) * train)
    if learn < 2 or validation < 2 or learn + validation > len(healthy):
        raise DatasetError(
            "There are too few healthy brains to learn from and to calibrate with.",
            expected="at least 2 for training and 2 for validation (40 for validation are advised)",
            found=f"{len(healthy)} healthy, {len(drawn['abnormal'])} abnormal subjects",
            advice="Add healthy brains, for example from another set; label them `healthy`.",
        )
    roles = dict.fromkeys(healthy[:learn], "train")
    roles |= dict.fromkeys(healthy[learn : learn + validation], "validation")
    for rest in (healthy[learn + validation :], drawn["abnormal"]):
        count = round(len(rest) * classifier)
        roles |= dict.fromkeys(rest[:count], "classifier")
        roles |= dict.fromkeys(rest[count:], "test")
    roles |= dict.fromkeys(labels.index[labels == "unknown"], "test")
    return pd.DataFrame(sorted(roles.items()), columns=["subject", "role"])


def leave_protocol_out(
    labels: pd.Series, protocols: pd.Series, held_out: str, *, train: float, validation: int, seed: int
) -> pd.DataFrame:
    """Draw as :func:`stratified`, so that nobody but the subjects of one protocol is tested.

    Args:
        labels: Label of each subject (index: subject): healthy, abnormal or unknown.
        protocols: Protocol of each subject (same index).
        held_out: The protocol whose subjects get the role ``test``, and nothing else.
        train: Share for training of the healthy brains of other protocols.
        validation: Number of those for validation and calibration; who remains gets the role ``classifier``.
        seed: Of the draw.

    Returns:
        Columns subject, role.

    Raises:
        DatasetError: The other protocols hold too few healthy brains to train and calibrate.
    """
    tested = protocols[labels.index] == held_out
    try:
        drawn = stratified(labels[~tested], train=train, validation=validation, classifier=1.0, seed=seed)
    except DatasetError as error:
        healthy = labels == "healthy"
        raise DatasetError(
            "Holding out this protocol leaves too few healthy brains to learn from and to calibrate with.",
            expected=error.expected,
            found=f"{int((healthy & ~tested).sum())} of {int(healthy.sum())} healthy brains are of other protocols",
            where=f"split.protocol={held_out}",
            advice="Hold out another protocol, or add healthy brains of other protocols.",
        ) from error
    # Those without label would be tested beside the protocol; without one they teach the classifier nothing.
    roles = drawn.replace({"role": {"test": "classifier"}})
    apart = pd.DataFrame({"subject": labels.index[tested], "role": "test"})
    return pd.concat([roles, apart]).sort_values("subject", ignore_index=True)


def _interleaved(names: np.ndarray, protocols: pd.Series, generator: np.random.Generator) -> np.ndarray:
    """Put subjects, in random order, so that every stretch of them holds each protocol in its share of the whole.

    The members of a protocol are spaced evenly from a random start: a protocol of one subject lands anywhere.
    """
    members = pd.Series(names).groupby(protocols.loc[names].to_numpy())
    number, size = members.cumcount(), members.transform("size")
    start = generator.random(members.ngroups)[members.ngroup()]
    return names[np.argsort((number + start) / size, kind="stable")]


def read_splits(path: Path, labels: pd.Series) -> pd.DataFrame:
    """Read ``subject,role`` and check it against the subjects at hand.

    Raises:
        DatasetError: The file is missing, has other columns or roles, names subjects that are not there, or leaves
            too few to learn from and to calibrate with.
        LeakageError: A subject stands in two roles, or an abnormal one among the healthy roles.
    """
    try:
        splits = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise DatasetError("The split file cannot be read.", expected="a CSV: subject,role", where=str(path)) from error
    if list(splits.columns) != ["subject", "role"] or not set(splits["role"]) <= set(ROLES):
        raise DatasetError(
            "The split file is not of the expected form.",
            expected=f"columns subject,role with roles {', '.join(ROLES)}",
            found=f"columns {', '.join(splits.columns)}"
            + (f"; roles {', '.join(sorted(set(splits['role'])))}" if "role" in splits else ""),
            where=str(path),
            advice="The splits.csv of any run is of that form.",
        )
    unknown = sorted(set(splits["subject"]) - set(labels.index))
    if unknown:
        raise DatasetError(
            "The split file names subjects that were not imported.",
            found=", ".join(unknown[:5]) + (" …" if len(unknown) > 5 else ""),
            where=str(path),
            advice="See import_report.csv for the reason, or take them out of the file.",
        )
    counts = {role: int((splits["role"] == role).sum()) for role in HEALTHY_ROLES}
    if min(counts.values()) < 2:
        raise DatasetError(
            "The split file leaves too few brains to learn from and to calibrate with.",
            expected="at least 2 subjects each in train and validation (40 for validation are advised)",
            found=", ".join(f"{count} in {role}" for role, count in counts.items()),
            where=str(path),
        )
    return splits


def check_leakage(splits: pd.DataFrame, index: pd.DataFrame) -> None:
    """No subject may stand in two roles, and no series or pixel content belong to two subjects.

    Args:
        splits: Columns subject, role.
        index: One row per scan with subject, label, modality and series_hash (a hash of the voxels, so that
            the same picture under another name or header is found).

    Raises:
        LeakageError: It does; subjects and roles are named.
    """
    twice = splits[splits["subject"].duplicated(keep=False)]
    if len(twice):
        raise LeakageError(
            "A subject stands in two roles.",
            expected="every subject once",
            found="; ".join(
                f"{name}: {', '.join(sorted(set(rows['role'])))}" for name, rows in twice.groupby("subject")
            ),
            where="splits.csv",
        )
    scans = index.merge(splits, on="subject")
    wrong = scans[scans["role"].isin(HEALTHY_ROLES) & (scans["label"] != "healthy")]
    if len(wrong):
        raise LeakageError(
            "A brain that is not healthy stands in a role for healthy brains.",
            expected="only healthy subjects in train and validation",
            found=", ".join(sorted(set(wrong["subject"]))[:5]),
            where="splits.csv",
        )
    for content, rows in scans[scans["series_hash"] != ""].groupby("series_hash"):
        # Also within one role: copies would fall into two folds, or vouch for each other in the calibration.
        if rows["subject"].nunique() > 1:
            raise LeakageError(
                "The same scan stands there twice under different names.",
                expected="every scan once",
                found=", ".join(f"{r.subject}/{r.modality} ({r.role})" for r in rows.itertuples()),
                where=f"series_hash {content}",
                advice="Remove the copy, or give both the same subject.",
            )
