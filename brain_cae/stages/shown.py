"""What the scans show, compared with their names and headers: contrast, and how much of the head."""

import logging
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from brain_cae.data.contrast import compatible, header_contrast
from brain_cae.data.subject import PreparedSubject
from brain_cae.files.names import printable
from brain_cae.scans.sources.base import counted
from brain_cae.vocabulary import Serious

log = logging.getLogger(__name__)

WRONG_CONTRAST = "not the named contrast"

NAMED = 3
"""Scans with the same wrong contrast that have a caution each."""

SHORTEST_BRAIN_MM, SHORTEST_HEAD_MM = 100.0, 125.0
"""A whole brain reaches further from inferior to superior, and a scan of a whole brain in its head much further."""

FLAT_LOW, FLAT_HIGH = 0.65, 1.2
"""Intensities whose 5th and 95th percentile in the brain lie between these, relative to the median, have too little
contrast. On real brains and phantoms they are 0.07 to 0.62 and 1.07 to 1.73."""

ALTERNATION = 0.04
"""How much brighter than its neighbours every second slice is, as a share of tissue: at most 0.013 on 25 real scans."""

SIDES = 1.4
"""Ratio of the brightness of both sides: at most 1.13 on 20 real scans, 1.27 on the T2 of a large stroke, and 1.45
where the intensity falls from 1.6 to 0.4 across the field of view."""

LEVELS = ("05", "50", "95", "99")

TIMES = ("repetition_time_ms", "echo_time_ms", "inversion_time_ms")


