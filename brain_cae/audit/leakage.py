"""Has anything been learnt from that is tested on: the same subject, the same scan, or nearly the same picture?"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brain_cae.audit.result import CANNOT_TELL, CONCERN, NO_CONCERN, AuditTest, unable
from brain_cae.estimates import proportion
from brain_cae.vocabulary import HEALTHY_ROLES

HASH_NEAR, LIKENESS_NEAR = 0.06, 0.80
FEW = 10
CERTAIN = ("subject", "scan")


def leakage(scans: pd.DataFrame | None, fingerprints: pd.DataFrame | None = None) -> AuditTest | None:
    """What stands twice, in roles or under names that ought to be apart; ``None`` without a table of scans.

    Three looks: a subject in two roles; a scan (hash of its voxels) under two subjects; two subjects whose pictures are
    nearly the same. The last takes block means of each brain: the share of neighbouring blocks whose order differs
    (a difference hash; two brains of different people differ in 12 % and more, the same brain resampled, masked or
    scaled otherwise in less than 5 %), and the correlation of what sets each brain apart from the cohort's mean. Both
    must be near (at most 6 %, at least 0.80). The value is the share of tested subjects that are touched (Wilson).

    Args:
        scans: One row per scan of every subject: ``subject``, ``role``, ``series_hash`` (``""``: not known).
        fingerprints: One row per subject, block means in the order (x, y, z).

    Raises:
        KeyError: A column is missing.
    """
    if scans is None or scans.empty:
        return None
    roles = scans.groupby("subject")["role"].agg(lambda own: ", ".join(sorted(set(map(str, own)))))
    tested = sorted(name for name in roles.index if not set(roles[name].split(", ")) <= set(HEALTHY_ROLES))
    if not tested:
        return unable("leakage", "No subject is tested.", n=0)
    pairs = [*_in_two_roles(roles), *_same_scan(scans, roles), *_near_pictures(fingerprints, roles)]
    touched = {row[side] for row in pairs for side in ("subject", "other")} & set(tested)
    share = proportion(len(touched), len(tested))
    looked = ["names"]
    looked += ["scans' content"] if (scans["series_hash"].astype(str) != "").any() else []
    looked += ["pictures"] if fingerprints is not None and len(fingerprints) >= FEW else []
    text = f"{len(touched)} of {len(tested)} tested subjects stand there twice, in another role or under another name"
    text += f" (compared by {', '.join(looked)})."
    verdict = CONCERN if pairs else NO_CONCERN if len(looked) > 1 else CANNOT_TELL
    if pairs:
        first = pairs[0]
        text += f" The first: {first['subject']} and {first['other']}, same {first['same']}. Their figures are no test."
    elif verdict == CANNOT_TELL:
        text += " Without the scans' content a copy under another name would not be seen."
    return AuditTest(
        "leakage", share.value, share.low, share.high, None, verdict, text, len(tested), details=pairs[:100]
    )


def certain(test: AuditTest | None) -> bool:
    """Whether a leak was found that is no matter of likeness: one subject in two roles, or one scan under two names."""
    return test is not None and any(row["same"] in CERTAIN for row in test.details)


def near_duplicates(prints: NDArray) -> list[tuple[int, int, float]]:
    """Pairs of rows of block means (n, b**3) that are nearly the same picture: numbers and hash distance."""
    n, blocks = prints.shape
    side = round(blocks ** (1 / 3))
    cubes = prints.reshape(n, side, side, side)
    order = np.concatenate([(np.diff(cubes, axis=axis) > 0).reshape(n, -1) for axis in (1, 2, 3)], axis=1)
    signs = np.where(order, 1.0, -1.0).astype(np.float32)
    distance = (1 - signs @ signs.T / signs.shape[1]) / 2
    own = prints - prints.mean(axis=0)
    own = own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    likeness = own @ own.T
    found = np.argwhere(np.triu((distance <= HASH_NEAR) & (likeness >= LIKENESS_NEAR), k=1))
    return [(int(i), int(j), float(distance[i, j])) for i, j in found]


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


def _near_pictures(fingerprints: pd.DataFrame | None, roles: pd.Series) -> list[dict]:
    if fingerprints is None:
        return []
    table = fingerprints.loc[[name for name in fingerprints.index if name in roles.index]].dropna()
    if len(table) < FEW:
        return []
    names = [str(name) for name in table.index]
    found = near_duplicates(table.to_numpy(dtype=np.float32))
    return [_row(names[i], names[j], roles, "picture", distance) for i, j, distance in found]
