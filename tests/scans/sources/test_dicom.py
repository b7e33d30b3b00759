"""A tree of DICOM as a hospital gives it: series by physics, subjects by pseudonym, choices by rule or by table."""

import csv
import gzip
import io
import re
import zipfile

import nibabel
import numpy as np
import pydicom
import pytest
from rich.console import Console

from brain_cae.errors import DatasetError
from brain_cae.scans.dicom import PARTS, read_folder
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.dicom import Dicom
from brain_cae.workflows import inspection, training
from tests.scans.sources.hospital import EXAM, flat, write_exam

KEY = b"\x07" * 32
NAMES = Pseudonyms(KEY)


def patient(number):
    return NAMES.patient(f"CANARY-4711-{number}")


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY.hex())
    path.chmod(0o600)
    return path


@pytest.fixture
def source(tmp_path, key_file):
    return lambda root="scans", **keys: Dicom(root=str(tmp_path / root), key_file=str(key_file), progress=False, **keys)


def found(locations):
    return {(one.subject, one.session, one.modality): one.files for one in locations if one.files}


def test_contrasts_subjects_and_sessions_come_from_the_headers(tmp_path, source):
    later = write_exam(tmp_path / "scans", "1", date="20200101")
    earlier = write_exam(tmp_path / "scans", "1", date="20190304")
    other = write_exam(tmp_path / "scans", "2", place=flat("2"))
    locations = found(source().locate())
    expected = {
        (patient(1), "s1"): earlier, (patient(1), "s2"): later, (patient(2), "s1"): other,
    }  # fmt: skip
    assert set(locations) == {(*place, name) for place in expected for name in ("t1", "t2", "flair", "t1ce")}
    for (*place, name), files in locations.items():
        assert set(files) == set(expected[tuple(place)][name])


def test_of_several_series_the_best_is_taken_and_the_others_say_why(tmp_path, source):
    exam = {
        "t1": EXAM["t1"],
        "reformat": EXAM["t1"] | {"slices": 30, "type": ["DERIVED", "SECONDARY", "MPR"]},
        "slab": EXAM["t1"] | {"slices": 6, "times": (2300.0, 2.98, 900.0, 8)},
        "repeat": EXAM["t1"],
    }
    files = write_exam(tmp_path / "scans", exam=exam)
    one = source(modalities=["t1"])
    (location,) = one.locate()
    assert set(location.files) == {*files["t1"], *files["repeat"]}  # alike: the import takes the best regular one
    lines = {line.number: line for line in one.overview()}
    assert {number: line.modality for number, line in lines.items()} == {"101": "", "201": "", "301": "", "401": "t1"}
    assert "higher number" in lines["101"].why
    assert "is original" in lines["201"].why
    assert "covers the whole head" in lines["301"].why
    assert sorted(reason for _, reason in location.left_out) == [
        "another series was taken: it covers the whole head", "another series was taken: it is original",
    ]  # fmt: skip


@pytest.mark.parametrize("lost", [slice(1, None, 2), slice(10, None)])
def test_parts_of_a_volume_are_joined_by_the_import(tmp_path, source, lost):
    """Packages that interleave under two UIDs, and two slices that lost theirs: nothing shorter is imported."""
    files = write_exam(tmp_path / "scans", exam={"t2": EXAM["t2"] | {"slices": 12}})["t2"]
    for path in files[lost]:
        header = pydicom.dcmread(path)
        if lost.step:
            header.SeriesInstanceUID, header.SeriesNumber = "1.2.9.77", 102
        else:
            del header.SeriesInstanceUID
        header.save_as(path)
    (location,) = source(modalities=["t2"]).locate()
    reading = read_folder(location.files)
    assert reading.volume.array.shape == (16, 16, 12)
    assert reading.notes == (PARTS,)


@pytest.mark.parametrize("order", [1, -1])
def test_of_a_dual_echo_the_t2_is_taken(tmp_path, source, order):
    echoes = {"pd": 12.0, "t2": 93.0}
    exam = {name: {**EXAM["t2"], "times": (3000.0, echo, None, 150)} for name, echo in echoes.items()}

    def one_series(header, name):
        second = name == "t2"
        header.SeriesInstanceUID, header.SeriesNumber, header.EchoNumbers = "1.2.9.1.5", 5, 1 + second
        header.InstanceNumber = 2 * header.InstanceNumber - 1 + second

    place = lambda name, number, position: f"IM{2 * position * order + number + 100:04d}"  # noqa: E731
    written = write_exam(tmp_path, exam=exam, change=one_series, place=place)
    chosen = source(tmp_path)
    location = next(one for one in chosen.locate() if one.modality == "t2")
    assert set(location.files) == set(written["t2"])
    assert {(line.modality, line.images) for line in chosen.overview()} == {("", 11), ("t2", 11)}
    reading = read_folder(location.files)
    assert reading.volume.array.shape[2] == 11 and reading.volume.acquisition["echo_time_ms"] == 93


