"""Which of several series has the contrast that is wanted, such as that after which their folder is named."""

from collections.abc import Sequence
from dataclasses import replace

from brain_cae.scans.contrast_agent import has_agent
from brain_cae.scans.contrast_rules import AFTER_AGENT, UNIFORM, UNKNOWN, Beside, contrast_of, settled
from brain_cae.scans.file import DicomFile
from brain_cae.scans.headers import SeriesFacts, series_facts

# Of a series whose headers leave its contrast open, or a T1 of which they may not tell whether it is after an agent.
MAY_FIT = 1


def names_of(series: Sequence[Sequence[DicomFile]]) -> list[str]:
    """Return the contrast of each of several series in one place, given the files of each."""
    facts = [_facts(files) for files in series]
    studies = [files[0].elements.text("StudyInstanceUID") for files in series]
    beside = [beside_of(one, study) for one, study in zip(facts, studies, strict=True)]
    return [one.name for one in settled([contrast_of(one.physics) for one in facts], beside)]


def fit(name: str, modality: str) -> int:
    """Return 2 if a contrast is the wanted modality, 1 if it may be, and 0 if it is another one.

    The uniform image of an MP2RAGE is its T1. Nothing is wanted of a folder without the name of a modality (``""``).

    >>> fit("t1", "t1"), fit("t1", "t1ce"), fit("t2", "t1")
    (2, 1, 0)
    """
    if name == modality or (name, modality) == (UNIFORM, "t1"):
        return 2
    pair = {*AFTER_AGENT, *AFTER_AGENT.values()}
    return MAY_FIT if modality and (name == UNKNOWN or {name, modality} <= pair) else 0


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
