import pandas as pd
import pytest

from brain_cae.files import provenance
from brain_cae.files.provenance import environment

SPLITS = pd.DataFrame({"subject": ["a", "b"], "role": ["train", "test"]})
INDEX = pd.DataFrame({"subject": ["a", "b"], "modality": ["t1", "t1"], "series_hash": ["1f", "2e"]})


def test_the_same_roles_and_scans_give_the_same_hashes():
    first, shuffled = environment(0, SPLITS, INDEX), environment(1, SPLITS, INDEX[::-1])
    assert first["data_hash"] == shuffled["data_hash"]
    assert first["split_hash"] == shuffled["split_hash"]
    other_roles = environment(0, SPLITS.assign(role="test"), INDEX)
    assert other_roles["split_hash"] != first["split_hash"]
    other_scans = environment(0, SPLITS, INDEX.assign(series_hash=["1f", "2f"]))
    assert other_scans["data_hash"] != first["data_hash"]


def test_the_versions_of_python_and_packages_are_recorded():
    versions = environment(0, SPLITS, INDEX)["versions"]
    assert {"python", "torch", "monai", "numpy"} <= set(versions)
    assert all(value != "unknown" for value in versions.values())


def test_outside_a_repository_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert environment(0, SPLITS, INDEX)["git"] is None
