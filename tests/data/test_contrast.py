"""The contrast that images show and headers imply: the phantom's scanners and real scans."""

import math

import nibabel
import numpy as np
import pytest

from brain_cae.data.contrast import compatible, coverage_mm, cut_cm2, header_contrast, looks_like
from brain_cae.data.foreground import foreground_mask
from brain_cae.data.template import tissue_priors, to_template
from brain_cae.phantom import PhantomSettings, simulate_subject
from brain_cae.phantom.protocol import PROTOCOLS

NAN = math.nan
SETTINGS = PhantomSettings(subjects=12, seed=5, abnormal_fraction=0.5)
# One subject for each scanner; 11 has a tumour with a core of 28 mm.
SUBJECTS = {"axial-1.5t": 1, "axial-3t": 2, "sagittal-3t": 3, "coronal-1.5t": 11}


def seen(volume, mask, affine):
    return looks_like(volume, mask, tissue_priors(affine, volume.shape, to_template(volume, mask, affine)))


@pytest.mark.parametrize("protocol", SUBJECTS)
def test_every_contrast_of_every_simulated_scanner_is_recognised_in_a_brain_with_a_tumour(protocol):
    subject = simulate_subject(SETTINGS, SUBJECTS[protocol])
    assert subject.protocol.name == protocol
    assert subject.lesion is not None
    names = {}
    for modality, series in subject.series.items():
        volume, affine = series.volume()
        names[modality] = seen(volume, volume > 0, affine).name
    assert names == {"flair": "flair", "t1": "t1", "t1ce": "t1", "t2": "t2"}


def test_voxels_in_which_fluid_and_tissue_mix_show_no_contrast():
    tissues = brain(97, 100, 70)  # a FLAIR with slices of 16 mm
    assert looks_like(*tissues, voxel_mm=7.0).name == "t1"
    assert looks_like(*tissues, voxel_mm=16.0).name == ""


def brain(grey, white, fluid, background=0.0):
    """Three slabs of pure tissue, with priors, in air."""
    mask = np.zeros((12, 12, 12), bool)
    mask[1:-1, 1:-1, 1:-1] = True
    thirds = {"grey": slice(1, 4), "white": slice(4, 7), "fluid": slice(7, 11)}
    volume = np.full(mask.shape, background, np.float32)
    priors = {name: np.zeros(mask.shape, np.float32) for name in thirds}
    for (name, third), value in zip(thirds.items(), (grey, white, fluid), strict=True):
        volume[third, 1:-1, 1:-1] = value
        priors[name][third, 1:-1, 1:-1] = 1
    return volume, mask, priors


@pytest.mark.parametrize(
    ("tissues", "name"),
    [
        ((70, 100, 30), "t1"),
        ((70, 100, 5), "t1"),  # fluid is suppressed on some T1, too
        ((95, 100, 40), "t1"),
        ((95, 100, 20), ""),  # fluid between a T1's and a FLAIR's
        ((85, 100, 5), ""),
        ((98, 100, 5), "flair"),
        ((120, 100, 20), "flair"),
        ((140, 100, 250), "t2"),
        ((115, 100, 110), ""),  # proton density
        ((80, 100, 160), ""),  # no contrast of this program
    ],
)
def test_only_clear_contrasts_get_a_name(tissues, name):
    assert looks_like(*brain(*tissues)).name == name


def test_evidence_is_worded_for_a_caution():
    contrast = looks_like(*brain(120, 100, 10))
    assert contrast.evidence == (
        "fluid is darker than grey and white matter (0.10 of white) and white matter is darker than grey (1.20), "
        "as in a FLAIR"
    )
    assert (contrast.grey, contrast.fluid) == pytest.approx((1.2, 0.1))


def test_air_below_zero_is_subtracted_and_standardised_values_get_no_name():
    shifted = looks_like(*brain(20, 50, -20, background=-50))
    assert (shifted.name, shifted.grey) == ("t1", pytest.approx(0.7))
    assert looks_like(*brain(-0.2, 0.9, -2.0)).name == ""
    volume, mask, priors = brain(70, 100, 30)
    assert looks_like(volume, mask, priors | {"fluid": np.zeros_like(priors["fluid"])}).name == ""


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_headers_of_every_simulated_scanner_are_recognised(protocol):
    for modality, series in protocol.series.items():
        ti = NAN if series.ti_ms is None else series.ti_ms
        named = header_contrast(series.tr_ms, series.te_ms, ti, series.sequence, modality == "t1ce")
        assert named == modality


@pytest.mark.parametrize(
    ("times", "sequence", "name"),
    [
        ((2300, 3, 900), "GRE", "t1"),  # MPRAGE
        ((7, 3, 450), "GRE", ""),
        ((7, 3, NAN), "GRE", "t1"),
        ((30, 20, NAN), "GRE", ""),  # susceptibility imaging
        ((2000, 24, 750), "IR", "t1"),
        ((5000, 390, 1800), "unknown", "flair"),
        ((4000, 70, 160), "IR", ""),  # STIR
        ((9000, 120, NAN), "IR", ""),  # inversion time missing
        ((9000, 120, NAN), "SE", "t2"),
        ((3000, 15, NAN), "SE", ""),  # proton density
        ((NAN, 120, NAN), "SE", ""),
        ((500, NAN, NAN), "SE", ""),
    ],
)
def test_times_imply_a_contrast_or_none(times, sequence, name):
    assert header_contrast(*times, sequence) == name


