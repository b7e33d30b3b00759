"""Alignments are computed once for each pair of scans, and a pair that fails does not stop the others."""

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data import alignments
from brain_cae.data.alignments import AlignmentStore
from brain_cae.data.registration import Alignment
from brain_cae.errors import ScanError


def scans(folder, *subjects):
    rows = []
    for number, subject in enumerate(subjects):
        for modality in ("flair", "t1"):
            path = folder / f"{number}{modality}.nii"
            nibabel.save(nibabel.Nifti1Image(np.full((4, 4, 4), number, np.int16), np.eye(4)), path)
            rows.append({"subject": subject, "modality": modality, "path": str(path)})
    return pd.DataFrame(rows)


def test_a_pair_is_registered_once_and_a_failure_is_named(tmp_path, monkeypatch, caplog) -> None:
    calls = []

    def register(reference, scan):
        calls.append(int(reference.dataobj[0, 0, 0]))
        if calls[-1] == 1:
            raise ScanError("not aligned", expected="one head", found="two", where="?")
        return Alignment(np.eye(4).tolist(), 3.0, 1.0, 0.8, 0.9)

    monkeypatch.setattr(alignments, "align", register)
    index = scans(tmp_path, "a", "b", "c")
    store = AlignmentStore(tmp_path / "aligned", "flair")
    aligned, refused = store.load_all(index, progress=False)
    assert sorted(aligned) == ["a", "c"] and refused == {"b": "not aligned"}
    assert aligned["a"]["t1"].shift_mm == 3.0 and list(aligned["a"]) == ["t1"]
    assert "b is left out" in caplog.text and "subject b, t1" in caplog.text
    store.load_all(index, progress=False)
    assert calls == [0, 1, 2, 1]  # only the failure is tried again
    # Other reference, other pair.
    AlignmentStore(tmp_path / "aligned", "t1").load_all(index[index["subject"] == "a"], progress=False)
    assert calls[-1] == 0 and len(calls) == 5


@pytest.mark.parametrize("content", [b"", b"\0\0\0", b"{}"])
def test_a_stored_alignment_that_is_damaged_is_computed_again(tmp_path, monkeypatch, content) -> None:
    monkeypatch.setattr(alignments, "align", lambda *_: Alignment(np.eye(4).tolist(), 3.0, 1.0, 0.8, 0.9))
    store, index = AlignmentStore(tmp_path / "aligned", "flair"), scans(tmp_path, "a")
    store.load_all(index, progress=False)
    (stored,) = (tmp_path / "aligned").glob("*.json")
    stored.write_bytes(content)
    assert store.load_all(index, progress=False)[0]["a"]["t1"].shift_mm == 3.0
