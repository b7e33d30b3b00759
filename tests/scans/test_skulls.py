"""Scans with and without skull are not mixed."""

from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.skulls import check_skulls, with_skull
from brain_cae.scans.sources.base import SeriesLocation


def scan(subject, skull, source="x", **options):
    return SeriesLocation(subject, "t1", (Path("t1.nii"),), source=source, skull=skull, **options)


def test_one_state_is_accepted():
    for state in ("on", "stripped", "unknown"):
        assert check_skulls([scan("a", state), scan("b", state)], reference="t1") == []


def test_two_states_are_an_error_that_names_them_and_the_options():
    with pytest.raises(DatasetError) as raised:
        check_skulls([scan("a", "on", "ixi"), scan("b", "on", "ixi"), scan("c", "stripped", "brats")], reference="t1")
    text = str(raised.value)
    assert "skull on: ixi (2 subjects); skull stripped: brats (1 subject)" in text
    assert "preprocess.skull_strip" in text and "brain masks" in text


def test_a_stripping_tool_or_brain_masks_allow_mixed_states(tmp_path):
    mixed = [scan("a", "on"), scan("b", "stripped")]
    assert check_skulls(mixed, reference="t1", skull_strip="synthstrip") == []
    mask = tmp_path / "a.nii.gz"
    with pytest.raises(DatasetError):
        check_skulls([scan("a", "on", brain_mask=mask), mixed[1]], reference="t1")
    mask.touch()
    assert check_skulls([scan("a", "on", brain_mask=mask), mixed[1]], reference="t1") == []


def test_an_unknown_state_gives_a_caution():
    (caution,) = check_skulls([scan("a", "on", "ixi"), scan("b", "unknown", "clinic")], reference="t1")
    assert "clinic (1 subject)" in caution and "for the others it is `on`" in caution and "dataset.skull" in caution


def test_subjects_with_a_skull_and_without_a_mask_are_listed(tmp_path):
    mask = tmp_path / "a.nii.gz"
    mask.touch()
    scans = [scan("c", "on"), scan("a", "on", brain_mask=mask), scan("b", "stripped"), scan("d", "unknown")]
    assert with_skull(scans, reference="t1") == ["c"] and with_skull(scans, reference="flair") == []
    other = SeriesLocation("c", "flair", (Path("flair.nii"),), source="x", skull="on", brain_mask=mask)
    assert with_skull([*scans, other], reference="t1") == []
