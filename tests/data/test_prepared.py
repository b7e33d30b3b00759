"""Prepared subjects are computed once, and recomputed when anything that they depend on has changed."""

import os
import time

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data import prepared, preprocess
from brain_cae.data.prepared import PreparedStore
from brain_cae.files.atomic import LEFTOVER_AGE_S

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


def with_mask(tmp_path):
    scan = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    image = nibabel.load(scan)
    mask = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine), mask)
    return rows(flair=scan).assign(brain_mask_path=str(mask)), mask


def test_a_mask_that_has_vanished_leaves_its_subject_out(tmp_path):
    table, mask = with_mask(tmp_path)
    content = mask.read_bytes()
    mask.unlink()
    assert store(tmp_path / "store").load_all(table, {}, progress=False) == (
        {},
        {"s": "unreadable brain mask: no such file"},
    )
    mask.write_bytes(content)
    assert list(store(tmp_path / "store").load_all(table, {}, progress=False)[0]) == ["s"]


def test_a_mask_that_changes_while_a_subject_is_prepared_leaves_nothing_in_the_store(tmp_path, monkeypatch):
    table, mask = with_mask(tmp_path)
    usual = prepared.prepare_subject

    def disturbed(*arguments, **options):
        subject = usual(*arguments, **options)
        mask.write_bytes(mask.read_bytes() + b"\0")
        return subject

    monkeypatch.setattr(prepared, "prepare_subject", disturbed)
    assert store(tmp_path / "store").load_all(table, {}, progress=False) == ({}, {"s": "changed during preparation"})
    assert [path.name for path in (tmp_path / "store").iterdir()] == [".lock"]


def test_what_a_killed_preparation_left_is_removed_after_an_hour(tmp_path):
    old, young = (tmp_path / f".{name}.part-00000000" for name in ("old", "young"))
    for folder in (old, young):
        folder.mkdir()
        (folder / "volume.npy").write_bytes(b"half")
    os.utime(old, (time.time() - 2 * LEFTOVER_AGE_S,) * 2)
    table = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    store(tmp_path).load_all(table, {}, progress=False)
    assert not old.exists() and young.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("facts.json", None), ("facts.json", b""), ("volume.npy", None), ("volume.npy", b""), ("mask.npy", b"\0" * 400)],
)
def test_a_stored_subject_that_lost_a_file_is_prepared_again(tmp_path, name, content):
    table = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    cache = store(tmp_path / "store")
    volume = cache.load_all(table, {}, progress=False)[0]["s"].volume
    damaged = cache.folder_of(table) / name
    damaged.unlink()
    if content is not None:
        damaged.write_bytes(content)
    subjects, refused = cache.load_all(table, {}, progress=False)
    assert refused == {}
    assert np.array_equal(subjects["s"].volume, volume) and subjects["s"].mask.any()


def test_a_stored_volume_that_was_cut_is_prepared_again(tmp_path):
    table = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    cache = store(tmp_path / "store")
    volume = cache.load_all(table, {}, progress=False)[0]["s"].volume
    file = cache.folder_of(table) / "volume.npy"
    file.write_bytes(file.read_bytes()[:-100])
    assert np.array_equal(cache.load_all(table, {}, progress=False)[0]["s"].volume, volume)


def test_what_was_moved_is_not_prepared_again(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    table, mask = with_mask(tmp_path / "here")
    cache = store(tmp_path / "here" / "store")
    volume = np.asarray(cache.load_all(table, {}, progress=False)[0]["s"].in_memory().volume)
    (tmp_path / "here").rename(tmp_path / "there")
    os.utime(tmp_path / "there" / mask.name)
    there = table.apply(lambda column: column.astype(str).str.replace(str(tmp_path / "here"), str(tmp_path / "there")))
    monkeypatch.setattr(prepared, "prepare_subject", None)
    subjects, refused = store(tmp_path / "there" / "store").load_all(there, {}, progress=False)
    assert refused == {} and np.array_equal(subjects["s"].in_memory().volume, volume)


def test_a_mask_with_other_content_is_prepared_again(tmp_path):
    table, mask = with_mask(tmp_path)
    before, status = store(tmp_path).key(table), mask.stat()
    content = bytearray(mask.read_bytes())
    content[4] ^= 1
    mask.write_bytes(content)
    os.utime(mask, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert store(tmp_path).key(table) != before
