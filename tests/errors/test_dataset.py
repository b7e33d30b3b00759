"""Data sets that cannot be used, and problems that only cause a note."""

import json
import shutil

import pytest

from tests.scans.sources.hospital import EXAM, flat, write_exam


def missing_folder(root, brain):
    pass


def empty_folder(root, brain):
    root.mkdir()


def a_file(root, brain):
    root.write_text("no folder")


def missing_modality(root, brain):
    brain(root / "a" / "t1.nii.gz")


def undeclared_label(root, brain):
    brain(root / "a" / "t1.nii.gz")
    brain(root / "a" / "flair.nii.gz", seed=1)
    (root / "labels.csv").write_text("subject,label\na,benign\n")


def subject_twice(root, brain):
    brain(root / "a" / "t1.nii.gz")
    (root / "labels.csv").write_text("subject,label\na,healthy\na,abnormal\n")


def several_tables(root, brain):
    brain(root / "a" / "t1.nii.gz")
    for name in ("Labels.csv", "labels (1).csv"):
        (root / name).write_text("subject,label\na,healthy\n")


def ambiguous_label(root, brain):
    for name in ("01", "001"):
        brain(root / name / "t1.nii.gz")
    (root / "labels.csv").write_text("subject,label\n1,healthy\n")


def lost_label(root, brain):
    for name in ("patient_a", "patient_b"):
        brain(root / name / "t1.nii.gz")
    (root / "labels.csv").write_text("subject,label\npatient_a,healthy\nb,abnormal\n")


def label_as_number(root, brain):
    for name in ("1E5", "2E5"):
        brain(root / name / "t1.nii.gz")
    (root / "labels.csv").write_text("subject,label\n1E5,healthy\n2.00E+05,abnormal\n")


def decimal_comma(root, brain):
    brain(root / "a" / "t1.nii.gz")
    (root / "labels.csv").write_text("subject,label,age\na,healthy,45,5\n")


def other_columns(root, brain):
    brain(root / "a" / "t1.nii.gz")
    (root / "labels.csv").write_text("id,diagnosis\na,healthy\n")


def other_encoding(root, brain):
    brain(root / "a" / "t1.nii.gz")
    (root / "labels.csv").write_bytes("subject,label\nMüller,healthy\n".encode("latin-1"))


def dicom_of_any_name(root, brain):
    write_exam(root, exam={"t1": EXAM["t1"] | {"slices": 1}}, place=flat("1"))


def a_level_too_high(root, brain):
    brain(root / "study" / "a" / "t1.nii.gz")


def a_level_too_low(root, brain):
    brain(root / "t1.nii.gz")
    brain(root.parent / "other" / "t1.nii.gz")


def folders_of_contrasts(root, brain):
    for name in ("T1", "FLAIR scans"):
        brain(root / name / "a.nii.gz")
        brain(root / name / "b.nii.gz")


LAYOUTS = {
    "`dataset.root` holds one folder per contrast": (folders_of_contrasts, "dataset.table=scans.csv"),
    "`dataset.root` holds DICOM files of any names": (dicom_of_any_name, "dataset=dicom"),
    "`dataset.root` is a level too high": (a_level_too_high, "scans/study"),
    "`dataset.root` is a level too low": (a_level_too_low, "1 level higher"),
    "`dataset.root` does not exist": (missing_folder, "dataset.root"),
    "`dataset.root` is empty": (empty_folder, "an empty folder"),
    "`dataset.root` is a file": (a_file, "a file, not a folder"),
    "no subject has a required modality": (missing_modality, "no scan of the modality `flair`"),
    "an undeclared label": (undeclared_label, "healthy, abnormal, unknown"),
    "a subject twice in `labels.csv`": (subject_twice, "again"),
    "several files could be `labels.csv`": (several_tables, "Labels.csv, labels (1).csv"),
    "a label for several subjects": (ambiguous_label, "subjects 001, 01"),
    "labels and scans that do not find each other": (lost_label, "b (line 3)"),
    "names as a spreadsheet program writes them": (label_as_number, "format the column as text"),
    "`labels.csv` with other columns": (other_columns, "columns id, diagnosis"),
    "a line of `labels.csv` with more values than columns": (decimal_comma, "line 2"),
    "`labels.csv` in another encoding": (other_encoding, "line 2"),
}


@pytest.mark.parametrize("case", LAYOUTS)
def test_an_invalid_layout_is_explained(run, says, tmp_path, brain, folder_dataset, case):
    make, expected = LAYOUTS[case]
    make(tmp_path / "scans", brain)
    done = run("train", "stop_after=import", *folder_dataset)
    assert done.code == 1
    assert says("dataset", case, done.error)[-1], "it does not say what to do"
    assert expected in done.error


