"""Which of several series has the contrast that is wanted, such as that after which their folder is named."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from brain_cae.scans.contrast_agent import has_agent
from brain_cae.scans.contrast_rules import AFTER_AGENT, UNKNOWN, Contrast, contrast_of
from brain_cae.scans.examination import Beside, settled
from brain_cae.scans.file import DicomFile
from brain_cae.scans.headers import SeriesFacts, series_facts


@dataclass(frozen=True)
class Seen:
    """What one of several series is taken for beside the others, and whether it is after contrast ``agent``."""

    contrast: Contrast
    agent: bool = False


UNSEEN = Seen(Contrast(UNKNOWN, ""))
"""Of a series that is alone, which needs no comparison."""


def contrasts_of(series: Sequence[Sequence[DicomFile]]) -> list[Seen]:
    """Return the contrast of each of several series in one place, given the files of each."""
    facts = [_facts(files) for files in series]
    studies = [files[0].elements.text("StudyInstanceUID") for files in series]
    beside = [beside_of(one, study) for one, study in zip(facts, studies, strict=True)]
    contrasts = settled([contrast_of(one.physics) for one in facts], beside)
    return [Seen(contrast, one.physics.agent) for contrast, one in zip(contrasts, facts, strict=True)]


def fit(seen: Seen, modality: str) -> tuple[int, bool]:
    """Return 2 if a contrast is the wanted modality, 1 if it may be, and 0 if it is not; and whether that is certain.

    Nothing is wanted of a folder without the name of a modality (``""``). Of series whose headers leave the contrast
    open, the contrast agent is left to tell them apart.

    >>> fit(Seen(Contrast("t1", "")), "t1"), fit(Seen(Contrast("t1", "")), "t1ce"), fit(Seen(Contrast("t2", "")), "t1")
    ((2, True), (1, True), (0, True))
    """
    name = seen.contrast.name
    if not modality:
        return 0, True
    if name == UNKNOWN:
        return 1, seen.agent == (modality in AFTER_AGENT.values())
    pair = {*AFTER_AGENT, *AFTER_AGENT.values()}
    return 2 if name == modality else int({name, modality} <= pair), not seen.contrast.doubt


def beside_of(facts: SeriesFacts, study: str) -> Beside:
    """Return what of a series counts for the others of its session."""
    return Beside(
        agent=facts.physics.agent or "bolus" in facts.physics.hints,
        native="native" in facts.physics.hints,
        number=facts.number,
        derived=facts.derived,
        study=study,
    )


def _facts(files: Sequence[DicomFile]) -> SeriesFacts:
    facts = series_facts(files[0])
    # Some files of a series may not record the contrast agent.
    agent = facts.physics.agent or (len(files) > 1 and any(has_agent(file.elements) for file in files))
    return replace(facts, physics=replace(facts.physics, agent=agent))
