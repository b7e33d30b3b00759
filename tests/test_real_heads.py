"""Heads as they come from an archive: scans that moved, wrong names, slabs, half heads."""

import re
import shutil
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy.spatial.transform import Rotation

from brain_cae.data.registration import align
from brain_cae.data.resampling import resample
from brain_cae.data.strippers import brain_mask
from brain_cae.stages.alignment import shape_cautions
from brain_cae.stages.cohort import import_cohort
from brain_cae.stages.executor import make_executor
from brain_cae.stages.preparation import make_preparation, prepare

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def cohort(make_config, tmp_path_factory):
    """Import and prepare a folder, stripped by deepbet, as a run does."""
    pytest.importorskip("deepbet")
    folder = tmp_path_factory.mktemp("cache")

    def prepared(root: Path, *overrides: str):
        keys = (
            "dataset=folder",
            f"dataset.root={root}",
            f"cache={folder}",
            "workers=1",
            "preprocess.skull_strip=deepbet",
        )
        config = make_config(*keys, *overrides)
        imported = import_cohort(config.dataset, config, cache=config.cache, executor=make_executor(config))
        return prepare(imported, make_preparation(config, config.cache, make_executor(config)), progress=False)

    return prepared


@pytest.fixture(scope="module")
def scan(real_data):
    """Return the path of a subject's T1 or FLAIR; the two lie up to 34 mm apart by their headers."""
    folder = real_data / "nifti" / "nichart-demo"
    return lambda subject, name: folder / {"t1": f"t1/{subject}_T1.nii.gz", "flair": f"fl/{subject}_FL.nii.gz"}[name]


@cache
def load(path: Path) -> nibabel.Nifti1Image:
    image = nibabel.load(path)
    return nibabel.Nifti1Image(np.asarray(image.dataobj, np.float32), image.affine)


@cache
def alignment(flair: Path, t1: Path):
    return align(load(flair), load(t1))


def dice(mask: nibabel.Nifti1Image, other: nibabel.Nifti1Image, affine: np.ndarray) -> float:
    """Return the overlap of two masks, the other one at a given place, where both scans have voxels."""
    there, covered = resample(np.asarray(other.dataobj, np.uint8), affine, mask.shape, mask.affine, order=0)
    first, second = np.asarray(mask.dataobj)[covered] > 0, there[covered] > 0
    return 2 * (first & second).sum() / (first.sum() + second.sum())


# Inspected: all five heads move onto each other. Subj15 is left out, since deepbet outlines scalp on its FLAIR.
@pytest.mark.parametrize(
    ("subject", "before"), [("Subj1", 0.97), ("Subj3", 0.84), ("Subj5", 0.84), ("Subj8", 0.85), ("Subj20", 0.61)]
)
def test_the_brains_of_two_scans_of_a_head_lie_on_each_other_after_alignment(scan, tmp_path, subject, before) -> None:
    pytest.importorskip("deepbet")
    flair, t1 = (brain_mask("deepbet", scan(subject, name), tmp_path) for name in ("flair", "t1"))
    assert dice(flair, t1, t1.affine) == pytest.approx(before, abs=0.02)
    movement = alignment(scan(subject, "flair"), scan(subject, "t1"))
    assert dice(flair, t1, movement.affine(t1.affine)) > 0.95


@pytest.mark.parametrize(("other", "named"), [("Subj8", False), ("Subj10", True)])
def test_a_scan_of_another_person_is_a_caution(scan, other, named) -> None:
    """It was aligned, with an overlap of 0.97, and used in silence."""
    found = alignment(scan("Subj8", "flair"), scan(other, "t1"))
    assert found.overlap > 0.95
    assert [caution.startswith("1 scan matches") for caution in shape_cautions({"s": {"t1": found}})] == [True] * named


def test_a_known_movement_of_a_real_head_comes_back(scan) -> None:
    flair, t1 = load(scan("Subj8", "flair")), load(scan("Subj8", "t1"))
    centre = apply_affine(flair.affine, np.array(flair.shape) / 2)
    header = np.eye(4)
    header[:3, :3] = Rotation.from_euler("xyz", (6, -4, 7), degrees=True).as_matrix()
    header[:3, 3] = centre + np.array([8, -10, 7]) - header[:3, :3] @ centre
    true = header @ alignment(scan("Subj8", "flair"), scan("Subj8", "t1")).transform
    found = align(flair, nibabel.Nifti1Image(t1.dataobj, header @ t1.affine)).transform
    error = np.linalg.inv(true) @ found
    places = centre + np.random.default_rng(0).normal(0, 50, (500, 3))
    assert np.linalg.norm(apply_affine(error, places) - places, axis=1).mean() < 1
    assert np.degrees(Rotation.from_matrix(error[:3, :3]).magnitude()) < 1


