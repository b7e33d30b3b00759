"""The table of ``lesions.csv``: the clusters of the brains that are flagged."""

from typing import Any

import pandas as pd

from brain_cae.detector.findings import Findings

COLUMNS = [
    "subject", "lesion", "volume_ml", "x_mm", "y_mm", "z_mm", "hemisphere", "tissue", "peak_z", "p_value", "mass",
    "mni_x_mm", "mni_y_mm", "mni_z_mm",
]  # fmt: skip


def lesion_table(table: pd.DataFrame, findings: dict[str, Findings]) -> pd.DataFrame:
    """Return one row per cluster of each flagged brain, by score and mass, both falling.

    Args:
        table: Evaluated subjects with ``score`` and ``flagged``, indexed by subject.
        findings: Findings by subject.

    Returns:
        Columns ``COLUMNS``; places in RAS+ mm, of the scan and of MNI152.
    """
    flagged = table[table["flagged"].eq(True)].sort_values("score", ascending=False, kind="stable")
    rows: list[dict[str, Any]] = []
    for subject in flagged.index:
        for number, lesion in enumerate(findings[subject].lesions, start=1):
            places = zip(("x", "y", "z"), lesion.centre_mm, lesion.mni_mm or (None,) * 3, strict=True)
            row = {"subject": subject, "lesion": number, "p_value": lesion.p_value}
            row |= {name: round(getattr(lesion, name), 3) for name in ("volume_ml", "mass", "peak_z")}
            row |= {"hemisphere": lesion.hemisphere, "tissue": lesion.tissue}
            for axis, here, there in places:
                row |= {f"{axis}_mm": here, f"mni_{axis}_mm": there}
            rows.append(row)
    return pd.DataFrame(rows, columns=COLUMNS)
