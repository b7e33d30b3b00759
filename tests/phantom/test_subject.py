import numpy as np
import pytest
from scipy import ndimage

from brain_cae.phantom import PhantomSettings, Subject, simulate_subject
from brain_cae.phantom.acquisition import sample_canvas
from brain_cae.phantom.protocol import MODALITIES, PROTOCOLS
from brain_cae.phantom.signal import TISSUES
from brain_cae.phantom.subject import _build_brain


def test_same_settings_same_pixels(settings: PhantomSettings, healthy: Subject) -> None:
    again = simulate_subject(settings, healthy.number)
    for modality in MODALITIES:
        np.testing.assert_array_equal(again.series[modality].pixels, healthy.series[modality].pixels)


def test_another_seed_gives_another_brain(healthy: Subject) -> None:
    other = simulate_subject(PhantomSettings(subjects=6, seed=4, abnormal_fraction=0.5), healthy.number)
    assert other.age != healthy.age or other.protocol != healthy.protocol
    first, second = (s.series["flair"].pixels for s in (other, healthy))
    assert first.shape != second.shape or (first != second).mean() > 0.1


def test_leaving_lesions_out_changes_nothing_but_the_lesion(tumour: Subject) -> None:
    settings = PhantomSettings(subjects=6, seed=3, abnormal_fraction=0.5, lesions=False)
    without = simulate_subject(settings, tumour.number)
    assert (without.label, without.age, without.sex, without.year) == (1, tumour.age, tumour.sex, tumour.year)
    assert without.protocol is tumour.protocol
    assert without.lesion is None
    assert not without.lesion_mask.any()
    for modality in MODALITIES:
        a, b = without.series[modality], tumour.series[modality]
        np.testing.assert_array_equal(a.grid.affine, b.grid.affine)
        np.testing.assert_array_equal(a.pixels > 0, b.pixels > 0)
    # Far from the tumour, where no tissue was displaced, the pixels are identical.
    far = ndimage.distance_transform_edt(~tumour.lesion_mask) > 0.8 * max(tumour.lesion_mask.shape) / 2
    far &= without.series["flair"].pixels > 0
    a, b = (s.series["flair"].pixels[far].astype(float) for s in (without, tumour))
    assert np.corrcoef(a, b)[0, 1] > 0.98
    assert tumour.lesion_mask.any()


def test_leaving_series_out_changes_no_other(settings: PhantomSettings, tumour: Subject) -> None:
    alone = simulate_subject(settings, tumour.number, modalities=("flair",))
    np.testing.assert_array_equal(alone.series["flair"].pixels, tumour.series["flair"].pixels)


@pytest.mark.parametrize("number", range(3))
def test_pixels_have_the_contrast_of_their_modality(number: int) -> None:
    subject = simulate_subject(PhantomSettings(subjects=6, seed=3, abnormal_fraction=0.0), number)
    anatomy, _, _ = _build_brain(
        PhantomSettings(subjects=6, seed=3, abnormal_fraction=0.0), number, subject.age, subject.sex, has_lesion=False
    )
    medians = {}
    for modality, series in subject.series.items():
        sampled = {n: sample_canvas(anatomy.onto_canvas(f), anatomy, series.grid) for n, f in anatomy.fractions.items()}
        # Only fluid of the ventricles: at the brain's border the mask cuts through the fluid.
        inner = sample_canvas(anatomy.onto_canvas(anatomy.ventricle_distance_mm < 2), anatomy, series.grid) > 0.9
        sampled["fluid"] *= inner
        medians[modality] = {n: np.median(series.pixels[sampled[n] > 0.9]) for n in ("white", "grey", "fluid")}
    assert medians["t1"]["white"] > medians["t1"]["grey"] > medians["t1"]["fluid"]
    assert medians["t2"]["fluid"] > medians["t2"]["grey"] > medians["t2"]["white"]
    assert medians["flair"]["grey"] > medians["flair"]["white"]
    assert medians["flair"]["fluid"] < 0.5 * medians["flair"]["white"]


def test_stripped_background_is_zero_and_shell_is_not(healthy: Subject) -> None:
    shell = simulate_subject(
        PhantomSettings(subjects=6, seed=3, abnormal_fraction=0.5, head_shell=True), healthy.number, modalities=("t1",)
    ).series["t1"]
    stripped = healthy.series["t1"]
    assert 0.2 < (stripped.pixels > 0).mean() < 0.7
    assert (stripped.pixels[:, :2, :2] == 0).all()
    assert shell.pixels.shape == stripped.pixels.shape
    assert (shell.pixels > 0).mean() > 0.9
    outside = stripped.pixels == 0
    # Fat of the scalp is the brightest tissue of a T1.
    assert np.percentile(shell.pixels[outside], 99) > np.median(stripped.pixels[~outside])


def test_lesion_mask_marks_bright_flair_inside_the_brain(tumour: Subject) -> None:
    flair = tumour.series["flair"].pixels
    assert (flair[tumour.lesion_mask] > 0).all()
    mask, affine = tumour.mask_volume()
    volume, flair_affine = tumour.series["flair"].volume()
    assert mask.shape == volume.shape
    np.testing.assert_array_equal(affine, flair_affine)
    assert mask.sum() == tumour.lesion_mask.sum() > 20


def test_rim_takes_up_contrast() -> None:
    rim = TISSUES[3.0]["rim"]
    t1ce = PROTOCOLS[0].series["t1ce"]
    assert t1ce.signal(rim.enhanced(0.5, 3.0)) > 1.3 * t1ce.signal(TISSUES[3.0]["white"]) > 1.3 * t1ce.signal(rim)
