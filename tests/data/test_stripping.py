"""Brain masks for a cohort; the tools are simulated by small programs on the PATH and a class in place of deepbet's."""

import sys

import nibabel
import numpy as np
import pandas as pd
import pytest

from brain_cae.data import strippers
from brain_cae.data.strippers import STRIPPERS, require_stripper
from brain_cae.data.stripping import BrainMasks
from brain_cae.errors import ConfigurationError
from brain_cae.executor import Processes

COLUMNS = ["subject", "modality", "path", "brain_mask_path", "skull", "stripped_by"]
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
    return pd.DataFrame(rows, columns=["subject", "modality", "path", "brain_mask_path", "skull"]).assign(
        stripped_by=""
    )


@pytest.mark.parametrize("name", STRIPPERS)
def test_the_mask_of_a_tool_becomes_the_brain_mask(install, index, tmp_path, name):
    install(name)
    require_stripper(name)
    masks = BrainMasks(tmp_path / "masks", name, "flair")
    done, refused = masks.complete(index, progress=False)
    assert refused == {} and set(done["skull"]) == {"stripped"} and set(index["skull"]) == {"on"}
    assert [bool(path) for path in done["brain_mask_path"]] == [False, True, False, True]
    assert set(done["stripped_by"]) == {name}
    for row in done[done["modality"] == "flair"].itertuples():
        mask = nibabel.load(row.brain_mask_path)
        assert np.allclose(mask.affine, AFFINE)
        assert np.array_equal(np.asarray(mask.dataobj) > 0, np.asarray(nibabel.load(row.path).dataobj) > 50)
    # A second run reuses the stored masks.
    again, _ = masks.complete(index, progress=False)
    pd.testing.assert_frame_equal(again, done)
    assert len((tmp_path / "calls").read_text().splitlines()) == 2
    assert len(list((tmp_path / "masks").glob("[!.]*"))) == 2


@pytest.mark.parametrize("left", [0, 10, 100])
def test_a_stored_mask_that_lost_its_end_is_made_again(install, index, tmp_path, left):
    install()
    masks = BrainMasks(tmp_path / "masks", "synthstrip", "flair")
    done, _ = masks.complete(index, progress=False)
    stored = tmp_path / "masks" / done["brain_mask_path"][1]
    whole = np.asarray(nibabel.load(stored).dataobj)
    stored.write_bytes(stored.read_bytes()[:left])
    again, refused = masks.complete(index, progress=False)
    assert refused == {}
    pd.testing.assert_frame_equal(again, done)
    assert np.array_equal(np.asarray(nibabel.load(stored).dataobj), whole)
    assert len((tmp_path / "calls").read_text().splitlines()) == 3


def test_a_scan_with_a_mask_or_without_a_skull_is_not_stripped(install, index, tmp_path):
    install()
    index.loc[index["subject"] == "a", ["skull", "stripped_by"]] = "stripped", "delivered"
    index.loc[3, "brain_mask_path"] = "brain.nii.gz"
    done, _ = BrainMasks(tmp_path / "masks", "synthstrip", "flair").complete(index, progress=False)
    assert not (tmp_path / "calls").exists()
    assert done["brain_mask_path"].tolist() == ["", "", "", "brain.nii.gz"]
    assert set(done["skull"]) == {"stripped"}
    assert done["stripped_by"].tolist() == ["delivered", "delivered", "mask", "mask"]


def test_a_mask_of_another_scan_of_the_subject_is_enough(install, index, tmp_path):
    install()
    index.loc[[0, 2], "brain_mask_path"] = "brain.nii.gz"  # of the T1
    done, _ = BrainMasks(tmp_path / "masks", "synthstrip", "flair").complete(index, progress=False)
    assert set(done["stripped_by"]) == {"mask"} and not (tmp_path / "calls").exists()


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
    assert done["stripped_by"].tolist() == ["", "", "synthstrip", "synthstrip"]
    assert len(list((tmp_path / "masks").glob("[!.]*"))) == 1


def first_voxel(index, subject):
    path = index.loc[index["subject"] == subject, "path"].iloc[0]
    return int(np.asarray(nibabel.load(path).dataobj)[0, 0, 0])


SPACING = 4.0


def head(*, skull=True, background=0.0, slices=48, brain_mm=65):
    """Return a head with a bright scalp, or its brain alone, as (48, 48, slices) of 4 mm."""
    x, y, z = (SPACING * (np.arange(size) - (size - 1) / 2) for size in (48, 48, slices))
    radius = np.sqrt(x[:, None, None] ** 2 + y[:, None] ** 2 + z**2)
    noise = np.random.default_rng(0).normal(0, 3, radius.shape)
    volume = np.where(radius < brain_mm, 100 + noise, background)
    if skull:
        volume = np.where((radius >= brain_mm) & (radius < 90), 150 + noise, volume)
        volume = np.where(radius >= 90, np.abs(noise), volume)
    return volume.astype(np.float32)


