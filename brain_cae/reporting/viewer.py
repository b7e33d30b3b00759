"""Brains of a page that a reader can explore: their volumes beside their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from brain_cae.reporting import niivue, pictures
from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.pictures import Gallery, Picture
from brain_cae.reporting.volumes import fitting

BUDGET = 4_200_000
"""Characters of all volumes of a report; with the viewer and the pictures it stays below 8 MB."""


@dataclass(frozen=True)
class Brain:
    """Volumes of one brain, see :func:`brain_cae.reporting.volumes.volumes`, and the identifier of their element."""

    id: str
    data: dict[str, Any]


def interactive(content: ReportContent, gallery: Gallery, budget: int = BUDGET) -> tuple[Gallery, list[Brain]]:
    """Return the gallery with its pictures connected to volumes, and these; without a viewer it stays as it is."""
    if not content.views or not niivue.bundle():
        return gallery, []
    threshold = content.voxel_threshold
    top = pictures.upper_limit(content.views, threshold)
    made = fitting(content.views, budget, top=top, threshold=threshold, rates=content.voxel_rates)
    brains = [Brain(f"brain-{number}", data) for number, data in enumerate(made)]
    known = {view.subject: brain.id for view, brain in zip(content.views, brains, strict=True)}

    def connected(shown: Sequence[Picture]) -> list[Picture]:
        return [replace(one, volumes=known[one.subject], page=content.pages.get(one.subject, "")) for one in shown]

    return replace(gallery, suspects=connected(gallery.suspects), healthy=connected(gallery.healthy)), brains
