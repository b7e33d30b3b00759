"""BraTS of every year: names, time points, masks."""

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.brats import Brats
from brain_cae.scans.store import import_series

from .layouts import touch, write_volume

OLD = ("flair", "t1", "t1ce", "t2", "seg")
NEW = ("t2f", "t1n", "t1c", "t2w", "seg")


@pytest.fixture
def root(tmp_path):
    folder = "MICCAI_BraTS2020_TrainingData/HGG/BraTS20_Training_001"
    touch(tmp_path, *(f"{folder}/BraTS20_Training_001_{ending}.nii" for ending in OLD))
    touch(tmp_path, *(f"BraTS2021_00000/BraTS2021_00000_{ending}.nii.gz" for ending in OLD))
    for name in ("BraTS-GLI-00005-000", "BraTS-GLI-00005-001"):
        touch(tmp_path, *(f"TrainingData/{name}/{name}-{ending}.nii.gz" for ending in NEW))
    return tmp_path


def test_names_of_every_year(root):
    scans = Brats(root).locate()
    assert len(scans) == 4 * 4
    assert {(one.subject, one.session) for one in scans} == {
        ("BraTS20_Training_001", ""), ("BraTS2021_00000", ""), ("BraTS-GLI-00005", "000"), ("BraTS-GLI-00005", "001")
    }  # fmt: skip
    assert {(one.label, one.skull, one.source) for one in scans} == {("abnormal", "stripped", "brats")}
    files = {(one.subject, one.session, one.modality): one.files[0].name for one in scans}
    assert files["BraTS20_Training_001", "", "t1ce"] == "BraTS20_Training_001_t1ce.nii"
    assert files["BraTS-GLI-00005", "001", "flair"] == "BraTS-GLI-00005-001-t2f.nii.gz"
    assert files["BraTS-GLI-00005", "001", "t1ce"] == "BraTS-GLI-00005-001-t1c.nii.gz"
    assert files["BraTS-GLI-00005", "000", "t1"] == "BraTS-GLI-00005-000-t1n.nii.gz"
    assert all(one.lesion_mask.name[:12] == one.files[0].name[:12] and "seg" in one.lesion_mask.name for one in scans)


def test_the_segmentation_with_another_name(tmp_path):
    folder = "BraTS20_Training_355"
    touch(tmp_path, f"{folder}/{folder}_flair.nii", f"{folder}/W39_1998.09.19_Segm.nii")
    (one,) = Brats(tmp_path, modalities=["flair"]).locate()
    assert one.lesion_mask.name == "W39_1998.09.19_Segm.nii"


def test_without_a_segmentation_there_is_no_mask(tmp_path):
    touch(tmp_path, "BraTS20_Validation_001/BraTS20_Validation_001_flair.nii")
    (one,) = Brats(tmp_path, modalities=["flair"]).locate()
    assert one.lesion_mask is None


def test_a_subject_is_used_once_and_the_report_lists_the_other_time_point(tmp_path):
    for number, name in enumerate(("BraTS-GLI-00005-000", "BraTS-GLI-00005-001", "BraTS-GLI-00007-000")):
        for ending in ("t1n", "t2f"):
            if (name, ending) != ("BraTS-GLI-00005-000", "t1n"):
                write_volume(
                    tmp_path / "data" / name / f"{name}-{ending}.nii.gz", seed=10 * number + len(ending + name)
                )
    modalities = ["t1", "flair"]
    locations = one_session(Brats(tmp_path / "data", modalities).locate(), modalities)
    result = import_series(locations, tmp_path / "store", progress=False)
    # The first time point lacks T1, so the second is used.
    assert result.index[["subject", "session"]].drop_duplicates().to_numpy().tolist() == [
        ["BraTS-GLI-00005", "001"], ["BraTS-GLI-00007", "000"]
    ]  # fmt: skip
    left = result.report[result.report["status"] == "refused"]
    assert left[["subject", "modality", "reason", "path"]].to_numpy().tolist() == [
        [
            "BraTS-GLI-00005", "flair", "another session was taken: 001",
            "BraTS-GLI-00005-000/BraTS-GLI-00005-000-t2f.nii.gz",
        ]
    ]  # fmt: skip


