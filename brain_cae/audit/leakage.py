"""Do evaluated subjects also occur elsewhere: the same subject, the same scan, or nearly the same image?"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.estimates import proportion
from brain_cae.vocabulary import HEALTHY_ROLES

HASH_NEAR, CORRELATION_NEAR = 0.06, 0.80
FEW = 10
CERTAIN = ("subject", "scan")


def leakage(scans: pd.DataFrame | None, fingerprints: pd.DataFrame | None = None) -> AuditTest | None:
    """Find subjects and scans that occur twice, in other roles or under other names; ``None`` without a table of scans.

    Three checks: a subject in two roles; a scan (hash of its voxels) under two subjects; two subjects with nearly the
    same image. The last check compares block means of each brain: the share of neighbouring blocks whose order differs
    (a difference hash; two brains of different people differ in 12 % and more, the same brain resampled, masked or
    scaled otherwise in less than 5 %), and the correlation of the deviations from the cohort's mean. Both must be
    close (at most 6 %, at least 0.80). The value is the share of evaluated subjects that are affected (Wilson).

    Args:
        scans: One row per scan of every subject: ``subject``, ``role``, ``series_hash`` (``""``: unknown).
        fingerprints: One row per subject, block means in the order (x, y, z).

    Raises:
        KeyError: A column is missing.
    """
    if scans is None or scans.empty:
        return None
    roles = scans.groupby("subject")["role"].agg(lambda names: ", ".join(sorted(set(map(str, names)))))
    evaluated = sorted(name for name in roles.index if not set(roles[name].split(", ")) <= set(HEALTHY_ROLES))
    if not evaluated:
        return unable("leakage", "There are no evaluated subjects.", n=0)
    pairs = [*_in_two_roles(roles), *_same_scan(scans, roles), *_near_duplicates_of(fingerprints, roles)]
    affected = {row[side] for row in pairs for side in ("subject", "other")} & set(evaluated)
    share = proportion(len(affected), len(evaluated))
    compared = ["names"]
    compared += ["scan content"] if (scans["series_hash"].astype(str) != "").any() else []
    compared += ["images"] if fingerprints is not None and len(fingerprints) >= FEW else []
    text = f"{len(affected)} of {len(evaluated)} evaluated subjects occur twice, in another role or under another name"
    text += f" (compared by {', '.join(compared)})."
    verdict = CONCERN if pairs else NO_CONCERN if len(compared) > 1 else CANNOT_TELL
    if pairs:
        first = pairs[0]
        text += f" The first: {first['subject']} and {first['other']}, same {first['same']}."
        text += " Figures of these subjects are not valid."
    elif verdict == CANNOT_TELL:
        text += " Without the scan content, a copy under another name would not be detected."
    return AuditTest(
        "leakage", share.value, share.low, share.high, None, verdict, text, len(evaluated), details=pairs[:100]
    )


def certain(test: AuditTest | None) -> bool:
    """Return whether a leak is proven, not only likely: one subject in two roles, or one scan under two names."""
    return test is not None and any(row["same"] in CERTAIN for row in test.details)


def near_duplicates(prints: NDArray) -> list[tuple[int, int, float]]:
    """Return pairs of rows of block means (n, b**3) that are nearly the same image: row numbers and hash distance."""
    n, blocks = prints.shape
    side = round(blocks ** (1 / 3))
    cubes = prints.reshape(n, side, side, side)
    order = np.concatenate([(np.diff(cubes, axis=axis) > 0).reshape(n, -1) for axis in (1, 2, 3)], axis=1)
    signs = np.where(order, 1.0, -1.0).astype(np.float32)
    distance = (1 - signs @ signs.T / signs.shape[1]) / 2
    deviations = prints - prints.mean(axis=0)
    deviations = deviations / np.maximum(np.linalg.norm(deviations, axis=1, keepdims=True), 1e-12)
    correlation = deviations @ deviations.T
    pairs = np.argwhere(np.triu((distance <= HASH_NEAR) & (correlation >= CORRELATION_NEAR), k=1))
    return [(int(i), int(j), float(distance[i, j])) for i, j in pairs]


def _row(subject: str, other: str, roles: pd.Series, same: str, distance: float | None = None) -> dict:
    return {
        "subject": subject,
        "other": other,
        "roles": f"{roles[subject]} / {roles[other]}",
        "same": same,
        "hash_distance": distance,
    }


def _in_two_roles(roles: pd.Series) -> list[dict]:
    return [_row(str(name), str(name), roles, "subject") for name in roles.index if ", " in roles[name]]


def _same_scan(scans: pd.DataFrame, roles: pd.Series) -> list[dict]:
    known = scans[scans["series_hash"].astype(str) != ""].drop_duplicates(["series_hash", "subject"])
    pairs: dict[tuple[str, str], dict] = {}
    for _, rows in known[known["series_hash"].duplicated(keep=False)].groupby("series_hash"):
        first, *others = sorted(map(str, rows["subject"]))
        pairs |= {(first, other): _row(first, other, roles, "scan") for other in others}
    return list(pairs.values())


def _near_duplicates_of(fingerprints: pd.DataFrame | None, roles: pd.Series) -> list[dict]:
    if fingerprints is None:
        return []
    table = fingerprints.loc[[name for name in fingerprints.index if name in roles.index]].dropna()
    if len(table) < FEW:
        return []
    names = [str(name) for name in table.index]
    pairs = near_duplicates(table.to_numpy(dtype=np.float32))
    return [_row(names[i], names[j], roles, "picture", distance) for i, j, distance in pairs]