class Extraction:
    """In place of deepbet's class: the brain has values around 100."""

    calls = 0

    def run(self, image):
        Extraction.calls += 1
        values = np.asarray(image.dataobj)
        return image, nibabel.Nifti1Image((np.abs(values - 100) < 20).astype(np.uint8), image.affine), 0.0


@pytest.fixture
def deepbet(monkeypatch):
    Extraction.calls = 0
    monkeypatch.setattr(strippers, "_extraction", Extraction)
    monkeypatch.setattr(strippers, "deepbet_installed", lambda: True)


@pytest.fixture
def cohort(tmp_path):
    """Return the index of subjects, each with scans by modality and a skull state."""

    def make(subjects):
        rows = []
        for subject, (state, scans) in subjects.items():
            for modality, volume in scans.items():
                path = tmp_path / f"{subject}{modality}.nii"
                nibabel.save(nibabel.Nifti1Image(volume, np.diag([SPACING, -SPACING, SPACING, 1.0])), path)
                rows.append((subject, modality, str(path), "", state, "delivered" if state == "stripped" else ""))
        return pd.DataFrame(rows, columns=COLUMNS)

    return make


def test_deepbet_strips_the_t1_or_without_one_the_reference(deepbet, cohort, tmp_path):
    volume = head()
    index = cohort({"a": ("on", {"flair": volume, "t1": volume}), "b": ("on", {"flair": volume})})
    done, refused = BrainMasks(tmp_path / "masks", "deepbet", "flair").complete(index, progress=False)
    assert refused == {} and [bool(path) for path in done["brain_mask_path"]] == [False, True, True]
    assert set(done["skull"]) == {"stripped"} and set(done["stripped_by"]) == {"deepbet"}
    mask = nibabel.load(done["brain_mask_path"].iloc[1])
    assert np.array_equal(np.asarray(mask.dataobj) > 0, np.abs(volume - 100) < 20)
    BrainMasks(tmp_path / "masks", "deepbet", "flair").complete(index, progress=False)
    assert Extraction.calls == 2  # masks are stored


def test_scans_that_came_stripped_are_recognised_and_left_alone(deepbet, cohort, tmp_path):
    subjects = {
        "constant": head(skull=False, background=-3.0),
        "head": head(),
        "padded": np.pad(head(), 12),  # a head with zeros around its noise
        "resampled": head(skull=False) + np.random.default_rng(1).normal(0, 1, (48, 48, 48)).astype(np.float32),
        "slab": np.where(head() > 50, head(), 0)[:, :, 21:26],  # 20 mm of a head whose air was set to 0
    }
    index = cohort({name: ("unknown", {"t1": volume}) for name, volume in subjects.items()})
    masks = BrainMasks(tmp_path / "masks", "deepbet", "t1")
    done, refused = masks.complete(index, progress=False)
    table = done.set_index("subject")
    assert refused == {} and set(table["skull"]) == {"stripped"}
    expected = {
        "constant": "delivered", "head": "deepbet", "padded": "deepbet", "resampled": "delivered", "slab": "deepbet"
    }  # fmt: skip
    assert table["stripped_by"].to_dict() == expected
    assert {name for name, path in table["brain_mask_path"].items() if path} == {"head", "padded", "slab"}
    calls = Extraction.calls
    again, _ = masks.complete(index, progress=False)
    pd.testing.assert_frame_equal(again, done)
    assert Extraction.calls == calls


def test_a_brain_among_heads_is_not_stripped_again(deepbet, cohort, tmp_path, caplog):
    """Data sets of heads, of which some came stripped, are known; a second stripping would cut off more."""
    subjects = {
        "brain": head(skull=False, background=-3.0), "head": head(), "padded": np.pad(head(), 12),
        "cut out": np.where(head() > 50, head(), 0),
    }  # fmt: skip
    index = cohort({name: ("on", {"t1": volume}) for name, volume in subjects.items()})
    done, _ = BrainMasks(tmp_path / "masks", "deepbet", "t1").complete(index, progress=False)
    by = done.set_index("subject")["stripped_by"].to_dict()
    assert by == {"brain": "delivered", "head": "deepbet", "padded": "deepbet", "cut out": "deepbet"}
    assert set(done["skull"]) == {"stripped"} and not done.set_index("subject").at["brain", "brain_mask_path"]
    assert "1 subject came without skull, although dataset.skull says that it is on" in caplog.text


