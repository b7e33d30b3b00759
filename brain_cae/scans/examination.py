"""Contrasts of the series of one examination, each seen beside the others: before or after contrast agent."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from brain_cae.scans.contrast_rules import (
    AFTER_THE_AGENT,
    AGENT_IN_DESCRIPTION,
    BY_DESCRIPTION,
    COMPUTED,
    FIRST_INVERSION,
    NATIVE_IN_DESCRIPTION,
    OTHER_KIND,
    SECOND_INVERSION,
    UNIFORM_IMAGE,
    Contrast,
)

AFTER_ANOTHER = "it follows a series after contrast agent, its header names none"
# Contrasts of what was planned on, or computed from, other series or acquired with them, and of T1.
NO_OTHERS = frozenset(
    {
        "t1", "t1ce", "localiser", "projection", "parameter map", "subtraction image", "phase image", "screenshot",
        "fat image", "opposed-phase image", "synthetic image",
    }
)  # fmt: skip
ONE_INVERSION = "its TR leaves time for two inversions, but no image of a second one is there"
AGENT_IN_ALL = "its header names a contrast agent, as all others do"


class Beside(NamedTuple):
    """What of a series counts for the others of its session.

    Attributes:
        agent: Whether it was acquired after contrast agent, by its header, or with it, as a perfusion.
        native: Whether its description says that it was acquired before.
        number: Its number at the scanner, by which series are in the order of their acquisition; NaN if unknown.
        derived: Whether it was computed from another series, as a reformatted one, whose number is another's.
        study: Its study, of which a session may have several; each counts its series anew.
    """

    agent: bool = False
    native: bool = False
    number: float = math.nan
    derived: bool = False
    study: str = ""


def settled(contrasts: Sequence[Contrast], beside: Sequence[Beside] = ()) -> list[Contrast]:
    """Return the contrasts of the series of one session, each seen beside the others.

    Many scanners do not record the contrast agent, and some record it for the whole examination. Of several T1 without
    one in their headers, those whose description names it, or whose number follows that of a series after contrast
    agent (as after a perfusion), are taken as acquired after it, in doubt; a single one stays a T1. Of several with
    one, those whose description says that there was none are taken as acquired before it.

    Args:
        contrasts: Of each series.
        beside: The same series; empty if nothing is known but their contrasts.
    """
    beside = beside or [Beside()] * len(contrasts)
    contrasts = _of_one_inversion(contrasts, beside)
    contrasts, beside = _before_all(contrasts, beside)
    contrasts = _after_another(contrasts, beside)
    agent = (AGENT_IN_DESCRIPTION, AFTER_ANOTHER)
    native = any(
        one.name == "t1" and one.doubt not in (*agent, COMPUTED, OTHER_KIND) and not other.derived
        for one, other in zip(contrasts, beside, strict=True)
    )
    after = any(one.name == "t1ce" and one.doubt not in (NATIVE_IN_DESCRIPTION, COMPUTED) for one in contrasts)
    known = []
    for one, other in zip(contrasts, beside, strict=True):
        if native and one.name == "t1" and one.doubt == AFTER_ANOTHER and not other.derived:
            why = f"{one.why}, after contrast agent by its number, beside a T1 before"
            known.append(Contrast("t1ce", why, AFTER_ANOTHER))
        elif native and one.name == "t1" and one.doubt == AGENT_IN_DESCRIPTION:
            why = f"{one.why}, contrast agent in its description, beside a T1 without"
            known.append(Contrast("t1ce", why, BY_DESCRIPTION))
        elif after and one.name == "t1ce" and one.doubt == NATIVE_IN_DESCRIPTION:
            why = f"{one.why}, but not by its description, beside a T1 after it"
            known.append(Contrast("t1", why, BY_DESCRIPTION))
        else:
            known.append(one)
    return known


def _of_one_inversion(contrasts: Sequence[Contrast], beside: Sequence[Beside]) -> Sequence[Contrast]:
    """Return the contrasts, with a first inversion image as a T1 where no other image of an MP2RAGE is there.

    It is an MPRAGE with a long TR, unless its description names another kind of image.
    """
    if any(one.name == SECOND_INVERSION or one.doubt == UNIFORM_IMAGE for one in contrasts):
        return contrasts
    return [
        Contrast("t1ce" if other.agent else "t1", one.why, one.doubt or ONE_INVERSION)
        if one.name == FIRST_INVERSION and one.doubt not in (COMPUTED, OTHER_KIND)
        else one
        for one, other in zip(contrasts, beside, strict=True)
    ]


def _before_all(contrasts: Sequence[Contrast], beside: Sequence[Beside]) -> tuple[Sequence[Contrast], Sequence[Beside]]:
    """Return both, with the first T1 as acquired before contrast agent where the headers of a study all name one.

    Some scanners write it into every header of an examination. Of two T1 with other contrasts between them, as in
    examinations of tumours, the first one was acquired before it, and so were these.
    """
    found, known = list(contrasts), list(beside)
    for study in {other.study for other in beside}:
        here = [place for place, other in enumerate(beside) if other.study == study and not other.derived]
        t1 = [place for place in here if found[place].name == "t1ce" and not found[place].doubt]
        others = [place for place in here if found[place].name not in NO_OTHERS]
        last = max((beside[place].number for place in t1), default=math.nan)
        between = max((n for place in others if (n := beside[place].number) < last), default=math.nan)
        first = [place for place in t1 if beside[place].number < between]
        if not first or not all(beside[place].agent for place in here):
            continue
        for place in first:
            found[place] = Contrast("t1", f"{found[place].why}, but before other contrasts", AGENT_IN_ALL)
        for place in here:
            if beside[place].number < last:
                known[place] = beside[place]._replace(agent=False)
                if found[place].doubt == AFTER_THE_AGENT:
                    found[place] = replace(found[place], doubt="")
    return found, known


def _after_another(contrasts: Sequence[Contrast], beside: Sequence[Beside]) -> list[Contrast]:
    """Return the contrasts, with a doubt about each T1 and FLAIR whose number follows that of one after contrast agent.

    Little of a T2 changes.
    """
    first: dict[str, float] = {}
    for one, other in zip(contrasts, beside, strict=True):
        given = other.agent or (one.name == "t1" and one.doubt == AGENT_IN_DESCRIPTION)
        if given and not other.native and not other.derived and not math.isnan(other.number):
            first[other.study] = min(other.number, first.get(other.study, math.inf))
    return [
        replace(one, doubt=AFTER_ANOTHER)
        if one.name in ("t1", "flair")
        and not one.doubt
        and not other.native
        and other.number > first.get(other.study, math.inf)
        else one
        for one, other in zip(contrasts, beside, strict=True)
    ]
