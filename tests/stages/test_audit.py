"""Input of the audit: the meaning of the classes, and the strata."""

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


def test_mgmt_is_not_a_diagnosis():
    meaning = label_meaning(RsnaMiccai("", healthy_value=0), DEFAULTS)
    assert meaning.controls is False and "MGMT_value 0" in meaning.healthy and "glioblastoma" in meaning.healthy
    assert label_meaning(RsnaMiccai(""), DEFAULTS).controls is None


def test_controls_of_a_combined_data_set_are_those_of_the_parts_with_healthy_subjects():
    ixi, brats = Ixi(""), Brats("")
    both = label_meaning(Combined({"a": ixi, "b": brats}), DEFAULTS)
    assert (both.healthy, both.abnormal, both.controls) == ("healthy volunteers", "patients with a glioma", True)
    assert label_meaning(Combined({"a": ixi, "b": RsnaMiccai("", healthy_value=0)}), DEFAULTS).controls is False
    assert label_meaning(Combined({"a": ixi, "b": Folder("")}), DEFAULTS).controls is None


def test_healthy_means_applies_only_to_sources_without_a_meaning():
    meaning = label_meaning(Folder(""), replace(DEFAULTS, healthy_means="volunteers"))
    assert (meaning.healthy, meaning.controls) == ("volunteers", True)
    assert label_meaning(Ixi(""), replace(DEFAULTS, healthy_means="others")).healthy == "healthy volunteers"


def test_strata_can_be_a_column_of_the_index():
    subjects = pd.DataFrame({"protocol": ["p1", "p2"]}, index=["a", "b"])
    index = pd.DataFrame({"subject": ["a", "b"], "site": ["north", "south"]})
    empty = pd.DataFrame(index=subjects.index)
    stratified, acquisition = with_strata(subjects, empty, index, empty, "site")
    assert stratified["site"].tolist() == ["north", "south"]
    assert UNKNOWN not in set(stratified["protocol"]) and acquisition.empty
