"""The table of ``worklist.csv``: new patients in the order in which to read them."""

from collections.abc import Mapping

import pandas as pd

from brain_cae.detector.findings import Findings
from brain_cae.scoring.discoveries import false_discoveries

BOUND = "false_discoveries_at_most"
APPROXIMATIONS = {"leave_one_out": "leave-one-out", "crossfit": "cross-fitted"}
SHOWN = ["score", "p_value", "rate_bound", "flagged", "out_of_calibration", "out_of_calibration_reason"]


def worklist(table: pd.DataFrame, findings: Mapping[str, Findings], confidence: float) -> pd.DataFrame:
    """Return one row per patient, the highest score first.

    Patients who are out of calibration keep their place, but their p-values prove nothing: in the bound they count as
    false discoveries.

    Args:
        table: Scored patients with the columns ``SHOWN``, indexed by subject.
        findings: Findings by subject.
        confidence: Probability with which all bounds hold.

    Returns:
        Columns subject, ``SHOWN``, lesions and volume_ml (number and volume in mL of the clusters of a flagged
        patient), ``BOUND`` (of the patients down to this row, see
        :func:`brain_cae.scoring.discoveries.false_discoveries`).
    """
    rows = table.sort_values("score", ascending=False, kind="stable")[SHOWN].rename_axis("subject").reset_index()
    lesions = [
        findings[name].lesions if flagged is True else None
        for name, flagged in zip(rows["subject"], rows["flagged"], strict=True)
    ]
    rows["lesions"] = pd.array([None if found is None else len(found) for found in lesions], dtype="Int64")
    rows["volume_ml"] = [None if found is None else round(sum(one.volume_ml for one in found), 3) for found in lesions]
    p_values = rows["p_value"].where(~rows["out_of_calibration"].astype(bool), 1.0).to_numpy(float)
    rows[BOUND] = false_discoveries(p_values, 1 - confidence)
    return rows


def worklist_summary(rows: pd.DataFrame, confidence: float, calibration: str) -> str:
    """Return in a few sentences what a worklist says, for terminal and log.

    Args:
        rows: See :func:`worklist`.
        confidence: As there.
        calibration: See :attr:`brain_cae.detector.detector.Detector.calibration`.
    """
    patients, flagged = len(rows), int(rows["flagged"].eq(True).sum())
    text = f"{flagged} of {patients} patients are flagged."
    outside = int(rows["out_of_calibration"].sum())
    abnormal = patients - int(rows[BOUND].iloc[-1])
    if outside:
        text += f" Nothing is promised about the {outside} out of calibration; the bound counts them as healthy."
    if not abnormal:
        return f"{text} The bound on false discoveries is trivial: all of them may be healthy."
    if flagged:
        text += f" At most {int(rows[BOUND].iloc[flagged - 1])} of the first {flagged} are false discoveries."
    text += f" At least {abnormal} of all patients are not healthy (confidence {confidence:.0%})."
    if calibration != "split":
        text += f" With {APPROXIMATIONS[calibration]} calibration this is an approximation."
    return text