def test_two_contrasts_under_one_identifier_are_told_apart_by_their_echo(tmp_path, source):
    exam = {"t1": EXAM["t1"], "t2": {**EXAM["t2"], "slices": 12}}
    write_exam(tmp_path, exam=exam, change=lambda header, name: setattr(header, "SeriesInstanceUID", "1.2.9.1.5"))
    assert {one.modality: len(one.files) for one in source(tmp_path).locate() if one.files} == {"t1": 12, "t2": 12}


def test_a_description_raises_a_doubt_and_stays_unwritten(tmp_path, source):
    def describe(header, name):
        header.SeriesDescription = "canary T2 tra" if name == "t1" else header.SeriesDescription

    write_exam(tmp_path / "scans", change=describe)
    one = source()
    one.locate()
    (line,) = [line for line in one.overview() if line.modality == "t1"]
    assert "in doubt: its description names t2" in line.why
    assert "canary" not in repr(one.overview()).lower()
    assert any("in doubt" in note and patient(1) in note for note in one.notes())


def corrected(path, change):
    rows = list(csv.DictReader(path.open()))
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(change(row) for row in rows)


def test_a_corrected_table_of_series_is_what_is_read(tmp_path, source):
    files = write_exam(tmp_path / "scans", "1")
    write_exam(tmp_path / "scans", "2")
    table = tmp_path / "series.csv"
    for there in (False, True):
        (one := source(write=False, write_series=str(table))).locate()
        assert any(f"{table.name} was there already" in note for note in one.notes()) == there
    numbers = {"201": "", "601": "t1", "301": "t2"}  # the susceptibility image as T1
    corrected(
        table, lambda row: row | {"modality": numbers.get(row["number"], "")} if row["subject"] == patient(1) else row
    )
    one = source(series=str(table))
    locations = found(one.locate())
    assert {place[2]: set(files) for place, files in locations.items() if place[0] == patient(1)} == {
        "t1": set(files["swi"]), "t2": set(files["t2"]),
    }  # fmt: skip
    assert {place[2] for place in locations if place[0] == patient(2)} == {"t1", "t2", "flair", "t1ce"}
    corrected(table, lambda row: row | {"modality": "t1"} if row["number"] in ("201", "601") else row)
    with pytest.raises(DatasetError, match="two series for one modality"):
        source(series=str(table)).locate()


def test_a_table_beside_the_scans_is_read_without_being_named(tmp_path, source):
    write_exam(tmp_path / "scans", "1")
    table = tmp_path / "scans" / "series.csv"
    source(write_series=str(table)).locate()
    corrected(table, lambda row: row | {"modality": "" if row["modality"] == "t2" else row["modality"]})
    assert {place[2] for place in found(source().locate())} == {"t1", "flair", "t1ce"}
    table.rename(table.with_name("Series.csv"))
    write_exam(tmp_path / "scans", "1", date="20200101", exam={"t1": EXAM["t1"]})
    (one := source()).locate()
    new = next(line for line in one.overview() if line.session == "s2")
    said = "1 series is not in the table of series, which decides for its subject, and is left out: "
    assert not new.modality
    assert {"Series.csv is read as series.csv.", f"{said}{patient(1)} s2 t1 ({new.series})."} <= {*one.notes()}
    table.with_name("Series.csv").rename(table.with_name("series_old.csv"))
    located = found((one := source()).locate())
    assert {place[2] for place in located if place[1] == "s1"} == {"t1", "t2", "flair", "t1ce"}
    assert "Not read, because the table must be called series.csv: series_old.csv." in one.notes()
    table.with_name("series_old.csv").rename(table.with_name("series.txt")).write_text("series,images\n1,20\n")
    assert {place[2] for place in found(source().locate()) if place[1] == "s1"} == {"t1", "t2", "flair", "t1ce"}


def test_labels_and_masks_name_patients_or_pseudonyms(tmp_path, source):
    for number in ("1", "2", "3"):
        write_exam(tmp_path / "scans", number)
    (tmp_path / "scans" / "labels.csv").write_text(
        f"subject,label\nCANARY-4711-1,healthy\n{patient(2)},abnormal\ncanary-4711-3,unknown\nCANARY-4711-9,healthy\n"
    )
    mask = tmp_path / "scans" / "masks" / "CANARY-4711-2.nii.gz"
    mask.parent.mkdir()
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4)), mask)
    (mask.parent / "CANARY-4711-1.nii.gz").write_bytes(b"damaged")
    one = source(cache=str(tmp_path / "cache"))
    locations = one.locate()
    labels = {location.subject: location.label for location in locations}
    assert labels == {patient(1): "healthy", patient(2): "abnormal", patient(3): "unknown"}
    masks = {location.subject: location.lesion_mask for location in locations}
    assert masks[patient(1)] is None and masks[patient(2)].name.startswith(patient(2))
    assert not any("CANARY" in note for note in one.notes())
    assert any(patient(9) in note and "no scans" in note for note in one.notes())
    assert f"The lesion mask of {patient(1)} cannot be read and is left out." in one.notes()


