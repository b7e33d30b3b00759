"""Protocols as published or exported by three vendors, and what an experienced reader would call them."""

import math
from dataclasses import replace

import pytest

from brain_cae.scans.contrast_rules import (
    BY_DESCRIPTION,
    OTHER_KIND,
    SCOUT,
    UNIFORM_IMAGE,
    UNKNOWN,
    Physics,
    content_of,
    contrast_of,
)

SE, GR, SEIR, GRIR = ("SE",), ("GR",), ("SE", "IR"), ("GR", "IR")
N = math.nan
# (name, contrast, codes, TR, TE, TI, flip, further values of Physics)
PROTOCOLS = [
    ("Siemens MPRAGE 3 T (ADNI)", "t1", GRIR, 2300, 2.98, 900, 9, {"three_d": True}),
    ("Siemens MPRAGE 1.5 T", "t1", GRIR, 1900, 3.1, 1100, 15, {"three_d": True}),
    ("Siemens MEMPRAGE 3 T", "t1", GRIR, 2530, 1.66, 1100, 7, {"three_d": True}),
    ("OASIS MPRAGE, TR of one echo", "t1", GRIR, 9.7, 4.0, 20, 10, {"three_d": True}),
    ("GE BRAVO 3 T", "t1", GR, 8.2, 3.2, 450, 12, {"three_d": True, "variants": ("SS", "SP")}),
    ("GE IR-FSPGR 1.5 T", "t1", ("RM",), 10.2, 4.2, 450, 15, {"three_d": True}),
    ("GE SPGR 1.5 T", "t1", GR, 35, 5, N, 45, {"three_d": True}),
    ("Siemens FLASH 3D", "t1", GR, 20, 4.6, N, 25, {"three_d": True}),
    ("Philips 3D T1 TFE 3 T", "t1", GR, 8.1, 3.7, N, 8, {"three_d": True}),
    ("Philips IXI T1 1.5 T", "t1", GR, 9.6, 4.6, N, 8, {"three_d": True}),
    ("Siemens T1 SE 1.5 T", "t1", SE, 500, 12, N, 90, {}),
    ("Siemens T1 TSE dark blood 3 T", "t1", SE, 700, 12, N, 120, {}),
    ("Siemens T1 FLASH 2D 3 T", "t1", GR, 250, 2.5, N, 70, {}),
    ("Siemens T1 SPACE 3 T", "t1", SE, 700, 11, N, 120, {"three_d": True}),
    ("GE T1 FLAIR 3 T", "t1", SEIR, 2500, 24, 860, 111, {}),
    ("Siemens T1 TIRM 3 T", "t1", SEIR, 2000, 9, 860, 150, {}),
    ("Philips T1 IR-TSE 3 T", "t1", ("IR",), 2000, 20, 800, 90, {}),
    ("Hyperfine T1 0.064 T", "t1", SEIR, 1500, 6.3, 300, 90, {"three_d": True}),
    ("Hyperfine T2 0.064 T", "t2", SE, 2000, 209, N, 90, {"three_d": True}),
    ("Hyperfine FLAIR 0.064 T", "flair", SEIR, 4000, 228, 1387, 90, {"three_d": True}),
    ("low-field T1 SE 0.35 T", "t1", SE, 450, 17, N, 90, {}),
    ("Siemens MPRAGE after gadolinium", "t1ce", GRIR, 2300, 2.98, 900, 9, {"agent": True}),
    ("GE T1 SE after gadolinium", "t1ce", SE, 550, 10, N, 90, {"agent": True}),
    ("Siemens T2 TSE 3 T", "t2", SE, 5000, 93, N, 150, {}),
    ("Siemens T2 TSE 1.5 T, many slices", "t2", SE, 11730, 91, N, 120, {}),
    ("GE T2 FRFSE 3 T", "t2", SE, 4000, 102, N, 111, {}),
    ("GE T2 PROPELLER", "t2", ("RM",), 5500, 110, N, 142, {}),
    ("Philips T2 TSE 3 T", "t2", SE, 3000, 80, N, 90, {}),
    ("Philips IXI T2 1.5 T", "t2", SE, 8178, 100, N, 90, {}),
    ("Siemens T2 SPACE 3 T", "t2", SE, 3200, 408, N, 120, {"three_d": True}),
    ("Philips T2 VISTA 3 T", "t2", SE, 2500, 257, N, 90, {"three_d": True}),
    ("HCP T2 SPACE, TE 565", "t2", SE, 3200, 565, N, 120, {"three_d": True}),
    ("Siemens FLAIR 3 T", "flair", SEIR, 9000, 81, 2500, 150, {}),
    ("Siemens FLAIR 1.5 T", "flair", SEIR, 8500, 112, 2500, 150, {}),
    ("GE FLAIR 1.5 T", "flair", SEIR, 8002, 120, 2000, 90, {}),
    ("GE CUBE FLAIR 3 T", "flair", SEIR, 6002, 119, 1730, 90, {"three_d": True}),
    ("GE FLAIR 1996, no TI", "flair", ("RM", "SE", "IR"), 10002, 159.5, N, 90, {}),
    ("Philips FLAIR 3 T", "flair", ("IR",), 11000, 125, 2800, 90, {}),
    ("Siemens SPACE FLAIR 3 T", "flair", SEIR, 5000, 387, 1800, 120, {"three_d": True}),
    ("Philips VISTA FLAIR 3 T", "flair", ("IR",), 4800, 340, 1650, 90, {"three_d": True}),
    ("Siemens SPACE FLAIR 7 T", "flair", SEIR, 8000, 270, 2250, 120, {"three_d": True}),
    ("Hyperfine T1 0.064 T, fast", "t1", SEIR, 880, 5.4, 354, 90, {"three_d": True}),
    ("Hyperfine FLAIR 0.064 T, fast", "flair", SEIR, 3500, 180, 1273, 90, {"three_d": True}),
    ("Siemens SPACE FLAIR, no TI", "flair", SEIR, 5000, 388, N, 120, {"three_d": True}),
    ("T1 FLAIR, no TI, by its description", "t1", SEIR, 2000, 20, N, 120, {"hints": ("t1", "flair")}),
    ("FLAIR, no TI, by its description", "flair", SEIR, 4500, 100, N, 120, {"hints": ("flair",)}),
    ("T1 PROPELLER, by its description", "t1", ("RM",), 1700, 23, N, 110, {"hints": ("t1",)}),
    ("GE T1 FLAIR PROPELLER", "t1", ("RM",), 2500, 48, 860, 110, {}),
    ("Philips T2 GraSE", "t2", ("SE", "GR"), 3000, 85, N, 90, {}),
    ("Esaote T1 3D 0.25 T", "t1", GR, 35, 16, N, 65, {"three_d": True}),
    ("GE LAVA", "t1", GR, 4.6, 1.8, N, 12, {"three_d": True, "spacing": 0.94}),
    ("Siemens VIBE for attenuation", "localiser", GR, 3.6, 1.23, N, 10, {"three_d": True, "spacing": 2.6}),
    ("MPRAGE without codes and TI", "t1", (), 2300, 2.98, N, 9, {"three_d": True}),
    ("MPRAGE whose TI is missing", "t1", GR, 2300, 2.98, N, 9, {"three_d": True}),
    ("T2* FLASH without codes", "t2*", (), 700, 25, N, 20, {}),
    ("GE FSPGR without flip angle", "t1", GR, 8.2, 3.2, N, N, {"three_d": True, "variants": ("SP",)}),
    ("gradient echo without flip angle", UNKNOWN, GR, 8.2, 3.2, N, N, {"three_d": True}),
    ("MP2RAGE, first inversion", "first inversion image", GRIR, 5000, 2.98, 700, 4, {"three_d": True}),
    ("Siemens STIR", "stir", SEIR, 4000, 60, 160, 150, {}),
    ("Siemens STIR 3 T, short TE", "stir", SEIR, 3500, 14, 250, 150, {}),
    ("GE STIR 3 T", "stir", SEIR, 5000, 68, 220, 111, {}),
    ("Siemens DIR SPACE", "dir", SEIR, 7500, 319, 3000, 120, {"three_d": True}),
    ("Philips DIR, two TI", "dir", ("IR",), 5500, 252, 2550, 90, {"three_d": True, "inversions": 2}),
    ("Siemens PD TSE", "pd", SE, 3000, 14, N, 150, {}),
    ("GE PD 1.5 T", "pd", SE, 2300, 22, N, 90, {}),
    ("Siemens SWI 3 T", "t2*", GR, 28, 20, N, 15, {"three_d": True, "flow": True}),
    ("Siemens SWI 1.5 T", "t2*", GR, 49, 40, N, 15, {"three_d": True, "flow": True}),
    ("Siemens T2* FLASH 2D", "t2*", GR, 700, 25, N, 20, {}),
    ("GE MERGE", "t2*", GR, 600, 15, N, 20, {}),
    ("Siemens TOF 3 T", "angiogram", GR, 21, 3.4, N, 18, {"three_d": True, "flow": True}),
    ("GE TOF 1.5 T", "angiogram", GR, 25, 6.9, N, 20, {"three_d": True, "flow": True}),
    ("Siemens CISS", "balanced", GR, 5.9, 2.6, N, 50, {"three_d": True, "variants": ("SS",)}),
    ("GE FIESTA", "balanced", GR, 5.2, 1.8, N, 60, {"three_d": True}),
    ("Siemens scout", "localiser", GR, 3.15, 1.37, N, 8, {"three_d": True}),
    ("Siemens EPI", "echo-planar image", ("EP", "GR"), 2000, 30, N, 90, {}),
    ("Siemens diffusion", "echo-planar image", ("EP", "SE"), 8000, 90, N, 90, {}),
    ("MP2RAGE, second inversion", "second inversion image", GRIR, 5000, 2.98, 2500, 5, {"three_d": True}),
    ("FGATIR", "inverted t1", GRIR, 3000, 4.4, 409, 6, {"three_d": True}),
    ("Siemens field map", UNKNOWN, GR, 488, 7.38, N, 60, {}),
    ("times removed", UNKNOWN, SE, N, N, N, N, {}),
    ("TE removed", UNKNOWN, SE, 5000, N, N, 90, {}),
    ("inversion without TI, short TE", UNKNOWN, SEIR, 2500, 20, N, 90, {}),
    ("T1 FLASH or TOF without a sign", UNKNOWN, GR, 22, 4.9, N, 20, {"three_d": True}),
    ("ADC by ImageType", "diffusion image", SE, 5000, 90, N, 90, {"kind": "diffusion image"}),
]


