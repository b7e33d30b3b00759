"""Registration to the template: brains painted from its tissues with a known transformation, tumours, real scans."""

from functools import cache

import nibabel
import numpy as np
import pytest
from nibabel.affines import apply_affine
from nilearn import datasets

from brain_cae.data.foreground import foreground_mask
from brain_cae.data.template import tissue_priors, to_template
from brain_cae.errors import ScanError
from brain_cae.phantom import PhantomSettings, simulate_subject

SHAPE = (80, 90, 64)
# Oblique and sheared, with thick slices: voxels of 2.4 x 2.4 x 3 mm, turned by about 15 degrees.
SCAN = np.array([[2.32, -0.62, 0.10, -60.0], [0.60, 2.30, -0.55, -105.0], [0.0, 0.5, 2.95, -120.0], [0, 0, 0, 1]])
TRUE = np.array([[1.08, 0.05, 0.0, 3.0], [-0.04, 0.96, 0.15, -9.0], [0.02, -0.12, 1.05, 14.0], [0, 0, 0, 1]])
INTENSITIES = {"t1": (0.75, 1.0, 0.3), "t2": (1.35, 1.0, 2.6), "flair": (1.1, 1.0, 0.15)}


@cache
def template_brain() -> nibabel.Nifti1Image:
    return datasets.load_mni152_brain_mask(resolution=1)


@cache
def paint(contrast: str) -> tuple[np.ndarray, np.ndarray]:
    """A brain with the template's tissues and some noise: volume and mask."""
    template, places = template_brain(), np.indices(SHAPE).reshape(3, -1).T
    index = np.rint(apply_affine(np.linalg.inv(template.affine) @ TRUE @ SCAN, places)).astype(int)
    valid = ((index >= 0) & (index < template.shape)).all(axis=1)
    mask = np.zeros(len(index), bool)
    mask[valid] = np.asarray(template.dataobj)[tuple(index[valid].T)] > 0
    mask = mask.reshape(SHAPE)
    priors = tissue_priors(SCAN, SHAPE, TRUE)
    grey, white, fluid = INTENSITIES[contrast]
    volume = priors["grey"] * grey + priors["white"] * white + (1 - priors["grey"] - priors["white"]) * fluid
    volume = 300 * volume + 12 * np.random.default_rng(0).standard_normal(SHAPE)
    return np.where(mask, volume, 0).astype(np.float32), mask


def distance_mm(first: np.ndarray, second: np.ndarray, mask: np.ndarray, affine: np.ndarray) -> float:
    """Root mean square distance of the places that two transformations give a brain's voxels."""
    points = apply_affine(affine, np.argwhere(mask)[::20])
    return float(np.sqrt(((apply_affine(first, points) - apply_affine(second, points)) ** 2).sum(axis=1).mean()))


@pytest.mark.parametrize("contrast", INTENSITIES)
def test_a_known_transformation_is_found_in_any_contrast(contrast):
    volume, mask = paint(contrast)
    assert distance_mm(to_template(volume, mask, SCAN), TRUE, mask, SCAN) < 0.6


def test_the_same_scan_gives_the_same_bytes_and_axis_order_does_not_matter():
    volume, mask = paint("t1")
    matrix = to_template(volume, mask, SCAN)
    assert matrix.tobytes() == to_template(volume.copy(), mask.copy(), SCAN.copy()).tobytes()
    turned = SCAN[:, [2, 0, 1, 3]].copy()
    other = to_template(volume.transpose(2, 0, 1), mask.transpose(2, 0, 1), turned)
    assert distance_mm(matrix, other, mask, SCAN) < 0.1


