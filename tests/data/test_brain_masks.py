"""Skull stripping by an installed tool, simulated here by small programs on the PATH."""

import sys

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data.brain_masks import STRIPPERS, BrainMasks, require_stripper
from brain_cae.errors import ConfigurationError

AFFINE = np.diag([2.0, -3.0, 4.0, 1.0])
# Works on raw bytes, since importing nibabel takes a second: a header of 352 bytes, then int16 voxels.
BODY = """
import array, gzip, sys
raw = gzip.open(sys.argv[sys.argv.index("-i") + 1]).read()
header, voxels = bytearray(raw[:352]), array.array("h", raw[352:])
header[70:74] = b"\\x02\\x00\\x08\\x00"  # the mask's type: uint8
mask = bytes(value > 50 for value in voxels)
with open({calls!r}, "a") as stream:
    stream.write(" ".join(sys.argv[1:]) + "\\n")
{change}
gzip.open({mask!r}, "w").write(bytes(header) + mask)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a tool on the PATH that marks voxels above 50 as brain; ``change`` is code that makes it fail."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def make(name="synthstrip", change=""):
        tool = STRIPPERS[name]
        path = folder / tool.command
        body = BODY.format(change=change, mask=tool.mask, calls=str(tmp_path / "calls"))
        path.write_text(f"#!{sys.executable} -IS\n{body}")
        path.chmod(0o755)
        if tool.weights:
            weights = tmp_path / "home" / tool.weights
            weights.parent.mkdir(parents=True)
            weights.touch()

    return make


@pytest.fixture
def index(tmp_path):
    rows = []
    for subject, seed in (("a", 0), ("b", 1)):
        for modality in ("t1", "flair"):
            volume = np.random.default_rng(seed).integers(0, 100, (8, 9, 10)).astype(np.int16)
            path = tmp_path / f"{subject}{modality}.nii"
            nibabel.save(nibabel.Nifti1Image(volume, AFFINE), path)
            rows.append((subject, modality, str(path), "", "on"))
    return pd.DataFrame(rows, columns=["subject", "modality", "path", "brain_mask_path", "skull"])


@pytest.mark.parametrize("name", STRIPPERS)
def test_the_mask_of_a_tool_becomes_the_brain_mask(install, index, tmp_path, name):
    install(name)
    require_stripper(name)
    masks = BrainMasks(tmp_path / "masks", name, "flair")
    done, refused = masks.complete(index, progress=False)
    assert refused == {} and set(done["skull"]) == {"stripped"} and set(index["skull"]) == {"on"}
    assert [bool(path) for path in done["brain_mask_path"]] == [False, True, False, True]
    for row in done[done["modality"] == "flair"].itertuples():
        mask = nibabel.load(row.brain_mask_path)
        assert np.allclose(mask.affine, AFFINE)
        assert np.array_equal(np.asarray(mask.dataobj) > 0, np.asarray(nibabel.load(row.path).dataobj) > 50)
    # A second run reuses the stored masks.
    again, _ = masks.complete(index, progress=False)
    pd.testing.assert_frame_equal(again, done)
    assert len((tmp_path / "calls").read_text().splitlines()) == 2
    assert len(list((tmp_path / "masks").iterdir())) == 2


def test_a_scan_with_a_mask_or_without_a_skull_is_not_stripped(install, index, tmp_path):
    install()
    index.loc[index["subject"] == "a", "skull"] = "stripped"
    index.loc[3, "brain_mask_path"] = "brain.nii.gz"
    done, _ = BrainMasks(tmp_path / "masks", "synthstrip", "flair").complete(index, progress=False)
    assert not (tmp_path / "calls").exists()
    assert done["brain_mask_path"].tolist() == ["", "", "", "brain.nii.gz"]
    assert set(done["skull"]) == {"stripped"}


def test_without_a_tool_only_masks_of_the_data_set_are_used(index, tmp_path):
    index.loc[1, "brain_mask_path"] = "brain.nii.gz"
    done, refused = BrainMasks(tmp_path / "masks", "none", "flair").complete(index, progress=False)
    assert done["skull"].tolist() == ["stripped", "stripped", "on", "on"] and refused == {}
    require_stripper("none")


FAILURES = {
    "exit code 3, out of memory": "print('out of memory', file=sys.stderr); sys.exit(3)",
    "exit code 0": "sys.exit(0)",
    "a mask on another grid, of shape (7, 9, 10)": "header[42] = 7; mask = mask[:630]",
    "a mask on another grid, of shape (8, 9, 10)": "header[280:284] = header[300:304]",
    "a mask that marks 0 of 720 voxels": "mask = bytes(720)",
    "a mask that marks 720 of 720 voxels": "mask = bytes([1]) * 720",
    "a mask that cannot be read": f"open({STRIPPERS['synthstrip'].mask!r}, 'w').write('no mask'); sys.exit(0)",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_excludes_one_subject_and_is_logged(install, index, tmp_path, caplog, failure):
    change = FAILURES[failure].replace("\n", "; ")
    install(change=f"if voxels[0] == {first_voxel(index, 'a')}:\n    {change}")
    done, refused = BrainMasks(tmp_path / "masks", "synthstrip", "flair").complete(index, progress=False)
    assert refused == {"a": "skull stripping failed"}
    assert failure in caplog.text
    assert done["skull"].tolist() == ["on", "on", "stripped", "stripped"]
    assert len(list((tmp_path / "masks").iterdir())) == 1


def first_voxel(index, subject):
    path = index.loc[index["subject"] == subject, "path"].iloc[0]
    return int(np.asarray(nibabel.load(path).dataobj)[0, 0, 0])


@pytest.mark.parametrize("name", STRIPPERS)
def test_a_missing_tool_stops_the_run_before_it_starts(tmp_path, monkeypatch, name):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=STRIPPERS[name].command) as raised:
        require_stripper(name)
    assert "install" in str(raised.value).lower() and "preprocess.skull_strip" in str(raised.value)


def test_missing_weights_stop_the_run_too(install, tmp_path):
    install("hd_bet")
    (tmp_path / "home" / STRIPPERS["hd_bet"].weights).unlink()
    with pytest.raises(ConfigurationError, match="without its weights"):
        require_stripper("hd_bet")
