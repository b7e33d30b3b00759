"""Contrasts in the names of files, which may contradict the folder or the table that says what a scan is."""

import re
from collections.abc import Iterable
from pathlib import Path

from brain_cae.scans.formats import is_nifti, nifti_stem
from brain_cae.scans.sources.base import SPELLINGS, SeriesLocation

T2_FLAIR = re.compile(r"t2[_\-. ]flair")
"""Two words that name one contrast."""


def named_otherwise(locations: Iterable[SeriesLocation]) -> dict[str, list[str]]:
    """Return lists for :func:`counted` of the NIfTI scans in use whose file has the name of other contrasts only.

    ``t1/P1_T1ce.nii.gz`` is one, ``t1/P1_T1_on_FLAIR.nii.gz`` is none.
    """
    text = "{scan has|scans have} the name of another contrast than {its|their} folder, or the table, says"
    found = [
        f"{one.subject} {one.modality} ({one.files[0].name})"
        for one in locations
        if one.files and (named := _contrasts(one.files[0])) and one.modality not in named
    ]
    return {text: found}


def _contrasts(path: Path) -> set[str]:
    """Return the modalities that words of a file's name stand for."""
    words = re.split(r"[_\-. ]+", T2_FLAIR.sub("flair", nifti_stem(path).lower())) if is_nifti(path) else []
    return {SPELLINGS[word] for word in words if word in SPELLINGS}