@pytest.mark.parametrize("brightness", [0.0, 900.0])
def test_a_large_lesion_does_not_drag_the_brain(brightness):
    volume, mask = paint("flair")
    places = apply_affine(SCAN, np.indices(SHAPE).reshape(3, -1).T).reshape(*SHAPE, 3)
    middle = apply_affine(np.linalg.inv(TRUE), [32, -20, 22])
    lesion = mask & (((places - middle) ** 2).sum(axis=-1) < 28**2)
    clean = to_template(volume, mask, SCAN)
    assert distance_mm(clean, to_template(np.where(lesion, brightness, volume), mask, SCAN), mask, SCAN) < 0.5


def test_a_tumour_with_mass_effect_hardly_moves_a_simulated_brain():
    settings = {"subjects": 12, "seed": 5, "abnormal_fraction": 0.5}
    matrices = {}
    for lesions in (True, False):  # subject 11 has the cohort's largest tumour: a core of 28 mm that pushes by 10 mm
        subject = simulate_subject(PhantomSettings(lesions=lesions, **settings), 11, modalities=("t1",))
        volume, affine = subject.series["t1"].volume()
        matrices[lesions] = to_template(volume, volume > 0, affine)
    assert distance_mm(matrices[True], matrices[False], volume > 0, affine) < 1.0


def test_a_head_nodding_by_forty_degrees_is_found():
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]]
    volume, mask = paint("t1")
    matrix = to_template(volume, mask, turn @ SCAN)
    assert distance_mm(matrix @ turn, TRUE, mask, SCAN) < 1.0


def test_impossible_results_are_refused():
    volume, mask = paint("t1")
    with pytest.raises(ScanError, match="scales of") as caught:
        to_template(volume, mask, np.diag([2.0, 2.0, 2.0, 1.0]) @ SCAN)  # a head twice as large
    assert caught.value.reason == "no match with the template"
    assert caught.value.advice
    with pytest.raises(ScanError, match="no match"):
        to_template(volume[:, :, 24:40], mask[:, :, 24:40], SCAN)  # a slab
    speck = np.zeros_like(mask)
    speck[40, 45, 32] = True
    with pytest.raises(ScanError, match="0 mL of brain"):
        to_template(volume, speck, SCAN)
    with pytest.raises(ScanError, match="empty mask"):
        to_template(volume, np.zeros_like(mask), SCAN)


def test_a_head_with_its_skull_is_refused(real_data):
    scan = nibabel.as_closest_canonical(nibabel.load(real_data / "nifti" / "nichart-demo" / "t1" / "Subj8_T1.nii.gz"))
    volume = np.asarray(scan.dataobj, np.float32)
    with pytest.raises(ScanError, match="no match"):
        to_template(volume, foreground_mask(volume, scan.affine), scan.affine)


def test_priors_lie_where_the_tissues_are():
    volume, mask = paint("t2")
    priors = tissue_priors(SCAN, SHAPE, TRUE)
    assert all(one.shape == SHAPE and one.dtype == np.float32 for one in priors.values())
    medians = {name: np.median(volume[mask & (one > 0.8)]) / 300 for name, one in priors.items()}
    assert medians == pytest.approx({"grey": 1.35, "white": 1.0, "fluid": 2.6}, rel=0.15)
    # Only deep fluid: no sulci, so little more than the ventricles' 40 mL or so.
    assert 10 < (priors["fluid"] > 0.5).sum() * abs(np.linalg.det(SCAN[:3, :3])) / 1000 < 80


def test_three_contrasts_of_one_real_head_agree(real_data):
    matrices = {}
    for name in ("T1", "T2", "FLAIR"):
        scan = nibabel.as_closest_canonical(nibabel.load(real_data / "nifti" / "stroke-triplet" / f"{name}.nii.gz"))
        volume = np.asarray(scan.dataobj, np.float32)
        mask = foreground_mask(volume, scan.affine)
        matrices[name] = to_template(volume, mask, scan.affine)
    assert distance_mm(matrices["T1"], matrices["T2"], mask, scan.affine) < 2.5
    assert distance_mm(matrices["T1"], matrices["FLAIR"], mask, scan.affine) < 2.5
