import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from brain_cae.data.preprocess import prepare_subject
from brain_cae.data.registration import Alignment
from brain_cae.data.subject import to_source_space
from brain_cae.errors import ScanError
from brain_cae.scans.padding import without_padding


def head(shape, affine, centre=(0.0, 0.0, 0.0), point=None):
    """Simulate a ball of 40 mm radius around a world position, with a bright spot of 5 mm radius at another."""
    voxels = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), axis=-1)
    world = nibabel.affines.apply_affine(affine, voxels)
    volume = np.where(np.linalg.norm(world - np.asarray(centre), axis=-1) < 40, 100.0, 0.0)
    volume += np.where((volume > 0), 10 * np.sin(world[..., 0] / 7), 0)
    if point is not None:
        volume[np.linalg.norm(world - np.asarray(point), axis=-1) < 5] = 400
    return volume.astype(np.float32)


def centred(shape, matrix):
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = -np.asarray(matrix) @ (np.asarray(shape) - 1) / 2
    return affine


def rotation(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


GRIDS = {
    "RAS": ((48, 48, 24), np.diag([2.0, 2.0, 4.0])),
    "LAS": ((48, 48, 24), np.diag([-2.0, 2.0, 4.0])),
    "PIR": ((48, 24, 48), np.array([[0, 0, 2.0], [-2.0, 0, 0], [0, -4.0, 0]])),
    "oblique": ((48, 48, 24), rotation(15) @ np.diag([2.0, 2.0, 4.0])),
}


def write(folder, name, shape, matrix, **changes):
    affine = centred(shape, matrix)
    path = folder / f"{name}.nii"
    nibabel.save(nibabel.Nifti1Image(head(shape, affine, **changes), affine), path)
    return path


def rows(**paths):
    return pd.DataFrame(
        [
            {
                "subject": "s",
                "modality": m,
                "path": str(p),
                "brain_mask_path": "",
                "lesion_mask_path": "",
                "series_hash": m,
            }
            for m, p in paths.items()
        ]
    )


@pytest.mark.parametrize("grid", GRIDS)
def test_a_world_position_maps_to_the_same_voxel_of_both_modalities(tmp_path, grid):
    point = (12.0, -14.0, 8.0)
    flair = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]), point=point)
    t1 = write(tmp_path, "t1", *GRIDS[grid], point=point)
    subject = prepare_subject(rows(t1=t1, flair=flair), modalities=["t1", "flair"], reference="flair", scaling="median")
    expected = np.round(np.linalg.solve(subject.affine, [*point, 1])[:3]).astype(int)
    for channel in subject.volume:
        weights = np.clip(channel - 1.5, 0, None)
        centroid = np.array([(weights * axis).sum() / weights.sum() for axis in np.indices(weights.shape)])
        assert np.abs(centroid - expected).max() < 1


@pytest.mark.parametrize("grid", GRIDS)
def test_a_map_returns_to_the_axes_of_the_original_scan(tmp_path, grid):
    point = (12.0, -14.0, 8.0)
    path = write(tmp_path, "flair", *GRIDS[grid], point=point)
    subject = prepare_subject(rows(flair=path), modalities=["flair"], reference="flair", scaling="median")
    stored = nibabel.load(path)
    back = to_source_space(subject.volume[0], subject)
    assert back.shape == stored.shape
    assert np.allclose(back.affine, stored.affine)
    inside = np.asarray(back.dataobj) > 0
    ratio = np.asarray(stored.dataobj)[inside] / np.asarray(back.dataobj)[inside]
    assert np.ptp(ratio) / ratio.mean() < 1e-4
    known = tuple(np.round(np.linalg.solve(stored.affine, [*point, 1])[:3]).astype(int))
    assert np.asarray(back.dataobj)[known] == np.asarray(back.dataobj).max()


@settings(max_examples=20)
@given(flips=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3), order=st.permutations(range(3)))
def test_the_round_trip_is_exact_for_every_orientation(tmp_path_factory, flips, order):
    folder = tmp_path_factory.mktemp("scan")
    matrix = np.zeros((3, 3))
    for axis, (flip, to) in enumerate(zip(flips, order, strict=True)):
        matrix[to, axis] = flip * 3
    path = write(folder, "flair", (30, 32, 34), matrix, point=(9.0, 3.0, -6.0))
    subject = prepare_subject(rows(flair=path), modalities=["flair"], reference="flair", scaling="median")
    assert nibabel.aff2axcodes(subject.affine) == ("R", "A", "S")
    back = to_source_space(subject.volume[0], subject)
    assert np.allclose(back.affine, nibabel.load(path).affine)
    assert np.argmax(np.asarray(back.dataobj)) == np.argmax(np.asarray(nibabel.load(path).dataobj))