def test_a_label_finds_a_patient_whose_first_image_lost_the_number(tmp_path, source):
    def lost(header, name):
        if header.InstanceNumber % 2:
            header.PatientID = ""

    write_exam(tmp_path / "scans", "1", exam={"t1": EXAM["t1"]}, change=lost)
    (tmp_path / "scans" / "labels.csv").write_text("subject,label\nCANARY-4711-1,abnormal\n")
    (one,) = [one for one in source().locate() if one.files]
    assert (one.subject, one.label, len(one.files)) == (patient(1), "abnormal", 12)


def test_labels_under_a_name_near_to_theirs_are_read_and_others_named_without_their_words(tmp_path, source):
    write_exam(tmp_path / "scans", "1")
    (tmp_path / "scans" / "Labels (1).csv").write_text("subject;label\ncanary_4711_1;abnormal\n")
    (tmp_path / "scans" / "labels of Canary.csv").write_text("subject,label\n")
    one = source()
    assert {location.label for location in one.locate()} == {"abnormal"}
    notes = " ".join(one.notes())
    assert "Labels (1).csv is read as labels.csv." in notes and "Not read, beside Labels (1).csv: x-" in notes
    assert "Canary" not in notes and "not DICOM" not in notes


def test_a_study_that_is_divided_into_sessions_is_named(tmp_path, source):
    exam = {name: EXAM[name] for name in ("t1", "flair")}
    shift = lambda header, name: setattr(header, "StudyDate", {"t1": "20190304", "flair": "20190704"}[name])  # noqa: E731
    write_exam(tmp_path / "scans", "1", exam=exam, change=shift)
    write_exam(tmp_path / "scans", "2", exam=exam)
    one = source()
    assert {(each.subject, each.session) for each in one.locate()} == {
        (patient(1), "s1"), (patient(1), "s2"), (patient(2), "s1"),
    }  # fmt: skip
    text = "1 study is divided into sessions, because its series are days apart"
    assert f"{text}: {patient(1)} (s1, s2)." in one.notes()


def test_without_a_date_of_the_study_another_orders_the_sessions_and_without_any_a_note_says_so(tmp_path, source):
    def undated(acquired):
        def change(header, name):
            header.StudyDate, header.AcquisitionDate, header.SeriesDate = "", acquired, "20210101" if acquired else ""

        return change

    for study, acquired in (("1", "20210304"), ("2", "20190304"), ("3", "20170304")):
        write_exam(tmp_path / "scans", "1", study=study, date=study, exam={"t1": EXAM["t1"]}, change=undated(acquired))
        write_exam(tmp_path / "scans", "2", study=study, date=study, exam={"t1": EXAM["t1"]}, change=undated(""))
    one = source()
    files = {each.session: each.files[0] for each in one.locate() if each.subject == patient(1) and each.files}
    dates = [pydicom.dcmread(files[session]).AcquisitionDate for session in ("s1", "s2", "s3")]
    assert dates == sorted(dates)
    assert f"1 subject has sessions that no date tells apart, whose order is unknown: {patient(2)}." in one.notes()


def test_people_with_one_number_are_a_caution(tmp_path, source):
    write_exam(tmp_path / "scans", "1", date="20190304")
    write_exam(
        tmp_path / "scans", "1", date="20200304", change=lambda header, name: setattr(header, "PatientBirthDate", "")
    )
    write_exam(tmp_path / "scans", "2", date="20190304")
    write_exam(
        tmp_path / "scans",
        "2",
        date="20200304",
        change=lambda header, name: setattr(header, "PatientBirthDate", "19510203"),
    )
    one = source()
    one.locate()
    (note,) = [note for note in one.notes() if "different names, birth dates" in note]
    assert note == (
        "1 PatientID stands in scans of people with different names, birth dates, sexes or issuers of the number, who "
        "count as one subject each: "
        f"{patient(2)}."
    )