def test_a_tree_of_dicom_that_cannot_be_used_is_explained(run, says, tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "key").write_text("07" * 32)
    (tmp_path / "text").write_text("no key")
    (tmp_path / "damaged.zip").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty").mkdir()
    write_exam(tmp_path / "scans", exam={"t1": EXAM["t1"] | {"slices": 1}})
    for name, line in {"old": "p-1,t1,se-1", "wrong": "p-1,t5,se-1"}.items():
        (tmp_path / f"{name}.csv").write_text(f"subject,modality,series\n{line}\n")
    cases = {
        "`dataset=dicom`: the root holds no DICOM": ["dataset.root=empty"],
        "`dataset=dicom`: a damaged zip": ["dataset.root=damaged.zip"],
        "`dataset=dicom`: almost the path of a folder": ["dataset.root=scan"],
        "`dataset.key_file` holds no key": ["dataset.key_file=text"],
        "`dataset.key_file` lies in a folder of runs": ["dataset.key_file=outputs/key"],
        "`dataset.series` has an unknown modality": ["dataset.series=wrong.csv"],
        "`dataset.series` is that of another tree": ["dataset.series=old.csv"],
        "`dataset.write_series` names another file": ["dataset.write_series=old.csv"],
    }
    for case, overrides in cases.items():
        done = run(
            "train",
            "inspect=true",
            "dataset=dicom",
            "dataset.root=scans",
            "dataset.key_file=key",
            "workers=1",
            *overrides,
        )
        assert done.code == 1, case
        assert says("dataset", case, done.error)[-1], "it does not say what to do"
    archive = run("train", "inspect=true", "dataset=folder", "dataset.root=damaged.zip")
    says("dataset", "`dataset.root` is a zip file", archive.error)


def test_scans_without_the_name_of_their_layout_are_not_written_to(run, says, tmp_path):
    (tmp_path / "scans" / "p1").mkdir(parents=True)
    done = run("train", "dataset.root=scans")
    assert done.code == 1
    assert "dataset=folder" in says("dataset", "`dataset.root=` of scans, without `dataset=`", done.error)[-1]
    assert [path.name for path in (tmp_path / "scans").iterdir()] == ["p1"]


def test_no_or_too_few_healthy_brains_are_an_error(run, says, tmp_path, cohort, folder_dataset):
    cohort(healthy=3, abnormal=2)
    done = run("train", *folder_dataset)
    assert done.code == 1
    says("dataset", "too few healthy brains", done.error)
    assert "3 healthy, 2 abnormal" in done.error
    shutil.rmtree(tmp_path / "scans")
    cohort(abnormal=2)
    done = run("train", *folder_dataset)
    says("dataset", "no healthy brain", done.error)
    assert "2 abnormal" in done.error
    (tmp_path / "scans" / "labels.csv").unlink()
    done = run("train", *folder_dataset)
    says("dataset", "no label", done.error)
    assert "labels.csv" in done.error and "another data set" not in done.error


def test_nobody_left_to_evaluate_is_an_error_before_training(run, says, cohort, folder_dataset):
    cohort(healthy=4)
    done = run("train", *folder_dataset)
    assert done.code == 1
    says("dataset", "nobody is left to evaluate", done.error)
    assert "at least 5 healthy" in done.error
    assert "No subject would be left to evaluate" in run("train", "inspect=true", *folder_dataset).text
    done = run("train", "stop_after=import", *folder_dataset)
    assert done.code == 0


def test_one_scan_of_two_subjects_is_leakage(run, says, tmp_path, cohort, folder_dataset):
    root = cohort(healthy=8)
    for name in ("t1.nii.gz", "flair.nii.gz"):
        shutil.copy(root / "healthy_0" / name, root / "healthy_7" / name)
    done = run("train", *folder_dataset)
    assert done.code == 1
    # Which of the two modalities is reported depends on their hashes.
    stable = done.error.replace("/t1 ", "/flair ").splitlines()
    says("dataset", "one scan of two subjects", "\n".join("  In: series_hash" if "In:" in s else s for s in stable))
    assert "healthy_0/" in done.error and "healthy_7/" in done.error


def test_an_invalid_split_file_is_named(run, says, tmp_path, cohort, folder_dataset):
    cohort(healthy=8)
    splits = tmp_path / "splits.csv"
    cases = {
        "`split.file` does not exist": None,
        "`split.file` has an unknown role": "subject,role\nhealthy_0,training\n",
        "`split.file` names an unknown subject": "subject,role\nnobody,train\n",
    }
    for case, text in cases.items():
        if text:
            splits.write_text(text)
        done = run("train", *folder_dataset, f"split.file={splits}")
        assert done.code == 1
        says("dataset", case, done.error)
        assert str(splits) in done.error


