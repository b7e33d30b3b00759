"""Tables and masks name patients by number or pseudonym; only pseudonyms leave."""

import gzip

import nibabel
import numpy as np
import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.people import People, copy_mask

from .layouts import touch

NAMES = Pseudonyms(b"k" * 32)
IDENTIFIERS = ("0012", "A7", "12-b", "2019/Doe")
PEOPLE = People({NAMES.patient(one): one for one in IDENTIFIERS} | {"p-0123456789ab": ""}, NAMES)


@pytest.fixture
def labels(tmp_path):
    """Read labels from lines of a table."""

    def read(*lines, people=PEOPLE):
        (tmp_path / "labels.csv").write_text("\n".join(("Subject,Label", *lines)), encoding="utf-8")
        return people.labels(tmp_path / "labels.csv", otherwise="unknown")

    return read


@pytest.mark.parametrize(
    ("written", "meant"),
    [("0012", "0012"), ("12", "0012"), ("12.0", "0012"), ("a7", "A7"), (" A7 ", "A7"), ("12_B", "12-b"),
     (NAMES.patient("A7"), "A7")],
)  # fmt: skip
def test_a_patient_is_found_by_number_and_pseudonym(labels, written, meant):
    assert labels(f"{written},healthy")[0] == {NAMES.patient(meant): "healthy"}
    assert PEOPLE.find(written) == NAMES.patient(meant)
    assert PEOPLE.find("p-0123456789ab") == "p-0123456789ab" and PEOPLE.find("7") is None


def test_a_name_for_two_patients_stops_without_naming_them(labels):
    both = People({NAMES.patient(one): one for one in ("012", "12")}, NAMES)
    known, _ = labels("12,healthy", "012,abnormal", people=both)
    assert known == {NAMES.patient("12"): "healthy", NAMES.patient("012"): "abnormal"}
    assert both.alike() == [f"{NAMES.patient('012')} and {NAMES.patient('12')}"]
    with pytest.raises(DatasetError, match="could stand for several") as raised:
        labels("0012,healthy", people=both)
    assert NAMES.patient("012") in str(raised.value) and "0012" not in str(raised.value).replace(
        str(raised.value.where), ""
    )
    with pytest.raises(DatasetError, match="belong to one patient"):
        labels("A7,healthy", f"{NAMES.patient('A7')},abnormal")


@pytest.mark.parametrize("label", ["", "n/a", "NaN"])
def test_a_line_without_a_label_counts_as_none(labels, label):
    known, _ = labels(f"12,{label}", "A7,abnormal")
    assert known == {NAMES.patient("A7"): "abnormal"}
    with pytest.raises(DatasetError, match=r"labels have no scans") as raised:
        labels(f"12,{label}", "2018/Roe,abnormal")
    assert "(line 3)" in str(raised.value)


def test_labels_and_patients_left_over_stop_the_run_without_naming_them(labels):
    with pytest.raises(DatasetError, match="labels have no scans") as raised:
        labels("12,healthy", "2018/Roe,abnormal")
    assert f"{NAMES.patient('2018/Roe')} (line 3)" in str(raised.value)
    assert NAMES.patient("2019/Doe") in str(raised.value)
    assert "Doe" not in str(raised.value) and "Roe" not in str(raised.value)


def test_notes_name_patients_by_pseudonym_and_line(labels):
    everybody = [f"{one},healthy" for one in ("12", "A7", "12-b", "2019/Doe", "p-0123456789ab")]
    known, notes = labels(*everybody, "2018/Roe,abnormal")
    assert len(known) == 5
    assert notes == [
        f"1 label is matched with a PatientID that is written in another way: {NAMES.patient('0012')} (line 2).",
        f"1 labelled subject has no scans and is left out: {NAMES.patient('2018/Roe')} (line 7).",
    ]
    assert labels("A7,abnormal")[1][0].startswith("4 subjects have no label and are treated as unknown: p-")
    with pytest.raises(DatasetError, match="line 3"):
        labels("0012,healthy", "A7,sick")


def test_masks_in_every_form_of_file_find_their_patient_and_the_others_are_noted(tmp_path):
    touch(tmp_path, "masks/12.nii.gz", f"masks/{NAMES.patient('A7')}.hdr", f"masks/{NAMES.patient('A7')}.img",
          "masks/12-B.nii/any.nii", "masks/Doe.nrrd", "masks/Roe.nii")  # fmt: skip
    masks, notes = PEOPLE.masks(tmp_path / "masks")
    assert {one: path.relative_to(tmp_path / "masks").as_posix() for one, path in masks.items()} == {
        NAMES.patient("0012"): "12.nii.gz", NAMES.patient("A7"): f"{NAMES.patient('A7')}.hdr",
        NAMES.patient("12-b"): "12-B.nii/any.nii",
    }  # fmt: skip
    text = " ".join(notes)
    assert (
        "1 file has a format that is not read" in text and f"not named after a subject: {NAMES.patient('Roe')}" in text
    )
    assert "Doe" not in text and "Roe" not in text
    touch(tmp_path, "masks/A7.nii")
    with pytest.raises(DatasetError, match="belong to one patient"):
        PEOPLE.masks(tmp_path / "masks")


def test_a_copied_mask_has_the_same_voxels_and_no_text(tmp_path):
    path = tmp_path / "masks" / "Doe.nii.gz"
    path.parent.mkdir()
    values = np.random.default_rng(0).integers(0, 2, (4, 5, 6)).astype(np.uint8)
    affine = np.diag([-1.0, 2.0, 3.0, 1.0])
    image = nibabel.Nifti1Image(values, affine)
    image.header["descrip"], image.header["aux_file"] = b"Doe^John", b"Doe"
    nibabel.save(image, path)
    copy = nibabel.load(copy_mask(path, tmp_path / "p-1.nii.gz"))
    assert np.array_equal(np.asanyarray(copy.dataobj), values) and np.array_equal(copy.affine, affine)
    content = (tmp_path / "p-1.nii.gz").read_bytes()
    assert b"Doe" not in content and b"Doe" not in gzip.decompress(content)
    (tmp_path / "masks" / "Roe.nii.gz").write_bytes(b"damaged")
    assert copy_mask(tmp_path / "masks" / "Roe.nii.gz", tmp_path / "p-2.nii.gz") is None