def test_a_missing_modality_is_located_without_files(root):
    (root / "BraTS2021_00000" / "BraTS2021_00000_t1.nii.gz").unlink()
    missing = [(one.subject, one.modality) for one in Brats(root).locate() if not one.files]
    assert missing == [("BraTS2021_00000", "t1")]


def test_one_scan_in_two_places_names_both(root):
    touch(root, "copy/BraTS2021_00000/BraTS2021_00000_t1.nii.gz")
    with pytest.raises(DatasetError, match=r"BraTS2021_00000 in .*BraTS2021_00000 and .*copy"):
        Brats(root).locate()


def test_a_modality_in_two_files_costs_only_that_scan(root):
    touch(root, "BraTS2021_00000/BraTS2021_00000_t1.nii", "BraTS2021_00000/BraTS2021_00000-seg.nii.gz")
    source = Brats(root, modalities=["t1"])
    scans = {(one.subject, one.session): one for one in source.locate()}
    twice = scans.pop(("BraTS2021_00000", ""))
    assert (twice.files, twice.lesion_mask) == ((), None)
    assert [(path.name, reason) for path, reason in twice.left_out] == [
        ("BraTS2021_00000_t1.nii", "several candidates"), ("BraTS2021_00000_t1.nii.gz", "several candidates"),
    ]  # fmt: skip
    assert len(scans) == 3 and all(one.files for one in scans.values())
    assert source.notes() == ["1 scan has several lesion masks, none of which is used: BraTS2021_00000."]


def test_radiotherapy_scans_have_a_skull_and_other_masks(tmp_path):
    for name in ("BraTS-MEN-RT-0000-1", "BraTS-MEN-RT-0000-2"):
        touch(tmp_path, f"{name}/{name}_t1c.nii.gz", f"{name}/{name}_gtv.nii.gz")
    scans = Brats(tmp_path, modalities=["t1ce"]).locate()
    assert [(one.subject, one.session, one.skull, one.lesion_mask.name) for one in scans] == [
        ("BraTS-MEN-RT-0000", "1", "on", "BraTS-MEN-RT-0000-1_gtv.nii.gz"),
        ("BraTS-MEN-RT-0000", "2", "on", "BraTS-MEN-RT-0000-2_gtv.nii.gz"),
    ]


def test_names_that_differ_in_the_last_part_alone_may_be_one_patient(tmp_path):
    """Names of UPENN-GBM: 11 is the scan before surgery, 21 a later one of the same patient."""
    for name in ("UPENN-GBM-00001_11", "UPENN-GBM-00001_21", "UPENN-GBM-00002_11", "UPENN-GBM-00003_11"):
        touch(tmp_path, f"{name}/{name}_T1.nii.gz")
    source = Brats(tmp_path, modalities=["t1"])
    source.locate()
    (note,) = source.notes()
    assert "count as different people" in note.replace("counts", "count")
    assert note.endswith(": UPENN-GBM-00001_11 and UPENN-GBM-00001_21.")


def test_masks_may_lie_in_a_folder_of_their_own(tmp_path):
    names = ("UPENN-GBM-00001_11", "UPENN-GBM-00002_11", "UPENN-GBM-00003_11")
    touch(tmp_path, *(f"images_structural/{name}/{name}_T1.nii.gz" for name in names))
    touch(tmp_path, *(f"automated_segm/{name}_automated_approx_segm.nii.gz" for name in names))
    touch(tmp_path, f"images_segm/{names[0]}_segm.nii.gz", f"images_segm/{names[1]}_segm.nii.gz")
    touch(tmp_path, f"images_structural/{names[1]}/{names[1]}_seg.nii.gz")
    source = Brats(tmp_path, modalities=["t1"])
    assert [one.lesion_mask and one.lesion_mask.name for one in source.locate()] == [
        f"{names[0]}_segm.nii.gz", f"{names[1]}_seg.nii.gz", None,
    ]  # fmt: skip
    (note,) = source.notes()
    assert note.startswith("4 files are not named") and f"images_segm/{names[1]}_segm.nii.gz" in note