def test_intensities_are_scaled_by_the_median_inside_and_zero_outside(tmp_path):
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    subject = prepare_subject(rows(flair=path), modalities=["flair"], reference="flair", scaling="median")
    assert np.median(subject.volume[0][subject.mask]) == pytest.approx(1, abs=0.01)
    assert subject.volume[0][~subject.mask].max() == 0
    assert subject.native_shape == (48, 48, 24)
    assert subject.spacing == pytest.approx((2, 2, 4))


def test_a_lesion_mask_on_another_grid_is_resampled(tmp_path):
    scan = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    shape, matrix = GRIDS["PIR"]
    affine = centred(shape, matrix)
    lesion = (head(shape, affine, point=(12.0, -14.0, 8.0)) > 300).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(lesion, affine), tmp_path / "mask.nii.gz")
    table = rows(flair=scan)
    table["lesion_mask_path"] = str(tmp_path / "mask.nii.gz")
    subject = prepare_subject(table, modalities=["flair"], reference="flair", scaling="median")
    centre = nibabel.affines.apply_affine(subject.affine, np.argwhere(subject.lesion).mean(axis=0))
    assert np.abs(centre - [12, -14, 8]).max() < 2


def test_scans_that_do_not_overlap_are_refused(tmp_path):
    flair = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    affine = centred((48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    affine[:3, 3] += 500
    nibabel.save(nibabel.Nifti1Image(head((48, 48, 24), affine, centre=(500, 500, 500)), affine), tmp_path / "t1.nii")
    with pytest.raises(ScanError, match="partial coverage"):
        prepare_subject(
            rows(t1=tmp_path / "t1.nii", flair=flair), modalities=["t1", "flair"], reference="flair", scaling="median"
        )


@pytest.mark.parametrize("slices", [17, 9])
def test_voxels_outside_one_modality_are_masked_in_all(tmp_path, slices):
    shape, matrix = (48, 48, 24), np.diag([2.0, 2.0, 4.0])
    flair = write(tmp_path, "flair", shape, matrix)
    affine = centred(shape, matrix)
    nibabel.save(nibabel.Nifti1Image(head(shape, affine)[:, :, :slices], affine), tmp_path / "t1.nii")
    scans, choices = rows(flair=flair, t1=tmp_path / "t1.nii"), {"reference": "flair", "scaling": "median"}
    whole = prepare_subject(scans[:1], modalities=["flair"], **choices)
    if slices == 9:
        with pytest.raises(ScanError, match="partial coverage") as raised:
            prepare_subject(scans, modalities=["flair", "t1"], **choices)
        assert "28 %" in str(raised.value)  # a cap of 28 mm of a ball of 40 mm
        return
    subject = prepare_subject(scans, modalities=["flair", "t1"], **choices)
    mask, wider = (one.on_native_grid(one.mask) for one in (subject, whole))
    assert np.array_equal(mask[:, :, :slices], wider[:, :, :slices])
    assert not mask[:, :, slices:].any()
    assert (subject.volume[:, subject.mask] > 0).all()
    share = wider[:, :, :slices].sum() / wider.sum()
    assert subject.appearance["t1_covered"] == pytest.approx(share) and 0.7 < share < 0.9


def masked(tmp_path, column, mask, affine, codes=1):
    image = nibabel.Nifti1Image(mask.astype(np.uint8), affine)
    image.set_sform(affine, codes)
    image.set_qform(affine, codes)
    nibabel.save(image, tmp_path / "mask.nii.gz")
    scans = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    scans[column] = str(tmp_path / "mask.nii.gz")
    return prepare_subject(scans, modalities=["flair"], reference="flair", scaling="median")


@pytest.mark.parametrize("column", ["brain_mask_path", "lesion_mask_path"])
def test_a_mask_without_orientation_or_outside_the_scan_is_refused(tmp_path, column):
    affine = centred((48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    mask = np.zeros((48, 48, 24))
    mask[20:28, 18:24, 10:14] = 1
    at = "mask" if column == "brain_mask_path" else "lesion"
    for drawn in (mask, mask[..., None]):
        subject = masked(tmp_path, column, drawn, affine)
        assert np.array_equal(subject.on_native_grid(getattr(subject, at)), mask > 0)
    with pytest.raises(ScanError, match="no orientation"):
        masked(tmp_path, column, mask, affine, codes=0)
    affine[:3, 3] += 300
    with pytest.raises(ScanError, match="mask elsewhere"):
        masked(tmp_path, column, mask, affine)


def test_a_lesion_outside_the_brain_is_refused_and_an_empty_lesion_mask_is_accepted(tmp_path):
    affine = centred((48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    mask = np.zeros((48, 48, 24))
    assert not masked(tmp_path, "lesion_mask_path", mask, affine).lesion.any()
    mask[:2, :2, :2] = 1
    with pytest.raises(ScanError, match="mask elsewhere"):
        masked(tmp_path, "lesion_mask_path", mask, affine)


def test_the_brain_mask_is_named_where_the_lesion_lies_outside_of_it(tmp_path):
    """It may be the wrong one: saved without its affine, or inverted."""
    affine = centred((48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    brain, lesion = np.zeros((2, 48, 48, 24), np.uint8)
    brain[2:20, 2:20, 2:12] = lesion[30:34, 30:34, 14:16] = 1
    scans = rows(flair=write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0])))
    for name, values in (("brain", brain), ("lesion", lesion)):
        nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / f"{name}.nii")
        scans[f"{name}_mask_path"] = str(tmp_path / f"{name}.nii")
    with pytest.raises(ScanError, match=r"the other is the brain mask .*brain\.nii") as raised:
        prepare_subject(scans, modalities=["flair"], reference="flair", scaling="median")
    assert raised.value.where.endswith("lesion.nii")


def test_a_brain_mask_on_another_grid_defines_the_foreground(tmp_path):
    scan = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    shape, matrix = GRIDS["oblique"]
    affine = centred(shape, matrix)
    world = nibabel.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))
    brain = (np.linalg.norm(world, axis=-1) < 25).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(brain, affine), tmp_path / "brain.nii.gz")
    table = rows(flair=scan).assign(brain_mask_path=str(tmp_path / "brain.nii.gz"))
    subject = prepare_subject(table, modalities=["flair"], reference="flair", scaling="median")
    volume_ml = subject.mask.sum() * 16 / 1000
    assert volume_ml == pytest.approx(4 / 3 * np.pi * 2.5**3, rel=0.05)
    assert not subject.volume[0][~subject.mask].any()
    elsewhere = affine.copy()
    elsewhere[:3, 3] += 400
    nibabel.save(nibabel.Nifti1Image(brain, elsewhere), tmp_path / "brain.nii.gz")
    with pytest.raises(ScanError, match="mask elsewhere"):
        prepare_subject(table, modalities=["flair"], reference="flair", scaling="median")


def test_an_oblique_reference_keeps_its_grid(tmp_path):
    point = (12.0, -14.0, 8.0)
    flair = write(tmp_path, "flair", *GRIDS["oblique"], point=point)
    t1 = write(tmp_path, "t1", *GRIDS["PIR"], point=point)
    subject = prepare_subject(rows(t1=t1, flair=flair), modalities=["t1", "flair"], reference="flair", scaling="median")
    stored = nibabel.load(flair)
    assert np.allclose(subject.affine[:3, :3], stored.affine[:3, :3])  # already closest to RAS, so it is not rotated
    assert np.allclose(subject.affine[:, 3], stored.affine @ [*subject.start, 1])
    inside = subject.on_native_grid(subject.mask)
    ratio = np.asarray(stored.dataobj)[inside] / subject.volume[1][subject.mask]
    assert np.ptp(ratio) / ratio.mean() < 1e-4  # not interpolated
    voxel = np.linalg.solve(subject.affine, [*point, 1])[:3].round().astype(int)
    assert (subject.volume[(slice(None), *voxel)] > 2).all()


def shifted(millimetres):
    """Return an alignment of a scan whose header is wrong by this much along x."""
    transform = np.eye(4)
    transform[0, 3] = millimetres
    return Alignment(transform.tolist(), millimetres, 0.0, 0.5, 1.0)


def test_an_aligned_scan_lies_on_the_reference_and_its_masks_move_with_it(tmp_path):
    """A mask on the grid of the moved scan was drawn on it; a mask on another grid lies with the reference."""
    point, shape, matrix = (12.0, -14.0, 8.0), (48, 48, 24), np.diag([2.0, 2.0, 4.0])
    flair = write(tmp_path, "flair", shape, matrix, point=point)
    t1_shape, t1_matrix = (60, 50, 40), np.diag([2.0, 2.5, 2.5])
    true = centred(t1_shape, t1_matrix)
    wrong = true.copy()
    wrong[0, 3] += 14
    scan = head(t1_shape, true, point=point)
    nibabel.save(nibabel.Nifti1Image(scan, wrong), tmp_path / "t1.nii")
    nibabel.save(nibabel.Nifti1Image((scan > 300).astype(np.uint8), wrong), tmp_path / "drawn_on_t1.nii.gz")
    other = centred(*GRIDS["PIR"])
    spot = (head(GRIDS["PIR"][0], other, point=point) > 300).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(spot, other), tmp_path / "elsewhere.nii.gz")
    table = rows(flair=flair, t1=tmp_path / "t1.nii")
    options = {"modalities": ["flair", "t1"], "reference": "flair", "scaling": "median"}
    for mask, moves in (("drawn_on_t1", True), ("elsewhere", False)):
        with_mask = table.assign(lesion_mask_path=str(tmp_path / f"{mask}.nii.gz"))
        subject = prepare_subject(with_mask, **options, alignments={"t1": shifted(14.0)})
        for volume in (*(subject.volume > 3), subject.lesion):
            centre = nibabel.affines.apply_affine(subject.affine, np.argwhere(volume).mean(axis=0))
            assert np.abs(centre - point).max() < 2
        believed = prepare_subject(with_mask, **options)
        centre = nibabel.affines.apply_affine(believed.affine, np.argwhere(believed.lesion).mean(axis=0))
        assert (abs(centre[0] - point[0] - 14) < 2) == moves