@pytest.mark.parametrize(
    ("expected", "codes", "tr", "te", "ti", "flip", "more"), [p[1:] for p in PROTOCOLS], ids=[p[0] for p in PROTOCOLS]
)
def test_a_protocol_is_recognised_by_its_physics(expected, codes, tr, te, ti, flip, more):
    contrast = contrast_of(Physics(tr=tr, te=te, ti=ti, flip=flip, codes=codes, **more))
    assert contrast.name == expected, contrast
    assert contrast.why


@pytest.mark.parametrize("hints", [("t2",), ("flair",), ("t1", "ce"), ("angiogram",)])
def test_a_description_never_changes_what_the_physics_says(hints):
    physics = {"tr": 500.0, "te": 12.0, "flip": 90.0, "codes": SE}
    assert contrast_of(Physics(**physics, hints=hints)).name == "t1"
    assert bool(contrast_of(Physics(**physics, hints=hints)).doubt) == (hints != ("flair",))  # T1 FLAIR is a T1
    assert contrast_of(Physics(**physics, hints=("t1",))).doubt == ""


def test_a_description_decides_what_the_physics_leaves_open():
    open_times = {"tr": 22.0, "te": 4.9, "flip": 20.0, "codes": GR, "three_d": True}
    assert contrast_of(Physics(**open_times, hints=("t1",))).name == "t1"
    assert contrast_of(Physics(**open_times, hints=("t1",))).doubt
    assert contrast_of(Physics(**open_times, hints=("t1",), agent=True)).name == "t1ce"
    assert contrast_of(Physics(**open_times, hints=("t2",))).name == UNKNOWN
    assert contrast_of(Physics(**open_times, hints=("t1", "angiogram"))).name == UNKNOWN