def with_shown(report: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> pd.DataFrame:
    """Return the import report with extent and contrast of each prepared scan; not modified in place."""
    report = report.copy()
    for subject, volumes in prepared.items():
        for modality, shown in volumes.shown.items():
            rows = (report["subject"] == subject) & (report["modality"] == modality) & (report["status"] == "imported")
            report.loc[rows, "coverage_mm"] = round(shown.coverage_mm, 1)
            report.loc[rows, "looks_like"] = shown.looks_like
    return report


def wrong_contrasts(index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> dict[str, str]:
    """Return the subjects with a scan whose image and header agree that its name is wrong, with the reason."""
    refused = {}
    for subject, modality, seen, header, evidence in _contradictions(index, prepared):
        if seen and header and compatible(seen, header):
            log.warning(
                "%s is left out: its %s shows a %s (%s), and so does its header.", subject, modality, seen, evidence
            )
            refused[subject] = WRONG_CONTRAST
    return refused


def contrast_cautions(index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the cautions about scans whose image or header contradicts their name; they are also logged.

    More than ``NAMED`` scans with the same contradiction are one caution.
    """
    alike: dict[tuple[str, str], dict[str, str]] = {}
    for subject, modality, seen, header, evidence in _contradictions(index, prepared):
        what = f"looks like a {_name(seen)}" if seen else f"has the times of a {_name(header)} in its header"
        alike.setdefault((modality, what), {})[subject] = f": {evidence}" if seen else ""
    cautions: list[str] = []
    for (modality, what), reasons in alike.items():
        names = list(reasons)
        if len(names) > NAMED:
            # Without names: it also stands on the page of each of these patients.
            text = (
                f"In {len(names)} subjects the {modality} {what}. If the name is wrong, their scores and maps are "
                "meaningless; check these scans, which the log names, and select the right ones."
            )
            log.warning("%s of %s: %s", modality, ", ".join(map(printable, names)), what)
            cautions.append(Serious(text, names))
            continue
        cautions += [
            Serious(
                f"The {modality} of {subject} {what}{reason}. If its name is wrong, its scores and maps are "
                "meaningless; check it and select the right scan.",
                [subject],
            )
            for subject, reason in reasons.items()
        ]
    for caution in cautions:
        log.warning(caution)
    return cautions


def coverage_cautions(index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the cautions about scans that show only a part of the head, or of the brain; they are also logged."""
    short, cut = [], []
    for subject, by in index.groupby("subject")["stripped_by"].first().items():
        # A scan that a tool has stripped shows the whole head itself.
        least = SHORTEST_BRAIN_MM if by in ("delivered", "mask") else SHORTEST_HEAD_MM
        for modality, one in prepared[str(subject)].shown.items():
            if one.coverage_mm < least:
                short.append(f"{subject} {modality} covers {one.coverage_mm:.0f} mm of head")
            elif one.cut_cm2 and by:  # a head that is not stripped is cut at the neck
                cut.append(f"{subject} {modality} in {one.cut_cm2:.0f} cm²")
    cautions = counted(
        {
            "{scan shows|scans show} only a part of the head; places in such a brain are compared badly": short,
            "{scan cuts|scans cut} off a part of the brain at the edge of the field of view; that part is left out of "
            "scores and maps, and places in the rest are compared badly": cut,
        }
    )
    for caution in cautions:
        log.warning(caution)
    return cautions


def contrast_lost_cautions(prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the cautions about scans that lost contrast, in all tissues or in bright ones; they are also logged."""
    flat, cut = [], []
    for subject, one in prepared.items():
        for modality in one.shown:
            low, median, high, top = (one.appearance.get(f"histogram_{modality}_q{level}", np.nan) for level in LEVELS)
            if low > FLAT_LOW * median and high < FLAT_HIGH * median:
                flat.append(f"{subject} {modality}")
            elif median < high == top:
                cut.append(f"{subject} {modality}")
    cautions = counted(
        {
            "{scan has|scans have} hardly any contrast between tissues relative to the background, as z-scores around "
            "an arbitrary background or logarithms have; residuals are too small, so give the intensities as scanned": (
                flat
            ),
            "{scan has|scans have} one value in the brightest twentieth of the brain or more, as where intensities "
            "were cut off for a display or for 8 bits: a bright lesion cannot be seen there, so give the intensities "
            "as scanned": cut,
        }
    )
    for caution in cautions:
        log.warning(caution)
    return cautions


def shading_cautions(prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the cautions about scans with uneven brightness, from slice to slice or side to side; also logged."""
    striped, shaded = [], []
    for subject, one in prepared.items():
        for modality, shown in one.shown.items():
            if shown.alternation > ALTERNATION:
                striped.append(f"{subject} {modality} ({shown.alternation:.0%})")
            if max(shown.side_ratio, 1 / max(shown.side_ratio, 1e-9)) > SIDES:
                shaded.append(f"{subject} {modality} ({'right' if shown.side_ratio > 1 else 'left'})")
    cautions = counted(
        {
            "{scan has|scans have} slices that are brighter and darker in turn, as after motion between interleaved "
            "slices: residuals follow the slices, not the disease": striped,
            f"{{scan is|scans are}} at least {SIDES} times as bright on one side of the brain as on the other, as "
            "where a coil is uneven, or beside a very large lesion: if it is the coil, set "
            "preprocess.bias_correction=n4": shaded,
        }
    )
    for caution in cautions:
        log.warning(caution)
    return cautions


def _contradictions(
    index: pd.DataFrame, prepared: Mapping[str, PreparedSubject]
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield subject, modality, contrast by image, contrast by header and evidence where one is not the name."""
    for row in index[index["subject"].isin(list(prepared))].to_dict("records"):
        subject, modality = str(row["subject"]), str(row["modality"])
        shown = prepared[subject].shown.get(modality)
        if shown is None:
            continue
        times = [float(row.get(name, np.nan)) for name in TIMES]
        header = header_contrast(times[0], times[1], times[2], str(row.get("sequence", "")))
        seen = "" if compatible(modality, shown.looks_like) else shown.looks_like
        implied = "" if compatible(modality, header) else header
        # An image that shows what its name says outweighs the times of a header.
        if seen or (implied and not shown.looks_like):
            yield subject, modality, seen, implied, shown.evidence


def _name(contrast: str) -> str:
    return {"t1": "T1", "t1ce": "T1 after contrast agent", "t2": "T2", "flair": "FLAIR"}[contrast]