def test_labels_without_scans_and_scans_without_labels_cause_notes(run, says, cohort, folder_dataset):
    root = cohort(healthy=6)
    all_of_them = "".join(f"healthy_{number},healthy\n" for number in range(6))
    cases = {
        "a label without scans": (f"{all_of_them}nobody,healthy\n", "nobody"),
        "scans without a label": ("healthy_0,healthy\n", "unknown"),
        "labels under names that are written in another way": (all_of_them.replace("y_", "y_00"), "another way"),
    }
    for case, (rows, word) in cases.items():
        (root / "labels.csv").write_text(f"subject,label\n{rows}")
        done = run("train", "inspect=true", *folder_dataset)
        assert done.code == 0
        cautions = [line.removeprefix("Caution: ") for line in done.text.splitlines() if line.startswith("Caution: ")]
        says("note", case, next(line for line in cautions if word in line))


def test_tables_of_labels_under_other_names_are_named(run, says, cohort, folder_dataset):
    root = cohort(healthy=6)
    (root / "labels.csv").rename(root / "Labels.csv.txt")
    (root / "old_labels.csv").write_text("")
    done = run("train", "inspect=true", *folder_dataset)
    cautions = [line.removeprefix("Caution: ") for line in done.text.splitlines() if line.startswith("Caution: ")]
    says("note", "labels under another name", next(line for line in cautions if "is read as" in line))
    says("note", "a file of labels that is not read", next(line for line in cautions if "Not read" in line))


def test_names_that_are_no_names_of_files_cause_a_note_and_nothing_raw_is_printed(run, says, tmp_path, cohort):
    root = cohort(healthy=2)
    rows = [
        f"{name},{modality},healthy_{number}/{modality}.nii.gz\n"
        for number, name in enumerate(("../outside", "\x1b[2J"))
        for modality in ("t1", "flair")
    ]
    (root / "scans.csv").write_text("subject,modality,path\n" + "".join(rows))
    dataset = ["dataset=folder", f"dataset.table={root / 'scans.csv'}", f"cache={tmp_path / 'cache'}", "workers=1"]
    done = run("train", "stop_after=import", "trainer=cpu", *dataset)
    assert done.code == 0 and "\x1b[2J" not in done.text
    report = (tmp_path / "outputs").rglob("train.log")
    lines = [line for path in report for line in path.read_text().splitlines()]
    assert not any("\x1b" in line for line in lines)
    caution = next(line for line in lines if "called otherwise" in line)
    says("note", "subjects whose names are no names of files", caution.split(" WARNING ")[1])


def test_a_protocol_cannot_be_held_out_without_headers(run, says, cohort, folder_dataset):
    cohort(healthy=8)
    done = run("train", *folder_dataset, "split=leave_protocol_out")
    assert done.code == 1
    says("dataset", "`split=leave_protocol_out` without protocols in the headers", done.error)
    assert "8 subjects of unknown protocol" in done.error


@pytest.fixture
def two_scanners(tmp_path, brain):
    """A BIDS folder with 12 subjects from one scanner, 1 with a glioma, and 8 from another, 5 with a glioma."""
    root, abnormal = tmp_path / "bids", (3, 15, 16, 17, 18, 19)
    for number in range(20):
        manufacturer, model, field = ("SIEMENS", "Skyra", 3.0) if number < 12 else ("GE", "Signa", 1.5)
        known = {"Manufacturer": manufacturer, "ManufacturersModelName": model, "MagneticFieldStrength": field}
        for place, name in enumerate(("T1w", "FLAIR")):
            stem = root / f"sub-{number:02d}" / "anat" / f"sub-{number:02d}_{name}"
            brain(stem.with_suffix(".nii.gz"), seed=2 * number + place)
            stem.with_suffix(".json").write_text(json.dumps(known))
    rows = "".join(f"sub-{number:02d}\t{'glioma' if number in abnormal else 'control'}\n" for number in range(20))
    (root / "participants.tsv").write_text("participant_id\tgroup\n" + rows)
    return [
        "dataset=bids", f"dataset.root={root}", "dataset.label_column=group", "dataset.healthy=[control]",
        "dataset.abnormal=[glioma]",
    ]  # fmt: skip


def test_an_invalid_held_out_protocol_is_explained(run, says, two_scanners, folder_dataset):
    cases = {
        "`split=leave_protocol_out` without `split.protocol`": (
            "null",
            "ge_signa_1.5_t_axial_1 (3 healthy, 5 abnormal)",
        ),
        "`split.protocol` names an unknown protocol": ("skyra", "siemens_skyra_3.0_t_axial_1 (11 healthy, 1 abnormal)"),
        "`split.protocol` leaves too few healthy brains": ("siemens_skyra_3.0_t_axial_1", "3 of 14 healthy"),
    }
    for case, (choice, expected) in cases.items():
        chosen = ["split=leave_protocol_out", f"split.protocol={choice}"]
        done = run("train", *folder_dataset[2:], *two_scanners, *chosen)
        assert done.code == 1
        says("dataset", case, done.error)
        assert expected in done.error
