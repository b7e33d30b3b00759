"""Cautions about the brain and lesion masks of the data set."""

import logging
from collections.abc import Iterator, Mapping

import pandas as pd

from brain_cae.data.strippers import LARGEST_ML, SMALLEST_ML
from brain_cae.data.subject import MaskFacts, PreparedSubject
from brain_cae.scans.sources.base import counted
from brain_cae.vocabulary import Serious

log = logging.getLogger(__name__)

LARGEST_HOLES_ML = 5.0
"""Smaller holes in a brain mask are vessels and parts of the ventricles."""

MOST = 0.5
"""Share of a mask that may lie outside, and share of the brain that a lesion may be, without a caution."""


def mask_cautions(labels: pd.Series, prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the cautions about empty, soft, misplaced and implausible masks; they are also logged.

    Args:
        labels: Label of each subject (index: subject).
        prepared: Prepared subjects by name.
    """
    empty = [name for name, one in prepared.items() if one.lesion is not None and not one.has_lesion]
    cautions = counted(
        {
            "{abnormal subject has|abnormal subjects have} an empty lesion mask and {counts|count} for detection but "
            "not for localisation": [name for name in empty if labels.get(name) == "abnormal"],
            "{healthy subject has|healthy subjects have} a lesion mask that is not empty; the mask, or the label, is "
            "wrong": [name for name, one in prepared.items() if one.has_lesion and labels.get(name) == "healthy"],
            "{lesion mask covers|lesion masks cover} most of the brain; {it is|they are} rather a brain mask or the "
            "scan itself": [f"{name} ({100 * share:.0f} %)" for name, share in _shares(prepared) if share > MOST],
            "{mask marks|masks mark} nothing, because {its|their} labels are below 0; a program may have stored 255 in "
            "a signed byte": [f"{name} ({one.kind} mask)" for name, one in _masks(prepared) if one.negative],
            "{mask holds|masks hold} grey values, probabilities or interpolated labels: voxels below half of the "
            "maximum, or of the lowest label, count as outside": [
                f"{name} ({one.kind} mask)" for name, one in _masks(prepared) if one.cut
            ],
            "{mask has|masks have} as many voxels as a scan but {lies|lie} elsewhere according to the header; look "
            "whether {it fits|they fit} the scan": [
                f"{name} ({one.kind} mask, {one.apart_mm:.0f} mm from the {one.beside})"
                for name, one in _masks(prepared)
                if one.beside
            ],
            "{lesion mask lies|lesion masks lie} mostly outside the brain; look whether {it belongs|they belong} to "
            "the scan": _outside(prepared, "lesion"),
            f"{{brain mask has|brain masks have}} holes of more than {LARGEST_HOLES_ML:.0f} mL; what lies in "
            "them, such as a tumour that a program left out, has neither score nor map": [
                f"{name} ({one.hole_ml:.0f} mL)" for name, one in _masks(prepared) if one.hole_ml > LARGEST_HOLES_ML
            ],
            "{brain mask lies|brain masks lie} mostly outside the scan; look whether {it belongs|they belong} to the "
            "scan": _outside(prepared, "brain"),
        }
    )
    sizes = {name: f"{one.volume_ml:.0f} mL" for name, one in _masks(prepared) if not one.plausible}
    text = (
        f"{{brain mask has|brain masks have}} a volume that no brain of an adult has ({SMALLEST_ML:.0f} to "
        f"{LARGEST_ML:.0f} mL, less in a slab): {{it is|they are}} rather the mask of a lesion or an image, and scores "
        "and maps are meaningless"
    )
    for caution in counted({text: [f"{name} ({size})" for name, size in sizes.items()]}):
        cautions.append(Serious(caution, sizes))
    for caution in cautions:
        log.warning(caution)
    return cautions


def _shares(prepared: Mapping[str, PreparedSubject]) -> Iterator[tuple[str, float]]:
    """Yield subject and share of the brain that its lesion mask marks."""
    for name, one in prepared.items():
        if one.lesion is not None and one.has_lesion:
            yield name, float((one.lesion & one.mask).sum() / one.mask.sum())


def _outside(prepared: Mapping[str, PreparedSubject], kind: str) -> list[str]:
    return [
        f"{name} ({100 * one.outside:.0f} %)"
        for name, one in _masks(prepared)
        if one.kind == kind and one.outside > MOST
    ]


def _masks(prepared: Mapping[str, PreparedSubject]) -> Iterator[tuple[str, MaskFacts]]:
    for name, subject in prepared.items():
        for one in subject.masks:
            yield name, one
