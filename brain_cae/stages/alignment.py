"""Alignment of each subject's scans: how far each was moved, for the import report, and its cautions."""

import logging
from collections.abc import Mapping

import pandas as pd

from brain_cae.data.alignments import Alignments
from brain_cae.scans.sources.base import counted, some
from brain_cae.vocabulary import Serious

log = logging.getLogger(__name__)

FAR_MM = 10.0
"""A movement beyond this is no ordinary movement between two scans: the header may be wrong."""

ANOTHER_HEAD = 0.875
"""Gain from exchanging left and right, below that of a mirrored scan, above which two scans may show two people, whose
asymmetries differ: 0.49 to 0.84 for 11 pairs of real scans of one person, 0.90 to 1.01 for 12 pairs of two people."""


def with_alignments(report: pd.DataFrame, alignments: Mapping[str, Alignments]) -> pd.DataFrame:
    """Return the import report with the movement of each aligned scan; not modified in place.

    Args:
        report: One row per series, with subject, modality and status.
        alignments: By subject.
    """
    report = report.copy()
    for subject, moved in alignments.items():
        for modality, one in moved.items():
            rows = (report["subject"] == subject) & (report["modality"] == modality) & (report["status"] == "imported")
            report.loc[rows, "shift_mm"] = round(one.shift_mm, 2)
            report.loc[rows, "rotation_deg"] = round(one.rotation_deg, 2)
            report.loc[rows, "overlap_before"] = round(one.overlap_before, 3)
            report.loc[rows, "overlap"] = round(one.overlap, 3)
    return report


def shape_cautions(alignments: Mapping[str, Alignments]) -> list[str]:
    """Return the cautions about mirrored scans, which is serious, of another head or size; they are also logged."""
    scans = [(f"{subject} {modality}", one) for subject, moved in alignments.items() for modality, one in moved.items()]
    mirrored = [name for name, one in scans if one.is_mirrored]
    text = (
        "{scan matches the reference scan of its subject|scans match the reference scans of their subjects} much "
        "better with left and right exchanged: one of the two is mirrored, and maps may show the wrong side. Find out "
        "which, and convert it again"
    )
    subjects = [subject for subject, moved in alignments.items() if any(one.is_mirrored for one in moved.values())]
    cautions: list[str] = [Serious(caution, subjects) for caution in counted({text: mirrored})]
    text = (
        "{scan matches the reference scan of its subject|scans match the reference scans of their subjects} hardly "
        "better than with left and right exchanged, as scans of two people do, or noise; check that both show one "
        "person"
    )
    others = [name for name, one in scans if one.mirrored_gain > ANOTHER_HEAD and not one.is_mirrored]
    cautions += counted({text: others})
    text = (
        "{scan is|scans are} larger or smaller than the reference scan of the same subject, as in the space of a "
        "template or with a wrong voxel size, and the contrasts do not lie on each other; give both in the space of one"
    )
    scaled = [f"{name} ({' x '.join(f'{part:.2f}' for part in one.scale)})" for name, one in scans if one.is_scaled]
    cautions += counted({text: scaled})
    for caution in cautions:
        log.warning(caution)
    return cautions


def movement_cautions(alignments: Mapping[str, Alignments]) -> list[str]:
    """Return the caution about scans that lay far from their reference; it is also logged."""
    far = [
        (one.shift_mm, f"{subject} {modality} {one.shift_mm:.0f} mm")
        for subject, moved in alignments.items()
        for modality, one in moved.items()
        if one.shift_mm > FAR_MM
    ]
    if not far:
        return []
    worst = [text for _, text in sorted(far, reverse=True)]
    many = "scans lay" if len(far) > 1 else "scan lay"
    caution = (
        f"{len(far)} {many} more than {FAR_MM:.0f} mm from the reference scan of the same subject, and alignment moved "
        f"the head that far ({some(worst)}). Check that both show the same person; import_report.csv lists every "
        "movement."
    )
    log.warning(caution)
    return [caution]
