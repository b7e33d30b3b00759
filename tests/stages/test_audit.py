"""What the audit is told of the classes, and of the strata."""

from dataclasses import replace

import pandas as pd

from brain_cae.scans.protocol import UNKNOWN
from brain_cae.scans.sources.brats import Brats
from brain_cae.scans.sources.combined import Combined
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.ixi import Ixi
from brain_cae.scans.sources.rsna_miccai import RsnaMiccai
from brain_cae.stages.audit import label_meaning, with_strata
from brain_cae.workflows.header_audit import DEFAULTS


def test_mgmt_is_no_diagnosis():
    read = label_meaning(RsnaMiccai("", healthy_value=0), DEFAULTS)
    assert read.controls is False and "MGMT_value 0" in read.healthy and "glioblastoma" in read.healthy
    assert label_meaning(RsnaMiccai(""), DEFAULTS).controls is None


def test_several_sources_mean_what_those_with_healthy_subjects_mean():
    ixi, brats = Ixi(""), Brats("")
    both = label_meaning(Combined({"a": ixi, "b": brats}), DEFAULTS)
    assert (both.healthy, both.abnormal, both.controls) == ("healthy volunteers", "patients with a glioma", True)
    assert label_meaning(Combined({"a": ixi, "b": RsnaMiccai("", healthy_value=0)}), DEFAULTS).controls is False
    assert label_meaning(Combined({"a": ixi, "b": Folder("")}), DEFAULTS).controls is None


def test_whoever_brings_data_may_say_what_healthy_means():
    told = label_meaning(Folder(""), replace(DEFAULTS, healthy_means="volunteers"))
    assert (told.healthy, told.controls) == ("volunteers", True)
    assert label_meaning(Ixi(""), replace(DEFAULTS, healthy_means="others")).healthy == "healthy volunteers"


def test_the_strata_may_be_a_column_of_the_index():
    subjects = pd.DataFrame({"protocol": ["p1", "p2"]}, index=["a", "b"])
    index = pd.DataFrame({"subject": ["a", "b"], "site": ["north", "south"]})
    nothing = pd.DataFrame(index=subjects.index)
    told, acquisition = with_strata(subjects, nothing, index, nothing, "site")
    assert told["site"].tolist() == ["north", "south"]
    assert UNKNOWN not in set(told["protocol"]) and acquisition.empty
