"""What the audit is told of the classes, and of the strata."""

import pandas as pd

from brain_cae.configuration import CombinedDataset, FolderDataset, RsnaMiccaiDataset
from brain_cae.configuration.schema import BratsDataset, IxiDataset
from brain_cae.scans.protocol import UNKNOWN
from brain_cae.stages.audit import label_meaning, with_strata
from brain_cae.workflows.header_audit import DEFAULTS


def test_mgmt_is_no_diagnosis():
    read = label_meaning(RsnaMiccaiDataset("rsna_miccai", "", 0), DEFAULTS)
    assert read.controls is False and "MGMT_value 0" in read.healthy and "glioblastoma" in read.healthy
    assert label_meaning(RsnaMiccaiDataset("rsna_miccai", "", None), DEFAULTS).controls is None


def test_several_sources_mean_what_those_with_healthy_subjects_mean():
    ixi, brats = IxiDataset("ixi", "", None), BratsDataset("brats", "")
    both = label_meaning(CombinedDataset("combined", {"a": ixi, "b": brats}, []), DEFAULTS)
    assert (both.healthy, both.abnormal, both.controls) == ("healthy volunteers", "patients with a glioma", True)
    read = RsnaMiccaiDataset("rsna_miccai", "", 0)
    mixed = label_meaning(CombinedDataset("combined", {"a": ixi, "b": read}, []), DEFAULTS)
    assert mixed.controls is False
    own = label_meaning(
        CombinedDataset("combined", {"a": ixi, "b": FolderDataset("folder", "", None, None, "on")}, []),
        DEFAULTS,
    )
    assert own.controls is None


def test_the_strata_may_be_a_column_of_the_index():
    subjects = pd.DataFrame({"protocol": ["p1", "p2"]}, index=["a", "b"])
    index = pd.DataFrame({"subject": ["a", "b"], "site": ["north", "south"]})
    nothing = pd.DataFrame(index=subjects.index)
    told, acquisition = with_strata(subjects, nothing, index, nothing, "site")
    assert told["site"].tolist() == ["north", "south"]
    assert UNKNOWN not in set(told["protocol"]) and acquisition.empty