def test_a_brain_mask_in_the_row_of_one_scan_lies_with_that_scan(tmp_path):
    shape, matrix = (48, 48, 24), np.diag([2.0, 2.0, 4.0])
    affine = centred(shape, matrix)
    flair, t1 = write(tmp_path, "flair", shape, matrix), write(tmp_path, "t1", shape, matrix)
    brain = head(shape, affine) > 0
    nibabel.save(nibabel.Nifti1Image(brain.astype(np.uint8), affine), tmp_path / "brain.nii.gz")
    table = rows(flair=flair, t1=t1)
    options = {"modalities": ["flair", "t1"], "reference": "flair", "scaling": "median"}
    for modality, shift in (("t1", 8.0), ("flair", 0.0)):
        table["brain_mask_path"] = [str(tmp_path / "brain.nii.gz") if m == modality else "" for m in table["modality"]]
        subject = prepare_subject(table, **options, alignments={"t1": shifted(8.0)})
        centre = nibabel.affines.apply_affine(subject.affine, np.argwhere(subject.mask).mean(axis=0))
        assert centre[0] == pytest.approx(-shift, abs=1.0)


def test_bias_correction_keeps_the_mask_and_the_scale(tmp_path):
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    options = {"modalities": ["flair"], "reference": "flair", "scaling": "median"}
    plain, corrected = (prepare_subject(rows(flair=path), **options, bias_correction=b) for b in ("none", "n4"))
    assert np.array_equal(plain.mask, corrected.mask)
    assert np.median(corrected.volume[0][corrected.mask]) == pytest.approx(1, abs=0.01)
    assert not np.array_equal(plain.volume, corrected.volume)