def test_further_files_of_a_scan_are_noted(root):
    touch(root, "BraTS2021_00000/BraTS2021_00000_seg_corrected.nii.gz")
    source = Brats(root)
    source.locate()
    (note,) = source.notes()
    assert note.endswith("left out: BraTS2021_00000/BraTS2021_00000_seg_corrected.nii.gz.")


def test_files_with_other_names_are_noted(root):
    touch(root, "TrainingData/BraTS-MEN-RT-0001-1/scan_t1c.nii.gz", "name_mapping.csv")
    source = Brats(root)
    source.locate()
    assert len(source.notes()) == 1 and "BraTS-MEN-RT-0001-1/scan_t1c.nii.gz" in source.notes()[0]


def test_a_wrong_root_says_what_was_expected_and_what_is_there(tmp_path):
    with pytest.raises(DatasetError, match="does not exist"):
        Brats(tmp_path / "nowhere").locate()
    touch(tmp_path, "images/brain1.nii.gz")
    with pytest.raises(DatasetError, match="BraTS20_Training_001") as raised:
        Brats(tmp_path).locate()
    assert "files with other names: images/brain1.nii.gz" in str(raised.value)
    assert "dataset.root" in str(raised.value)


def test_header_and_image_of_a_pair_are_one_scan(tmp_path):
    name = "BraTS20_Training_001"
    touch(tmp_path, *(f"{name}/{name}_{ending}" for ending in ("flair.hdr", "flair.img", "seg.nii.gz")))
    source = Brats(tmp_path, modalities=["flair"])
    (one,) = source.locate()
    assert [path.name for path in one.files] == [f"{name}_flair.hdr", f"{name}_flair.img"] and source.notes() == []


def test_a_line_of_series_csv_selects_one_of_two_files(root):
    folder = root / "BraTS2021_00000"
    touch(root, "BraTS2021_00000/BraTS2021_00000_t1.nii")
    (root / "series.csv").write_text("subject,modality,path\nBraTS2021_00000,t1,BraTS2021_00000_t1.nii\n")
    (one,) = [one for one in Brats(root, modalities=["t1"]).locate() if one.subject == "BraTS2021_00000"]
    assert one.files == (folder / "BraTS2021_00000_t1.nii",)
    assert one.left_out == ((folder / "BraTS2021_00000_t1.nii.gz", "another scan was taken: it was chosen"),)


def test_folders_named_like_files_are_read_and_other_formats_are_noted(tmp_path):
    """A copy of BraTS 2021 on the web has each file in a folder of its name."""
    touch(
        tmp_path, "BraTS2021_00000/BraTS2021_00000_t1.nii/00000057_brain_t1.nii", "TrainingData.zip", ".old/x",
        "BraTS2021_00000/BraTS2021_00000_seg.nii/00000057_final_seg.nii", "2015/VSD.Brain.XX.MR_T1.54513.mha",
    )  # fmt: skip
    (tmp_path / "BraTS2021_00000/BraTS2021_00000_seg.nii.gz").symlink_to(tmp_path / "gone")
    source = Brats(tmp_path, modalities=["t1"])
    (scan,) = source.locate()
    assert scan.subject == "BraTS2021_00000" and scan.files[0].name == "00000057_brain_t1.nii"
    assert scan.lesion_mask.name == "00000057_final_seg.nii"
    assert source.notes() == [
        "2 files have a format that is not read; convert them to .nii.gz, or unpack them: "
        "2015/VSD.Brain.XX.MR_T1.54513.mha, TrainingData.zip.",
        "1 link is broken; get the files: BraTS2021_00000/BraTS2021_00000_seg.nii.gz.",
        "1 hidden file or folder is not read: .old.",
    ]