@pytest.mark.parametrize("turn_deg", [(0, 27, 0), (0, 0, -27)])
def test_a_stripped_brain_that_was_turned_is_found_in_its_head(scan, tmp_path, turn_deg) -> None:
    pytest.importorskip("deepbet")
    flair, t1 = load(scan("Subj1", "flair")), load(scan("Subj1", "t1"))
    inside = np.asarray(brain_mask("deepbet", scan("Subj1", "t1"), tmp_path).dataobj) > 0
    places = apply_affine(t1.affine, np.argwhere(inside)[::500])
    header = np.eye(4)
    header[:3, :3] = Rotation.from_euler("xyz", turn_deg, degrees=True).as_matrix()
    header[:3, 3] = places.mean(axis=0) - header[:3, :3] @ places.mean(axis=0)
    brain = nibabel.Nifti1Image(np.where(inside, np.asarray(t1.dataobj), 0), header @ t1.affine)
    true = header @ alignment(scan("Subj1", "flair"), scan("Subj1", "t1")).transform
    error = np.linalg.inv(true) @ align(flair, brain).transform
    there = apply_affine(np.linalg.inv(true) @ header, places)
    assert np.linalg.norm(apply_affine(error, there) - there, axis=1).mean() < 1


def part(path: Path, *, below_top: tuple[float, float], target: Path) -> float:
    """Store the part of a head between two distances (mm) below its top; return its height in mm."""
    head = nibabel.as_closest_canonical(nibabel.load(path))
    step = head.header.get_zooms()[2]
    volume = np.asarray(head.dataobj)
    top = np.flatnonzero((volume > volume.mean()).mean(axis=(0, 1)) > 0.02)[-1]
    first, last = (max(0, int(top - distance / step)) for distance in below_top[::-1])
    target.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(head.slicer[:, :, first : last + 1], target)
    return float((last + 1 - first) * step)


def test_swapped_names_slabs_and_half_heads_are_cautions(cohort, scan, tmp_path) -> None:
    for name, other in (("t1", "flair"), ("flair", "t1")):
        (tmp_path / "swapped").mkdir(exist_ok=True)
        shutil.copy(scan("Subj20", other), tmp_path / "swapped" / f"{name}.nii.gz")
    heights = {}
    # The headers put these two slabs 34 mm apart: they do not even touch.
    for subject, head, between in (("slab", "Subj20", (60, 80)), ("half", "Subj8", (0, 70))):
        for name in ("t1", "flair"):
            target = tmp_path / subject / f"{name}.nii.gz"
            heights[f"{subject} {name}"] = part(scan(head, name), below_top=between, target=target)
    done = cohort(tmp_path)
    assert sorted(done.prepared) == ["half", "slab", "swapped"]
    cautions = "\n".join(done.cautions)
    assert "The t1 of swapped looks like a FLAIR: fluid is darker" in cautions
    assert "The flair of swapped looks like a T1: fluid is darker" in cautions
    assert "4 scans show only a part of the head" in cautions
    stated = dict(re.findall(r"((?:slab|half) \w+) covers (\d+) mm", cautions))
    assert {name: float(mm) for name, mm in stated.items()} == pytest.approx(heights, abs=5)


def test_a_flair_named_t2_is_a_caution(cohort, real_data, tmp_path) -> None:
    (tmp_path / "a").mkdir()
    shutil.copy(real_data / "nifti" / "mislabelled-t2" / "t2.nii.gz", tmp_path / "a")
    (caution,) = cohort(tmp_path, "modality=t2").cautions
    assert caution.startswith("The t2 of a looks like a FLAIR: fluid is darker")


def test_a_t1_named_flair_is_refused_if_its_header_agrees(cohort, real_data, tmp_path) -> None:
    shutil.copytree(real_data / "dicom" / "siemens-xa30-enhanced-t1", tmp_path / "a" / "flair")
    done = cohort(tmp_path, "modality=flair")
    assert not done.prepared
    assert done.report[["status", "reason"]].to_numpy().tolist() == [["refused", "not the named contrast"]]
