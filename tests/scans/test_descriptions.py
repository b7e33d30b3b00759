"""Words that descriptions name."""

import pytest

from brain_cae.scans.descriptions import hints_of, names_other_part


@pytest.mark.parametrize(
    ("text", "words"),
    [("t2_flair_tra_dark-fluid", ("flair", "t2")), ("AX T1 POST GAD", ("t1", "ce")), ("T1 MPR +C", ("t1", "ce")),
     ("T1 pre KM", ("t1", "native")), ("t1_ohne_km", ("t1", "native")), ("T1 post-op", ("t1",)),
     ("T1 nach KM", ("t1", "ce")), ("AX T1 PRE", ("t1", "native")), ("T1 pre-op", ("t1",)),
     ("t1 nativ", ("t1", "native")), ("AX T1 W/O", ("t1", "native")), ("T1 pre and post gad", ("t1", "ce")),
     ("t2*_fl2d", ("t2*",)), ("3D TOF head", ("angiogram",)), ("spine", ()), ("sag pd tse", ("pd",)), ("CT12", ()),
     ("T1 SUB", ("t1", "computed")), ("t1_subtraction", ("t1", "computed")), ("T1map", ("t1", "computed")),
     ("T1 Subtr.", ("t1", "computed")),
     ("AX MIP T1", ("t1", "computed")), ("Synthetic T2 FLAIR", ("flair", "t2", "computed")), ("sub-01_T1w", ("t1",)),
     ("T1W: MAGiC", ("t1", "computed")), ("localizer HASTE", ("other",)), ("t1_twist_DCE", ("t1", "other", "bolus")),
     ("3 Pl Loc", ("other",)), ("T2 difusión", ("t2", "other")),
     ("Perfusione T1", ("t1", "other", "bolus")), ("3D ASL perfusion", ("other",)), ("perf_pcasl", ("other",)),
     ("eASL perfusion", ("other",)), ("ep2d_ivim_perf", ("other",)), ("T1 for fMRI", ("t1",)),
     ("ep2d_perf", ("other", "bolus")), ("T1 dinamica", ("t1", "other")), ("Head_MRAC_UTE", ("other",)),
     ("T1 minute", ("t1",)),
     ("ASSET calibration", ("other",)), ("AX T2 ASSET", ("t2",)), ("FAT: Ax T1 FLEX", ("t1", "other")),
     ("t1_tse_dixon_tra_F", ("t1", "other")), ("t1_tse_dixon_tra_W", ("t1",)), ("t1_dixon_fs", ("t1",)),
     ("t1_vibe_dixon_opp", ("t1", "other")), ("OutPhase: Ax T1", ("t1", "other")),
     ("t1 fat sat", ("t1",)), ("3D_DIR", ("other",)),
     ("sT1W_3D_TFE", ("t1",)), ("sT2W_FLAIR", ("flair", "t2")),
     ("mp2rage_INV1", ("t1", "other")), ("mp2rage_UNI-DEN", ("t1", "uniform")), ("T1 unilateral", ("t1",)),
     ("SmartBrain", ("other",)), ("NOT DIAGNOSTIC: Ax T1", ("t1", "other")), ("T1 定位", ("t1", "other")),
     ("T1 SWI", ("t1", "t2*")), ("T2 hemo", ("t2", "t2*")), ("3D MRV", ("angiogram",)), ("DWI b0", ("other",)),
     ("T1 neuronavigation", ("t1",)), ("T1 planning", ("t1",)), ("T1 location", ("t1",)), ("T2 different", ("t2",)),
     ("sub 2 t1", ("t1",)), ("T1 subject", ("t1",)), ("T1 subcortical", ("t1",)), ("ADC", ("computed",))],
)  # fmt: skip
def test_a_description_becomes_words(text, words):
    assert hints_of(text) == words