def test_a_ball_has_no_place_in_the_template_and_says_how_far_it_reaches(tmp_path):
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    subject = prepare_subject(rows(flair=path), modalities=["flair"], reference="flair", scaling="median")
    assert subject.to_template is None and subject.shown["flair"].looks_like == ""
    assert subject.shown["flair"].coverage_mm == pytest.approx(80, abs=8)


CHANGES = {
    "padding": lambda v: np.where(v == 0, -1024, v),
    "NaN": lambda v: np.where(v == 0, np.nan, v),
    "a frame": lambda v: np.pad(v[2:-2, 2:-2, 2:-2], 2, constant_values=-2000),
    "shifted down": lambda v: v - 500,
    "shifted up": lambda v: v + 1000,
}


@pytest.mark.parametrize("change", CHANGES)
def test_shifts_and_padding_do_not_change_a_stripped_brain(tmp_path, change):
    """The import removes padding; a shift is removed here."""
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    stored = nibabel.load(path)
    other = CHANGES[change](np.asarray(stored.dataobj)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(without_padding(other), stored.affine), tmp_path / "other.nii")
    plain, changed = (
        prepare_subject(rows(flair=file), modalities=["flair"], reference="flair", scaling="median")
        for file in (path, tmp_path / "other.nii")
    )
    assert np.array_equal(changed.mask, plain.mask)
    assert np.allclose(changed.volume, plain.volume, atol=1e-4)
    assert changed.appearance == pytest.approx(plain.appearance, abs=1e-3, nan_ok=True)