def test_an_archive_or_its_directory_may_be_the_root(tmp_path, source):
    write_exam(tmp_path / "scans", "1")
    with zipfile.ZipFile(tmp_path / "scans.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "scans").rglob("IM*"):
            archive.write(path, path.relative_to(tmp_path))
    (tmp_path / "scans" / "DICOMDIR").write_bytes(b"x")
    assert (
        set(found(source().locate()))
        == set(found(source("scans.zip").locate()))
        == set(found(source("scans/DICOMDIR").locate()))
    )


def test_neither_folders_nor_archives_show_the_number_of_a_patient_of_any_length(tmp_path, source):
    one = {"t1": EXAM["t1"]}
    for number in ("042", "S12", "7", "4711234"):
        place = lambda name, series, position, folder=number: f"{folder}/IM{position + 100:06d}"  # noqa: E731
        written = "STUDY-A" if number == "4711234" else number  # the header has a pseudonym, the folder the number
        write_exam(tmp_path / "scans", str(len(number)) + str(ord(number[0])), exam=one, place=place,
                   change=lambda header, name, written=written: setattr(header, "PatientID", written))  # fmt: skip
    for number in ("042", "1234567"):
        (tmp_path / "scans" / f"{number}.zip").write_bytes(b"PK")
    with zipfile.ZipFile(tmp_path / "scans" / "export.zip", "w") as archive:
        archive.writestr("S12.zip", b"PK")
    read = source()
    read.locate()
    paths = [line.path for line in read.overview()]
    assert len(paths) == 4 and all(re.fullmatch(r"x-[0-9a-f]{6}/IM000100", path) for path in paths)
    (note,) = [note for note in read.notes() if "not opened" in note]
    assert re.fullmatch(r"3 archives are not opened: (x-[0-9a-f]{6} \([a-z ]+\)(, )?){3}\.", note)


def test_a_tree_without_images_says_what_it_holds(tmp_path, source):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "Doe.jpg").write_bytes(b"\xff\xd8" * 100)
    with pytest.raises(DatasetError, match="no DICOM image") as raised:
        source().locate()
    assert "1 file: not DICOM" in str(raised.value) and "Doe" not in str(raised.value)


CANARIES = (
    "canary",
    "wilhelmina",
    "4711",
    "19470611",
    "1947-06-11",
    "canarian",
    "finch",
    "gustav",
    "headache",
    "acc88",
    "aviary",
    "sings at",
    "20190304",
)


def unpacked(path):
    """Yield the content of a file, and what it holds compressed."""
    content = path.read_bytes()
    yield content
    if content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from (archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_nothing_that_is_written_names_a_patient(tmp_path, make_config, key_file, caplog, packed):
    root = tmp_path / "scans"
    for number in range(5):
        write_exam(root, str(number), size=24)
    labels = "".join(f"CANARY-4711-{number},healthy\n" for number in range(9))
    (root / "labels.csv").write_text(f"subject,label\n{labels}")
    # One series lacks a slice, one file is cut: both are named in the report.
    (root / "CANARY^WILHELMINA 4" / "Headache 20190304" / "canary flair series - 401" / "IM000005").unlink()
    masks = root / "masks"
    masks.mkdir()
    image = nibabel.Nifti1Image(np.ones((4, 4, 4), np.uint8), np.eye(4))
    image.header["descrip"] = b"Canary^Wilhelmina"
    nibabel.save(image, masks / "CANARY-4711-2.nii.gz")
    if packed:
        with zipfile.ZipFile(tmp_path / "scans.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in root.rglob("IM*"):
                archive.write(path, path.relative_to(root))
        for name in ("labels.csv", "masks"):
            (root / name).rename(tmp_path / name)
        root = tmp_path / "scans.zip"
    run, cache = tmp_path / "run", tmp_path / "cache"
    overrides = [
        "dataset=dicom", f"dataset.root={root}", f"dataset.key_file={key_file}", f"cache={cache}", "workers=1",
        "preprocess.skull_strip=none", "preprocess.align=affine_only", "preprocess.space=box",
        "split.validation_minimum=2", "scoring.alpha=0.4", "trainer.progress=false",
    ]  # fmt: skip
    caplog.set_level("INFO")
    preview = inspection.inspect_training(
        make_config("inspect=true", f"dataset.write_series={run / 'series.csv'}", *overrides)
    )
    console = Console(width=200, file=io.StringIO())
    inspection.show(preview, console)
    training.run(make_config("stop_after=prepare", *overrides), run / "out")
    text = console.file.getvalue()
    assert patient(1) in text and "flair" in text
    report = (run / "out" / "import_report.csv").read_text()
    assert report.count("imported") >= 8 and "gap between slices" in report
    files = [path for folder in (run, cache) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 20 and any("npz" in path.name for path in files)
    outputs = [("screen", text.encode()), ("log", caplog.text.encode())]
    outputs += [(str(path), content) for path in files for content in unpacked(path)]
    outputs += [("name", str(path.relative_to(tmp_path)).encode()) for path in files]
    for where, content in outputs:
        lower = content.lower()
        leaked = [word for word in CANARIES if word.encode() in lower and len(word) > 4]
        assert not leaked, (where, leaked)
