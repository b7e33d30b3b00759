"""Tables and masks name patients by number or pseudonym; only pseudonyms leave."""

import gzip

import nibabel
import numpy as np
import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.people import People, copy_mask, find_masks, read_labels

NAMES = Pseudonyms(b"k" * 32)
IDENTIFIERS = ("0012", "A7", "12-b", "")
PEOPLE = People({NAMES.patient(one): one for one in IDENTIFIERS}, NAMES)


@pytest.mark.parametrize(
    ("written", "meant"), [("0012", "0012"), ("12", "0012"), ("a7", "A7"), (" A7 ", "A7"), (NAMES.patient("A7"), "A7")]
)
def test_a_patient_is_found_by_number_and_pseudonym(written, meant):
    assert PEOPLE.match([(written, "healthy")]) == ({NAMES.patient(meant): "healthy"}, [])


def test_other_spellings_count_only_if_they_mean_one_patient():
    both = People({NAMES.patient(one): one for one in ("012", "12")}, NAMES)
    assert both.match([("12", 1), ("012", 2)])[0] == {NAMES.patient("12"): 1, NAMES.patient("012"): 2}
    assert both.match([("0012", 1)])[0] == {}


def test_strangers_are_named_by_pseudonym():
    assert PEOPLE.match([("Doe", 1)]) == ({}, [NAMES.patient("Doe")])


def test_two_names_of_one_patient_must_agree(tmp_path):
    with pytest.raises(DatasetError, match="belong to one patient"):
        PEOPLE.match([("12", "healthy"), ("0012", "abnormal")])
    (tmp_path / "labels.csv").write_text("Subject,Label\n0012,Healthy\nA7,sick\n")
    with pytest.raises(DatasetError, match="line 3"):
        read_labels(tmp_path / "labels.csv")


def test_a_copied_mask_has_the_same_voxels_and_no_text(tmp_path):
    path = tmp_path / "masks" / "Doe.nii.gz"
    path.parent.mkdir()
    values = np.random.default_rng(0).integers(0, 2, (4, 5, 6)).astype(np.uint8)
    affine = np.diag([-1.0, 2.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(values, affine)
    image.header["descrip"], image.header["aux_file"] = b"Doe^John", b"Doe"
    nibabel.save(image, path)
    assert find_masks(path.parent) == [("Doe", path)]
    copy = nibabel.load(copy_mask(path, tmp_path / "p-1.nii.gz"))
    assert np.array_equal(np.asanyarray(copy.dataobj), values) and np.array_equal(copy.affine, affine)
    content = (tmp_path / "p-1.nii.gz").read_bytes()
    assert b"Doe" not in content and b"Doe" not in gzip.decompress(content)
    (tmp_path / "masks" / "Roe.nii.gz").write_bytes(b"damaged")
    assert copy_mask(tmp_path / "masks" / "Roe.nii.gz", tmp_path / "p-2.nii.gz") is None
