"""Masks that are odd are named, and sound ones are not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from brain_cae.data.subject import MaskFacts
from brain_cae.stages.masks import mask_cautions
from brain_cae.vocabulary import Serious

LABELS = pd.Series({"a": "abnormal", "b": "abnormal", "c": "healthy"})
BRAIN = np.ones((4, 4, 4), bool)


def subject(*masks, lesion=None):
    lesion = None if lesion is None else np.arange(64).reshape(4, 4, 4) < 64 * lesion
    return SimpleNamespace(masks=masks, mask=BRAIN, lesion=lesion, has_lesion=lesion is not None and bool(lesion.any()))


def test_sound_masks_raise_no_caution():
    whole = (MaskFacts("brain"), MaskFacts("lesion", outside=0.3))
    prepared = {"a": subject(*whole, lesion=0.1), "b": subject(), "c": subject(MaskFacts("lesion"), lesion=0)}
    assert mask_cautions(LABELS, prepared) == []


def test_empty_lesion_masks_of_abnormal_subjects_are_named():
    (caution,) = mask_cautions(LABELS, {name: subject(lesion=0) for name in "ac"})
    assert caution.startswith("1 abnormal subject has an empty lesion mask and counts for detection")
    assert caution.endswith(": a.")


def test_soft_masks_are_counted_and_named():
    prepared = {"b": subject(), "c": subject(MaskFacts("brain", cut=True), MaskFacts("lesion", cut=True))}
    (caution,) = mask_cautions(LABELS, prepared)
    assert caution.startswith("2 masks hold grey values, probabilities or interpolated labels: voxels below half of")
    assert caution.endswith(": c (brain mask), c (lesion mask).")


def test_masks_of_negative_labels_are_named_whatever_the_label_of_the_subject():
    (caution,) = mask_cautions(LABELS, {"c": subject(MaskFacts("lesion", negative=True), lesion=0)})
    assert caution.startswith("1 mask marks nothing, because its labels are below 0") and caution.endswith(
        ": c (lesion mask)."
    )


def test_masks_that_lie_elsewhere_are_named_with_the_distance():
    prepared = {"a": subject(MaskFacts("lesion", beside="t1", apart_mm=17.3)), "b": subject(MaskFacts("brain"))}
    (caution,) = mask_cautions(LABELS, prepared)
    assert caution.startswith("1 mask has as many voxels as a scan but lies elsewhere according to the header")
    assert caution.endswith(": a (lesion mask, 17 mm from the t1).")


def test_brain_masks_with_large_holes_are_named():
    prepared = {"a": subject(MaskFacts("brain", hole_ml=31.2)), "b": subject(MaskFacts("brain", hole_ml=4))}
    (caution,) = mask_cautions(LABELS, prepared)
    assert caution.startswith("1 brain mask has holes of more than 5 mL") and caution.endswith(": a (31 mL).")


def test_masks_that_lie_mostly_outside_are_named():
    prepared = {"a": subject(MaskFacts("brain", outside=0.6), MaskFacts("lesion", outside=0.93))}
    lesion, brain = mask_cautions(LABELS, prepared)
    assert lesion.startswith("1 lesion mask lies mostly outside the brain") and lesion.endswith(": a (93 %).")
    assert brain.startswith("1 brain mask lies mostly outside the scan") and brain.endswith(": a (60 %).")


def test_a_lesion_of_a_healthy_subject_is_named():
    (caution,) = mask_cautions(LABELS, {name: subject(lesion=0.1) for name in "abc"})
    assert caution.startswith("1 healthy subject has a lesion mask that is not empty") and caution.endswith(": c.")


def test_a_lesion_of_most_of_the_brain_is_named():
    """Such as a brain mask or the scan itself in the folder of the lesion masks."""
    (caution,) = mask_cautions(LABELS, {"a": subject(lesion=0.75), "b": subject(lesion=0.5)})
    assert caution.startswith("1 lesion mask covers most of the brain") and caution.endswith(": a (75 %).")


def test_a_brain_mask_of_no_brain_is_a_serious_caution_of_its_subject():
    prepared = {"a": subject(MaskFacts("brain", volume_ml=46.2, plausible=False)), "b": subject(MaskFacts("brain"))}
    (caution,) = mask_cautions(LABELS, prepared)
    assert caution.startswith(
        "1 brain mask has a volume that no brain of an adult has (600 to 2300 mL, less in a slab)"
    )
    assert caution.endswith(": a (46 mL).")
    assert isinstance(caution, Serious) and caution.subjects == {"a"}
