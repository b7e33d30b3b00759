"""Input of the audit: the meaning of the classes, and the strata."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from brain_cae.audit import audit
from brain_cae.scans.linkage import DEFINING
from brain_cae.scans.protocol import POOLED, UNKNOWN, UNSEEN
from brain_cae.scans.sources.brats import Brats
from brain_cae.scans.sources.combined import Combined
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.ixi import Ixi
from brain_cae.scans.sources.rsna_miccai import RsnaMiccai
from brain_cae.stages.audit import label_meaning, with_header_warning, with_strata
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


@pytest.mark.parametrize(("named", "warned"), [(0, 1), (101, 0)])
def test_a_verdict_on_scans_whose_headers_name_no_scanner_is_no_proof(named, warned):
    rng = np.random.default_rng(0)
    names = [f"s{number}" for number in range(200)]
    labels = np.repeat(["healthy", "abnormal"], 100)
    subjects = pd.DataFrame({"label": labels, "protocol": UNKNOWN, "source": "folder"}, index=names)
    subjects["score"] = rng.normal(size=200) + 2 * (labels == "abnormal")
    subjects.loc[rng.permutation(names)[:named], "protocol"] = "Acme 3.0 T axial #1"
    acquisition = pd.DataFrame({"orientation": "axial", "t1_spacing_row_mm": 1.0}, index=names)
    noise = pd.DataFrame({"t1_noise": rng.normal(0.1, 0.01, 200)}, index=names)
    index = pd.DataFrame({"subject": names})
    subjects, acquisition = with_strata(subjects, acquisition, index, noise, "protocol")
    result = audit(subjects, acquisition=acquisition)
    assert result.verdict == "clear" and not result.warnings
    warnings = with_header_warning(result, subjects, "protocol").warnings
    assert len(warnings) == warned and all(f"{200 - named} of 200 subjects name no scanner" in one for one in warnings)
    assert not with_header_warning(result, subjects, "site").warnings
    undecided, decided = replace(result, verdict="cannot tell"), replace(result, verdict="confounded")
    assert len(with_header_warning(undecided, subjects, "protocol").warnings) == warned
    assert not with_header_warning(undecided, subjects.assign(label="healthy"), "protocol").warnings
    assert not with_header_warning(decided, subjects, "protocol").warnings


@pytest.mark.parametrize("name", [POOLED, UNSEEN])
def test_scanners_that_decide_the_label_are_not_one_protocol_for_being_rare_or_new(name):
    scanner = np.repeat(["A", "B", "C", "D"], 6)
    subjects = pd.DataFrame({"label": np.repeat(["healthy", "abnormal"], 12), "protocol": name, "source": "folder"})
    subjects["score"] = np.random.default_rng(0).normal(size=24) + np.repeat([0, 3], 12)
    acquisition = pd.DataFrame({"manufacturer": "Acme", "model": scanner, "field_strength_t": 3.0})
    acquisition = acquisition.assign(orientation="axial", **{f"t1_{parameter}": 3.0 for parameter in DEFINING})
    index = pd.DataFrame({"subject": subjects.index})
    empty = pd.DataFrame(index=subjects.index)
    subjects, acquisition = with_strata(subjects, acquisition, index, empty, "protocol")
    result = audit(subjects, acquisition=acquisition)
    assert result.verdict == "confounded"
    within = next(row for row in result.figures if "within" in str(row["keys"]))
    assert within["standing"] == "no evidence"
