"""Nothing is promised where nothing shows that the calibration brains were scanned there."""

from types import SimpleNamespace

import pandas as pd
import pytest

from brain_cae.configuration import dataset_option
from brain_cae.detector.detector import Detector
from brain_cae.scans.protocol import UNKNOWN, UNSEEN
from brain_cae.stages.coverage import coverage, scanner_reasons, trusted


def reasons(protocol, site="", *, known=("A #1",), sites=("",), trust=False):
    protocols, of_site = pd.Series([protocol], index=["x"]), pd.Series([site], index=["x"])
    return scanner_reasons(protocols, of_site, known_protocols=known, known_sites=sites, trusted=trust)["x"]


@pytest.mark.parametrize(
    ("arguments", "settings", "reason"),
    [
        (("A #1",), {}, ""),
        ((UNSEEN,), {}, "protocol"),
        (("B #1",), {"trust": True}, "protocol"),
        ((UNKNOWN,), {"known": [UNKNOWN]}, "scanner not named"),
        ((UNKNOWN,), {"known": [UNKNOWN], "trust": True}, ""),
        ((UNKNOWN,), {"trust": True}, "scanner not named"),
        (("A #1", "Leeds"), {"sites": ["Leeds", "York"]}, ""),
        (("A #1", "Bonn"), {"sites": ["Leeds", "York"]}, "site"),
        (("A #1", "Bonn"), {"sites": ["", "York"]}, ""),
        (("A #1", ""), {"sites": ["York"]}, ""),
        (("A #1", "Bonn"), {"sites": []}, ""),
        ((UNSEEN, "Bonn"), {"sites": ["York"]}, "protocol; site"),
    ],
)
def test_protocol_site_and_unnamed_scanners_are_compared_where_they_are_recorded(arguments, settings, reason):
    assert reasons(*arguments, **settings) == reason


def test_unnamed_scanners_are_trusted_in_the_data_set_of_the_run_or_with_local_brains(tmp_path):
    run, other = (dataset_option("folder", root=str(tmp_path / name)) for name in ("run", "other"))
    again = dataset_option("folder", root=f"{tmp_path}/other/../run")
    assert trusted(run, run, local=False) and trusted(again, run, local=False)
    assert not trusted(other, run, local=False) and trusted(other, run, local=True)
    both = SimpleNamespace(name="combined", parts={"a": run, "b": other})
    assert trusted(other, both, local=False) and not trusted(both, run, local=False)
    assert not trusted(run, dataset_option("phantom"), local=False)


def test_dimensions_and_skull_state_are_further_reasons():
    names = ["a", "b", "c"]
    cohort = SimpleNamespace(
        acquisition=pd.DataFrame(index=names), sites=pd.Series("", index=names), dataset=None,
        skull=pd.Series({"a": "stripped", "b": "on", "c": "on"}),
    )  # fmt: skip
    protocols = SimpleNamespace(assign=lambda table: pd.Series(["A", "A", UNSEEN], index=table.index))
    config = SimpleNamespace(dataset=None)
    detector = Detector(config, None, None, {}, protocols, ["A"], skull=["stripped"])
    table = coverage(detector, cohort, pd.Series({"a": True, "b": False, "c": False}))
    assert table["reason"].tolist() == ["", "dimensions; skull state", "protocol; dimensions; skull state"]
    assert table["protocol"].tolist() == ["A", "A", UNSEEN]