def noisy_head(folder, shift=0.0, cut=None):
    """Write a ball in noisy air, with all intensities shifted, and 0 above a slice."""
    shape, matrix = (48, 48, 24), np.diag([2.0, 2.0, 4.0])
    affine = centred(shape, matrix)
    volume = head(shape, affine) + np.abs(np.random.default_rng(0).normal(0, 3, shape)) + shift
    volume[:, :, cut or 24 :] = 0
    path = folder / f"head_{shift:g}_{cut}.nii"
    nibabel.save(nibabel.Nifti1Image(volume.astype(np.float32), affine), path)
    return path


@pytest.mark.parametrize("shift", [-300.0, 1000.0])
def test_a_shift_does_not_change_a_noisy_head(tmp_path, shift):
    plain, shifted_ = (
        prepare_subject(rows(flair=file), modalities=["flair"], reference="flair", scaling="median")
        for file in (noisy_head(tmp_path), noisy_head(tmp_path, shift))
    )
    assert plain.foreground_ml == pytest.approx(4 / 3 * np.pi * 40**3 / 1000, rel=0.2)
    assert shifted_.foreground_ml == pytest.approx(plain.foreground_ml, rel=0.02)
    spreads = [one.volume[0][one.mask].std() for one in (plain, shifted_)]
    assert spreads[1] == pytest.approx(spreads[0], rel=0.05)


@pytest.mark.parametrize("shift", [-300.0, -60.0])
def test_a_shift_does_not_change_a_brain_in_a_narrow_field_of_view(tmp_path, shift):
    """Half of what surrounds the brain is scalp: its intensity is not that of air."""
    volumes = []
    for change in (0.0, shift):
        scan = nibabel.load(noisy_head(tmp_path, change))
        around = np.linalg.norm(np.moveaxis(np.indices(scan.shape), 0, -1) @ np.diag([2, 2, 4]) - [47, 47, 46], axis=-1)
        values = np.asarray(scan.dataobj) + np.where((around >= 40) & (around < 52), 60.0, 0)
        part = (slice(2, -2), slice(2, -2), slice(2, -2))
        narrow = nibabel.Nifti1Image(values.astype(np.float32), scan.affine).slicer[part]
        brain = nibabel.Nifti1Image((around < 40).astype(np.uint8), scan.affine).slicer[part]
        nibabel.save(narrow, tmp_path / "narrow.nii")
        nibabel.save(brain, tmp_path / "brain.nii")
        table = rows(flair=tmp_path / "narrow.nii").assign(brain_mask_path=str(tmp_path / "brain.nii"))
        subject = prepare_subject(table, modalities=["flair"], reference="flair", scaling="median")
        volumes.append(subject.volume[0][subject.mask])
    assert np.abs(volumes[1] - volumes[0]).max() < 0.05


def test_what_another_scan_does_not_show_is_no_brain(tmp_path):
    """A tool that brought the T1 to the grid of the FLAIR filled the outside of its field of view with 0."""
    table = rows(flair=noisy_head(tmp_path), t1=noisy_head(tmp_path, cut=16))
    subject = prepare_subject(table, modalities=["flair", "t1"], reference="flair", scaling="median")
    assert subject.start[2] + subject.mask.shape[2] == 16
    assert 0.6 < subject.appearance["t1_covered"] < 0.9


@pytest.mark.parametrize("column", ["brain_mask_path", "lesion_mask_path"])
def test_a_mask_that_marks_every_voxel_is_refused(tmp_path, column):
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    stored = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.ones(stored.shape, np.uint8), stored.affine), tmp_path / "mask.nii")
    table = rows(flair=path).assign(**{column: str(tmp_path / "mask.nii")})
    with pytest.raises(ScanError, match="mask without outside"):
        prepare_subject(table, modalities=["flair"], reference="flair", scaling="median")


def test_a_soft_brain_mask_keeps_its_volume_and_is_marked(tmp_path):
    path = write(tmp_path, "flair", (48, 48, 24), np.diag([2.0, 2.0, 4.0]))
    stored = nibabel.load(path)
    truth = np.asarray(stored.dataobj) > 0
    soft = ndimage.gaussian_filter(truth.astype(np.float32), (2, 2, 1))
    nibabel.save(nibabel.Nifti1Image(np.where(soft > 1e-6, soft, np.nan), stored.affine), tmp_path / "mask.nii")
    table = rows(flair=path).assign(brain_mask_path=str(tmp_path / "mask.nii"))
    subject = prepare_subject(table, modalities=["flair"], reference="flair", scaling="median")
    assert [(one.kind, one.cut) for one in subject.masks] == [("brain", True)]
    assert subject.mask.sum() == pytest.approx(truth.sum(), rel=0.06)