def test_a_contrast_agent_makes_a_t1_another_contrast_and_others_doubtful():
    flair = Physics(tr=9000, te=90, ti=2500, flip=150, codes=SEIR, agent=True)
    assert (contrast_of(flair).name, contrast_of(flair).doubt) == ("flair", "after contrast agent")


def test_another_part_of_the_body_is_a_doubt():
    spine = Physics(tr=5000, te=95, flip=150, codes=SE, hints=("t2",), elsewhere=True)
    assert contrast_of(spine).name == "t2" and "another part of the body" in contrast_of(spine).doubt


def test_without_codes_the_times_decide():
    assert contrast_of(Physics(tr=8, te=3.5, flip=10)).name == "t1"
    assert contrast_of(Physics(tr=5000, te=95)).name == "t2"
    assert contrast_of(Physics(tr=9000, te=95, ti=2500)).name == "flair"


def test_a_flair_that_lost_its_inversion_time_is_a_t2_in_doubt():
    physics = Physics(tr=9000, te=120, flip=90, codes=SE, hints=("flair", "t2"))
    assert contrast_of(physics).name == "t2" and "flair" in contrast_of(physics).doubt


def test_another_kind_of_image_is_a_doubt():
    assert contrast_of(Physics(tr=500, te=12, codes=SE, hints=("t1", "other"))).doubt == OTHER_KIND