def test_scans_of_a_subject_in_different_states(deepbet, cohort, tmp_path):
    """A T1 that was cut out gives its brain to the reference; the foreground of a stripped reference is the brain."""
    whole, brain = head(), head(skull=False)
    subjects = {
        "t1 cut out": ("unknown", {"t1": brain, "flair": whole}),
        "flair cut out": ("unknown", {"t1": whole, "flair": brain}),
        "both": ("unknown", {"t1": brain, "flair": brain}),
        "neither": ("unknown", {"t1": whole, "flair": whole}),
    }
    done, refused = BrainMasks(tmp_path / "masks", "deepbet", "flair").complete(cohort(subjects), progress=False)
    assert refused == {} and set(done["skull"]) == {"stripped"}
    by = done.drop_duplicates("subject").set_index("subject")["stripped_by"].to_dict()
    assert by == dict.fromkeys(("t1 cut out", "flair cut out", "both"), "delivered") | {"neither": "deepbet"}
    masked = done[done["brain_mask_path"] != ""]
    assert [*zip(masked["subject"], masked["modality"], strict=True)] == [("t1 cut out", "t1"), ("neither", "t1")]
    mask = nibabel.load(masked["brain_mask_path"].iloc[0])
    scan = nibabel.as_closest_canonical(nibabel.load(masked["path"].iloc[0]))
    assert np.array_equal(np.asarray(mask.dataobj) > 0, np.asarray(scan.dataobj) != 0)
    assert np.allclose(mask.affine, scan.affine)


@pytest.mark.parametrize("spacing", [2.0, 4.0, 8.0])
def test_deepbet_sees_no_air_far_from_the_head(deepbet, tmp_path, monkeypatch, spacing):
    """It fits the whole field of view to one size, and takes a head that is small in it for a brain."""
    run, seen = Extraction.run, []
    monkeypatch.setattr(Extraction, "run", lambda self, image: seen.append(image) or run(self, image))
    affine = np.diag([spacing, -spacing, spacing, 1.0])
    scale = int(8 / spacing)
    near = np.kron(head()[::2, ::2, ::2], np.ones((scale,) * 3, np.float32))
    far = np.pad(near, int(160 / spacing))
    masks = []
    for name, volume in (("near", near), ("far", far)):
        path = tmp_path / f"{name}.nii"
        nibabel.save(nibabel.Nifti1Image(volume, affine), path)
        masks.append(np.asarray(strippers.brain_mask("deepbet", path, tmp_path).dataobj))
    side = int(160 / spacing)
    assert masks[1].shape == far.shape
    assert np.array_equal(masks[1][side:-side, side:-side, side:-side], masks[0]) and masks[1].sum() == masks[0].sum()
    extent = np.array(seen[1].shape) * spacing
    assert (extent < 180 + 2 * 30 + 2 * 16).all()


def test_a_head_without_a_brain_is_refused_and_the_others_go_on(deepbet, cohort, tmp_path, caplog):
    index = cohort({"a": ("on", {"t1": head(brain_mm=30)}), "b": ("on", {"t1": head()})})
    done, refused = BrainMasks(tmp_path / "masks", "deepbet", "t1").complete(index, progress=False)
    assert refused == {"a": "skull stripping failed"} and "mL from deepbet" in caplog.text
    assert done["skull"].tolist() == ["on", "stripped"] and done["stripped_by"].tolist() == ["", "deepbet"]


def test_without_deepbet_only_scans_that_need_it_are_an_error(deepbet, cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(strippers, "deepbet_installed", lambda: False)
    masks = BrainMasks(tmp_path / "masks", "deepbet", "t1")
    stripped = {"a": ("stripped", {"t1": head(skull=False)}), "b": ("unknown", {"t1": head(skull=False)})}
    done, _ = masks.complete(cohort(stripped), progress=False)
    assert set(done["stripped_by"]) == {"delivered"}
    with pytest.raises(ConfigurationError, match="deepbet is not installed"):
        masks.complete(cohort({"c": ("unknown", {"t1": head()})}), progress=False)


@pytest.mark.extras
def test_deepbet_finds_the_brains_of_real_heads_in_two_processes(real_data, tmp_path):
    scans = sorted((real_data / "nifti" / "nichart-demo" / "t1").glob("*.nii.gz"))[:4]
    rows = [(path.name, "t1", str(path), "", "unknown", "") for path in scans]
    masks = BrainMasks(tmp_path / "masks", "deepbet", "t1", executor=Processes(2))
    done, refused = masks.complete(pd.DataFrame(rows, columns=COLUMNS), progress=False)
    assert refused == {} and set(done["stripped_by"]) == {"deepbet"}
    volumes = [8e-3 * np.asarray(nibabel.load(path).dataobj).sum() for path in done["brain_mask_path"]]
    assert np.allclose(volumes, [1408, 1466, 1575, 1619], rtol=0.02)  # mL; the outlines were inspected
