"""Contrast of a series from the physics in its header: times, flip angle, kind of echo, inversion, contrast agent.

The limits are those of brain protocols between 0.2 and 7 T. Relaxation times give the reasons: an inversion pulse nulls
fluid (T1 about 4.3 s) after 1.3 to 3.2 s, fat after 0.08 to 0.3 s; a spin echo is T1-weighted only while TR is of the
order of the T1 of the brain (about 1 s), and T2-weighted only if TE is of the order of its T2 (about 0.1 s). Source of
the times: Stanisz et al., Magn. Reson. Med. 54 (2005) 507, https://doi.org/10.1002/mrm.20605.

Free text never gives a contrast: what the description of a series names (``hints``) only decides between two that the
physics leaves open, or raises a doubt.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from brain_cae.vocabulary import MODALITIES

UNKNOWN = "unknown"
# No brain contrast is acquired with times this short (ms), but time series and scouts are, some of many slices.
SCOUT_TR_MS, SCOUT_TE_MS = 5.0, 2.0
# Voxels of a scout are larger; T1 in 3D with as short times (VIBE, LAVA) are acquired to be looked at.
FINE_MM = 1.25
# Only a null of fluid needs both a very long TR and a long TE after an inversion.
LONG_TR_MS, LONG_TE_MS = 5500.0, 70.0
# Long echo trains in 3D reach as much with a shorter TR.
LONG_3D_TR_MS, LONG_3D_TE_MS = 4500.0, 200.0
# A 3D gradient echo acquires two images after one inversion (MP2RAGE) from this TR on, and one (MPRAGE) below.
TWO_INVERSIONS_TR_MS = 4000.0
FIRST_INVERSION, SECOND_INVERSION = "first inversion image", "second inversion image"


@dataclass(frozen=True)
class Physics:
    """What the header of one series says about its contrast; NaN and empty for what it does not say.

    Attributes:
        tr: Repetition time (ms).
        te: Echo time (ms), the effective one of an echo train.
        ti: Inversion time (ms).
        flip: Flip angle (degrees).
        codes: Values of ScanningSequence: SE, GR, IR, EP, RM.
        variants: Values of SequenceVariant: SK, MTC, SS, TRSS, SP, MP, OSP.
        three_d: Whether the acquisition is 3D.
        spacing: Distance of pixels (mm).
        inversions: Number of different inversion times.
        agent: Whether the header names a contrast agent.
        flow: Whether it names flow compensation, magnetisation transfer or angiography.
        kind: Kind of the image if it is not anatomical, see ``scans/kind.py``; or one of ``CONTENTS``.
        hints: Contrasts that the description names, in the words of ``HINTS``; ``native``: without contrast agent.
        elsewhere: Whether the header names another part of the body than the head.
    """

    tr: float = math.nan
    te: float = math.nan
    ti: float = math.nan
    flip: float = math.nan
    codes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    three_d: bool = False
    spacing: float = math.nan
    inversions: int = 0
    agent: bool = False
    flow: bool = False
    kind: str = ""
    hints: tuple[str, ...] = ()
    elsewhere: bool = False

    @property
    def inverts(self) -> bool:
        """Whether an inversion pulse prepares the contrast."""
        return "IR" in self.codes or self.ti > 0

    @property
    def gradient(self) -> bool:
        """Whether gradient echoes give the contrast; in a mixture with spin echoes (GRASE), these do.

        Without a code: no spin echo has a TR below 50 ms, a TE below 5 ms, or a flip angle below 40 degrees.
        """
        if "SE" in self.codes:
            return "GR" in self.codes and self.tr < 50
        return "GR" in self.codes or self.tr < 50 or self.te < 5 or (self.flip < 40 and self.te < 60)

    @property
    def hasty(self) -> bool:
        """Whether the times are those of a scout."""
        return self.tr < SCOUT_TR_MS and self.te < SCOUT_TE_MS

    @property
    def named_t1(self) -> bool:
        """Whether the description names a T1, and no scan to plan or calibrate others."""
        return "t1" in self.hints and "other" not in self.hints


@dataclass(frozen=True)
class Contrast:
    """What a series is taken for: a modality, another contrast, or ``unknown``; the reason, and a doubt if any."""

    name: str
    why: str
    doubt: str = ""


@dataclass(frozen=True)
class Rule:
    """One line of a table: the first line that holds gives the contrast."""

    name: str
    why: str
    holds: Callable[[Physics], bool]


UNIFORM = "uniform image"
# Values of ImageType, besides those of ``scans/kind.py``, for images that are not the magnitude of a brain's water.
CONTENTS = {
    "fat image": frozenset({"FAT", "F", "FAT IMAGE", "FAT FRAC"}),
    "opposed-phase image": frozenset({"OP", "OPP PHASE", "OUT PHASE", "OUT OF PHASE", "OPPOSED PHASE"}),
    "synthetic image": frozenset({"SYNTHETIC"}),
    "susceptibility image": frozenset({"SWI", "SWAN", "VENBOLD", "SWI COMBINED"}),
    UNIFORM: frozenset({"UNI", "UNI IMAGE", "UNI-DEN", "UNI DEN"}),
    "stir": frozenset({"STIR"}),
    "angiogram": frozenset({"TOF", "ANGIO", "MRA", "PCA", "FLOW"}),
}


def content_of(image_type: Sequence[str]) -> str:
    """Return what an image shows by its ImageType, a key of ``CONTENTS``; ``""`` if it is an ordinary one."""
    values = {" ".join(value.upper().replace("_", " ").split()) for value in image_type[2:]}
    return next((name for name, known in CONTENTS.items() if not known.isdisjoint(values)), "")


# ---- the tables, from the header to the contrast -------------------------------------------------------------------

SPIN_ECHO_INVERTED = (
    Rule("dir", "two inversion times", lambda p: p.inversions > 1),
    Rule("dir", "TI for two inversions at this TR", lambda p: p.ti >= 2900 and p.tr < 9000),
    # At low fields, where the T1 of tissue is short, TI is as well; that of fat is shorter still.
    Rule("t1", "inversion with short TE", lambda p: 280 <= p.ti < 1300 and p.tr >= 700 and p.te <= 45),
    Rule("t1", "inversion of a T1 FLAIR", lambda p: 500 <= p.ti < 1300 and p.tr >= 1000 and p.te <= 60),
    Rule("stir", "the inversion nulls fat", lambda p: 60 <= p.ti <= 300 and p.tr >= 1000),
    Rule(
        "flair", "the inversion nulls fluid, long TE",
        lambda p: 1100 <= p.ti <= 3300 and p.tr >= 3500 and p.te >= 60,
    ),
)  # fmt: skip
SPIN_ECHO = (
    Rule("t1", "spin echo with short TR and TE", lambda p: 200 <= p.tr <= 1200 and p.te <= 35),
    Rule("myelogram", "only fluid is left at this TE", lambda p: p.te > 700),
    Rule("t2", "spin echo with long TR and TE", lambda p: p.tr >= 1300 and p.te >= 65),
    Rule("pd", "spin echo with long TR and short TE", lambda p: p.tr >= 2200 and p.te <= 45),
)
GRADIENT_ECHO_INVERTED = (
    Rule(SECOND_INVERSION, "gradient echo after the brain has recovered", lambda p: p.ti >= 1700),
    Rule("inverted t1", "the inversion nulls white matter", lambda p: p.ti < 550 and p.tr >= 2500),
    Rule(FIRST_INVERSION, "TR leaves time for two inversion times", lambda p: p.tr >= TWO_INVERSIONS_TR_MS),
    Rule("t1", "inversion-prepared gradient echo with short TE", lambda p: p.te <= 12),
)
GRADIENT_ECHO = (
    Rule(
        "localiser", "times of a fast scout",
        lambda p: p.hasty and not (p.three_d and (p.spacing <= FINE_MM or p.named_t1)),
    ),
    Rule(
        "t2*", "gradient echo with long TE",
        lambda p: p.te >= 12 and (p.flip <= 45 or math.isnan(p.flip)) and p.tr >= 15,
    ),
    Rule("balanced", "balanced steady state", lambda p: p.tr <= 15 and p.flip >= 35 and p.te >= 0.25 * p.tr),
    Rule(
        "t1", "spoiled gradient echo with short TR and TE",
        lambda p: p.tr < 15 and p.te <= 8 and (p.flip >= 4 or (math.isnan(p.flip) and "SP" in p.variants)),
    ),
    Rule(
        "t1", "gradient echo in 3D whose TR leaves time for an inversion",
        lambda p: p.three_d and 1200 <= p.tr < TWO_INVERSIONS_TR_MS and p.te <= 12 and not p.flip > 20,
    ),
    Rule(
        "angiogram", "gradient echo of a time-of-flight angiogram",
        lambda p: p.tr <= 60 and p.te <= 8 and 8 <= p.flip <= 30 and p.flow,
    ),
    Rule("t1", "spoiled gradient echo with a large flip angle", lambda p: p.tr <= 60 and p.te <= 11 and p.flip >= 24),
    # At low fields T2* is long, and readout slow.
    Rule("t1", "spoiled gradient echo with a large flip angle", lambda p: p.tr <= 60 and p.te <= 18 and p.flip > 45),
    Rule("t1", "gradient echo with a large flip angle", lambda p: 60 < p.tr <= 400 and p.te <= 12 and p.flip >= 50),
)  # fmt: skip
# Two contrasts that the times leave open: the description may decide.
OPEN = (
    (
        ("t1", "angiogram"), "gradient echo of a T1 or an angiogram",
        lambda p: p.gradient and not p.inverts and 15 <= p.tr <= 60 and p.te <= 8 and 12 <= p.flip < 24,
    ),
    (
        ("t1", "angiogram"), "gradient echo of unknown flip angle",
        lambda p: p.gradient and p.tr <= 60 and p.te <= 8 and math.isnan(p.flip),
    ),
    (
        ("t1", "pd"), "spin echo between T1 and PD",
        lambda p: not p.gradient and not p.inverts and 1200 < p.tr < 2200 and p.te <= 45,
    ),
    (
        ("t2", "pd"), "spin echo between PD and T2",
        lambda p: not p.gradient and not p.inverts and p.tr >= 1500 and 45 < p.te < 65,
    ),
)  # fmt: skip
AFTER_AGENT = {"t1": "t1ce"}
OTHER_PART = "its header names another part of the body"
NATIVE_IN_DESCRIPTION = "its header names a contrast agent, its description none"
MAY_BE_INVERTED = "it may be a FLAIR, of which codes and TI are missing"
COMPUTED = "its description names a computed image"
OTHER_KIND = "its description names another kind of image"
AFTER_THE_AGENT = "after contrast agent"
REMARKS = {"ce", "native", "computed", "other", "bolus", "uniform"}
AGENT_IN_DESCRIPTION = "its description names a contrast agent, its header none"
BY_DESCRIPTION = "decided by its description"
UNIFORM_IMAGE = "the uniform image of an MP2RAGE, whose background may be noise"
SCOUT = "its times are those of a scout"


def contrast_of(physics: Physics) -> Contrast:
    """Return the contrast of a series, why, and what speaks against it.

    A name outside of :data:`brain_cae.vocabulary.MODALITIES` is not used; ``unknown`` is what the header leaves open.
    """
    named = not physics.kind and physics.tr >= TWO_INVERSIONS_TR_MS and physics.gradient
    if physics.kind == UNIFORM or (named and "uniform" in physics.hints):
        return _with_agent(physics, "t1", "ImageType, or description, of an MP2RAGE", UNIFORM_IMAGE)
    if physics.kind:
        return Contrast(physics.kind, "according to ImageType or another element of its header")
    if "EP" in physics.codes:
        return Contrast("echo-planar image", "echo-planar: diffusion, function or perfusion")
    times = _times(physics)
    absent = [name for name, value in (("TR", physics.tr), ("TE", physics.te)) if math.isnan(value)]
    if absent:
        return Contrast(UNKNOWN, f"{' and '.join(absent)} missing" + (f" ({times})" if times else ""))
    if "IR" in physics.codes and math.isnan(physics.ti) and not physics.gradient:
        return _without_inversion_time(physics, times)
    rule = next((rule for rule in _table(physics) if rule.holds(physics)), None)
    if rule is None:
        return _open(physics, times)
    sure = physics.named_t1 and physics.spacing <= FINE_MM
    doubt = SCOUT if physics.hasty and rule.name == "t1" and not sure else ""
    return _with_agent(physics, rule.name, f"{rule.why} ({times})", doubt)


def _table(physics: Physics) -> tuple[Rule, ...]:
    if physics.gradient:
        # With TR per echo (GE, Philips), TI is written in several ways and says little.
        return GRADIENT_ECHO_INVERTED if physics.inverts and physics.tr >= 200 else GRADIENT_ECHO
    if physics.inverts:
        return SPIN_ECHO_INVERTED
    return SPIN_ECHO


def _with_agent(physics: Physics, name: str, why: str, doubt: str = "") -> Contrast:
    """Return a contrast, after contrast agent if the header names one; ``doubt`` is what else is against it."""
    if physics.agent and name in AFTER_AGENT:
        name, why = AFTER_AGENT[name], f"{why}, contrast agent"
    return Contrast(name, why, _doubt(physics, name) or doubt)


def _without_inversion_time(physics: Physics, times: str) -> Contrast:
    long = physics.tr >= LONG_TR_MS and physics.te >= LONG_TE_MS
    if long or (physics.three_d and physics.tr >= LONG_3D_TR_MS and physics.te >= LONG_3D_TE_MS):
        return _with_agent(physics, "flair", f"inversion, long TR and TE ({times})", "TI is missing")
    name = "t1" if physics.te <= 45 else "flair" if physics.tr >= 3500 and physics.te >= 60 else ""
    if name in physics.hints:
        return _with_agent(physics, name, f"inversion; the description decides ({times})", "TI is missing")
    return Contrast(UNKNOWN, f"inversion, but TI missing ({times})")


def _open(physics: Physics, times: str) -> Contrast:
    for names, why, holds in OPEN:
        if holds(physics):
            named = [name for name in names if name in physics.hints]
            if len(named) == 1:
                return _with_agent(physics, named[0], f"{why}; the description decides ({times})", BY_DESCRIPTION)
            return Contrast(UNKNOWN, f"{why} ({times})")
    return Contrast(UNKNOWN, f"no rule for these times ({times})")


def _doubt(physics: Physics, name: str) -> str:
    """Return what the header says against a contrast; its description names several in "T1 and T2 after contrast"."""
    if name not in (*MODALITIES, FIRST_INVERSION):
        return ""
    if physics.elsewhere:
        return OTHER_PART
    if "computed" in physics.hints:
        return COMPUTED
    if "other" in physics.hints:
        return OTHER_KIND
    if name in ("t2", "flair") and physics.agent:
        return AFTER_THE_AGENT
    weighting = "t1" if name in ("t1ce", FIRST_INVERSION) else name
    # "T2 FLAIR" and "T1 FLAIR" name the weighting and the preparation.
    accepted = {"flair": {"flair", "t2"}, "t1": {"t1", "flair"}}.get(weighting, {weighting})
    named = set(physics.hints) - REMARKS
    if name == "t2" and "flair" in named:
        return "its description names flair"  # its inversion time may be lost
    if named and not named & accepted:
        return f"its description names {' and '.join(sorted(named))}"
    if name == "t1ce" and "native" in physics.hints:
        return NATIVE_IN_DESCRIPTION
    if name == "t2" and not physics.codes and physics.tr >= LONG_TR_MS and physics.te >= LONG_TE_MS:
        return MAY_BE_INVERTED
    return AGENT_IN_DESCRIPTION if name != "t1ce" and "ce" in physics.hints else ""


def _times(physics: Physics) -> str:
    values = {"TR": physics.tr, "TE": physics.te, "TI": physics.ti, "flip": physics.flip}
    codes = "\\".join(physics.codes)
    dimension = "3D" if physics.three_d else ""
    shown = [f"{name} {round(value, 2):g}" for name, value in values.items() if not math.isnan(value)]
    return ", ".join([*(part for part in (codes, dimension) if part), *shown])