def test_names_are_compatible_unless_both_are_known_and_differ():
    assert compatible("t1", "t1ce")
    assert compatible("t1ce", "t1")
    assert compatible("t2", "t2")
    assert compatible("t2", "")
    assert compatible("proton density", "t2")
    assert not compatible("t2", "flair")
    assert not compatible("t1ce", "flair")


def test_coverage_is_the_height_of_the_head_in_any_axis_order():
    mask = np.zeros((20, 30, 10), bool)
    mask[5:15, 5:25, 2:6] = True
    affine = np.diag([-1.0, 1.0, 5.0, 1.0])
    assert coverage_mm(mask, affine) == pytest.approx(20)
    assert coverage_mm(mask.transpose(2, 0, 1)[::-1], affine[:, [2, 0, 1, 3]] * [-1, 1, 1, 1]) == pytest.approx(20)
    tilted = affine.copy()
    tilted[2, 1] = 0.5  # slices rise by half a millimetre per row
    assert coverage_mm(mask, tilted) == pytest.approx(20 + 19 * 0.5)
    assert coverage_mm(np.zeros_like(mask), affine) == 0


def load(path):
    scan = nibabel.as_closest_canonical(nibabel.load(path))
    return np.asarray(scan.dataobj, np.float32), scan.affine


def ellipsoid(spacing, shift_mm=0.0):
    """Return a brain of 140 x 176 x 130 mm in a box of 160 x 200 x 160 mm, and moved up in it."""
    axes = [np.arange(side / 2, size, side) - size / 2 for size, side in zip((160, 200, 160), spacing, strict=True)]
    x, y, z = np.meshgrid(*axes, indexing="ij")
    return (x / 70) ** 2 + (y / 88) ** 2 + ((z - shift_mm) / 65) ** 2 < 1


@pytest.mark.parametrize("spacing", [(2, 2, 2), (1, 1, 5), (1, 1, 1), (4, 1, 1)])
def test_a_brain_is_cut_if_more_than_a_last_slice_reaches_the_edge(spacing):
    whole = ellipsoid(spacing)
    everywhere = np.ones_like(whole)
    assert cut_cm2(whole, everywhere, spacing) == 0
    touching = ellipsoid(spacing, 15)
    assert cut_cm2(touching, everywhere, spacing) == 0
    beyond = ellipsoid(spacing, 35)  # 20 mm of the brain lie above the box
    expected = np.pi * 70 * 88 * (1 - (45 / 65) ** 2) / 100
    assert cut_cm2(beyond, everywhere, spacing) == pytest.approx(expected, rel=0.15)


def test_a_brain_is_cut_by_the_field_of_view_of_another_scan():
    brain, steps = ellipsoid((2, 2, 2)), np.indices((80, 100, 80))
    oblique = steps[2] + 0.05 * steps[1] < 62  # 124 mm above the bottom: 21 mm below the vertex
    short = brain & oblique & (steps[2] + 0.05 * steps[1] < 61)
    assert cut_cm2(short, oblique, (2, 2, 2)) > 80
    assert cut_cm2(short, np.ones_like(brain), (2, 2, 2)) == 0


def test_stripped_real_scans_are_recognised(real_data):
    found = {}
    for name in ("stroke-triplet/T1", "stroke-triplet/T2", "stroke-triplet/FLAIR"):
        volume, affine = load(real_data / "nifti" / f"{name}.nii.gz")
        found[name.rpartition("/")[2].lower()] = seen(volume, foreground_mask(volume, affine), affine).name
    assert found == {"t1": "t1", "t2": "t2", "flair": "flair"}


@pytest.mark.extras
def test_a_glioma_with_values_below_zero_is_recognised(real_data):
    folder = real_data / "nifti" / "brats2013-pat0005"
    mask = load(folder / "brainmask.nii.gz")[0] > 0
    for name, expected in (("Flair", "flair"), ("T1c", "t1")):
        volume, affine = load(folder / f"{name}_subtrMeanDivStd.nii.gz")
        assert seen(volume, mask, affine).name == expected


@pytest.mark.extras
def test_a_flair_named_t2_is_found_and_real_heads_raise_no_alarm(real_data):
    deepbet = pytest.importorskip("deepbet")
    extraction = deepbet.BrainExtraction(no_gpu=True)
    folder = real_data / "nifti"
    heads = [folder / "mislabelled-t2" / "t2.nii.gz"]
    heads += [folder / "nichart-demo" / f"{name}.nii.gz" for name in ("t1/Subj5_T1", "fl/Subj5_FL")]
    names = []
    for path in heads:
        volume, affine = load(path)
        mask = np.asarray(nibabel.as_closest_canonical(extraction.run(nibabel.load(path))[1]).dataobj) > 0
        names.append(seen(volume, mask, affine).name)
    assert names[0] == "flair"
    assert compatible("t1", names[1])
    assert compatible("flair", names[2])