@pytest.mark.parametrize(
    ("text", "named"),
    [("T1 MPRAGE con contraste", True), ("T1 dopo mdc", True), ("T1 Kontrastmittel", True),
     ("T1 APRES INJECTION", True), ("T1 POSTGD", True), ("AX T1 +GD", True), ("t1 IV+", True), ("Dotarem T1", True),
     ("T1 post", True), ("T1+", True), ("AX T1W (+)", True), ("T1 C/C", True), ("T1 pós", True), ("T1 con CIV", True),
     ("t1 Dotagraf", True), ("T1+T2 map", False), ("T1 post radiation", False), ("T1 post XRT", False),
     ("T1 pos-op", False), ("AX T1 POS", True), ("T1 head pos 1", False),
     ("t1_mpr_mKM", True), ("T1 n.KM", True), ("T1 po kontraście", True), ("T1 kontrasztos", True), ("T1 CMDC", True),
     ("T1 w/con", True), ("T1 enhanced", True), ("T1 Gadavist", True), ("AX T1 CC", True), ("T1 po k.l.", True),
     ("T1W 增强", True), ("T1 造影後", True), ("T1 조영", True), ("T1 контраст", True), ("T1 \u041a\u0423", True),
     ("t1_mpr_oKM", False), ("T1 o. Kontr.", False), ("T1 bez kontrastu", False), ("T1 uden kontrast", False),
     ("T1 kontrasts\u0131z", False), ("T1 prima del mdc", False), ("T1 antes del contraste", False),
     ("T1 s.m.d.c.", False),
     ("T1 noncon", False), ("T1 造影前", False), ("T1 до контраста", False), ("T1 control", False), ("T1 24 cm", False),
     ("T1 (AXI, Gray/White Contrast)", False), ("T1 high contrast", False),
     ("SAG T1 CC", False), ("T1 edge enhanced", False), ("3D phase contrast", False),
     ("T1 senza mdc", False), ("T1 sin contraste", False), ("T1 sans injection", False), ("T1 s/c", False),
     ("T1 brain injury", False), ("T1 posterior fossa", False), ("T1 post-op", False), ("T1 MPRAGE", False)],
)  # fmt: skip
def test_a_description_names_a_contrast_agent_in_many_languages(text, named):
    assert ("ce" in hints_of(text)) == named


@pytest.mark.parametrize(
    ("description", "part", "elsewhere"),
    [("T1 COR ORBITS FS", "BRAIN", True), ("T1 brain + orbits", "", False), ("AX T1", "ORBIT", False),
     ("T1 sella", "", True), ("T1 Hypophyse", "", True), ("T1 IAC", "HEAD", True),
     ("", "", False), ("t2_tse_tra", "BRAIN", False), ("T2 TSE tra LWS", "", True), ("t2_tse C-spine", "HEAD", True),
     ("AX T2", "LSPINE", True), ("T2 brain + C-spine", "SPINE", False), ("t1 knie", "", True), ("AX T2", "KNEE", True),
     ("T1 cervicale", "", True), ("T1 hippocampus", "", False), ("MPRAGE", "HEADNECK", False), ("sagittal", "", False),
     ("T2 Schädel", "NECK", False), ("t1_neuro", "CHEST", False), ("T2 spin echo", "", False), ("T1 hand", "", True),
     ("t1_spinecho_tra", "", False), ("T1 SPINE SE", "", True)],
)  # fmt: skip
def test_a_description_names_a_part_of_the_body_and_goes_before_the_code(description, part, elsewhere):
    assert names_other_part(description, part) == elsewhere


@pytest.mark.parametrize(
    "text",
    ["t1_mpr_oKM", "T1 bez KM", "T1 prima del mdc", "T1 s.m.d.c.", "T1 SC", "T1W -C", "T1 NC", "T1 noncon",
     "T1 nativní", "T1 blanco", "T1 平扫", "T1 単純", "T1 до контраста", "T1 wo"],
)  # fmt: skip
def test_a_description_says_that_there_is_no_contrast_agent(text):
    assert hints_of(text) == ("t1", "native")


@pytest.mark.parametrize("text", ["T1 C-spine", "T1-C", "T1 w/wo", "MPRAGE", "T1 prone"])
def test_a_description_may_say_nothing_of_a_contrast_agent(text):
    assert not {"ce", "native"} & {*hints_of(text)}