def test_a_t2_whose_codes_are_missing_may_be_a_flair():
    times = {"tr": 9000, "te": 120, "flip": 150}
    assert contrast_of(Physics(**times)).doubt == "it may be a FLAIR, of which codes and TI are missing"
    assert contrast_of(Physics(**times, codes=("SE",))).doubt == ""
    assert contrast_of(Physics(**(times | {"tr": 4000}))).doubt == ""
    assert contrast_of(Physics(**times, ti=2500)).name == "flair"


def test_of_an_mp2rage_the_uniform_image_is_the_t1():
    uniform = Physics(tr=5000, te=2.98, flip=4, codes=GRIR, kind=content_of(["DERIVED", "PRIMARY", "M", "ND", "UNI"]))
    assert (contrast_of(uniform).name, contrast_of(uniform).doubt) == ("t1", UNIFORM_IMAGE)
    assert contrast_of(replace(uniform, kind="", hints=("t1", "uniform"))).doubt == UNIFORM_IMAGE
    assert contrast_of(Physics(tr=5000, te=95, codes=SE, hints=("uniform",))).name == "t2"
    after = contrast_of(replace(uniform, agent=True))
    assert (after.name, after.doubt) == ("t1ce", UNIFORM_IMAGE)
    assert "another part of the body" in contrast_of(replace(uniform, elsewhere=True)).doubt


def test_a_fine_3d_image_with_the_times_of_a_scout_is_a_t1_in_doubt_unless_its_description_says_so():
    vibe = Physics(tr=4.1, te=1.5, flip=10, codes=GR, three_d=True, spacing=0.9)
    assert (contrast_of(vibe).name, contrast_of(vibe).doubt) == ("t1", SCOUT)
    assert contrast_of(replace(vibe, hints=("t1",))).doubt == ""
    assert contrast_of(replace(vibe, agent=True)).name == "t1ce"
    assert contrast_of(replace(vibe, three_d=False)).name == "localiser"
    # Of coarser pixels the description tells, in doubt.
    coarse = replace(vibe, spacing=1.4)
    assert contrast_of(coarse).name == "localiser"
    named = contrast_of(replace(coarse, hints=("t1",)))
    assert (named.name, named.doubt) == ("t1", SCOUT)
    assert contrast_of(replace(coarse, hints=("t1", "other"))).name == "localiser"


def test_without_a_flip_angle_the_description_decides():
    t1 = contrast_of(Physics(tr=8.2, te=3.2, codes=GR, three_d=True, hints=("t1",)))
    assert (t1.name, t1.doubt) == ("t1", BY_DESCRIPTION)
