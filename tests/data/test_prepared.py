"""Prepared subjects are computed once, and recomputed when anything that they depend on has changed."""

import nibabel
import numpy as np
import pandas as pd

from brain_cae.data import preprocess
from brain_cae.data.prepared import PreparedStore

from .test_preprocess import rows, write


def store(folder, **changes):
    settings = {"modalities": ["flair"], "reference": "flair", "scaling": "median"}
    return PreparedStore(folder, **{**settings, **changes})


def test_the_key_depends_on_content_settings_and_code_version(tmp_path, monkeypatch):
    table = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    keys = {store(tmp_path).key(table), store(tmp_path, scaling="white_matter").key(table)}
    keys.add(store(tmp_path).key(table.assign(series_hash="other")))
    monkeypatch.setattr(preprocess, "VERSION", preprocess.VERSION + 1)
    keys.add(store(tmp_path).key(table))
    assert len(keys) == 4


def test_a_subject_loaded_from_the_store_is_the_same(tmp_path):
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    first = store(tmp_path / "store").load_all(rows(flair=path), {}, progress=False)[0]["s"]
    path.unlink()
    second = store(tmp_path / "store").load_all(rows(flair=path), {}, progress=False)[0]["s"]
    assert np.array_equal(first.volume, second.volume)
    assert first.source_shape == second.source_shape
    assert not list((tmp_path / "store").glob("*.part*"))


def test_one_bad_subject_does_not_stop_the_others(tmp_path):
    good = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    affine = np.eye(4)
    nibabel.save(nibabel.Nifti1Image(np.zeros((8, 8, 8), np.float32), affine), tmp_path / "empty.nii")
    bad = rows(flair=tmp_path / "empty.nii").assign(subject="empty", series_hash="empty")
    prepared, refused = store(tmp_path / "store").load_all(pd.concat([good, bad]), {}, progress=False)
    assert list(prepared) == ["s"]
    assert refused == {"empty": "empty mask"}
