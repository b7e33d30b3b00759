"""One pass over headers finds the series, can be interrupted, and keeps nothing that names anybody."""

import json
import zipfile
import zlib

import numpy as np
import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans import catalogue
from brain_cae.scans.catalogue import describe_others, read_catalogue
from brain_cae.scans.identity import Identity
from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.series_choice import in_sessions
from tests.scans.sources.hospital import EXAM, flat, write_exam

NAMES = Pseudonyms(b"k" * 32)


def summary(result):
    return {(one.patient, one.study, one.name, one.images, one.files) for one in result.series}


def test_series_are_found_wherever_their_files_lie(tmp_path):
    for patient in ("1", "2"):
        write_exam(tmp_path / "nested", patient)
        write_exam(tmp_path / "flat", patient, place=flat(patient))
    scattered = lambda name, number, position: f"{position % 3}/{number * 1000 + position}"  # noqa: E731
    write_exam(tmp_path / "scattered", "1", place=scattered)
    write_exam(tmp_path / "scattered", "2", place=lambda *where: f"second/{scattered(*where)}")
    found = [read_catalogue(tmp_path / name, NAMES) for name in ("nested", "flat", "scattered")]
    for result in found:
        assert {(one.patient, one.study, one.name, one.images) for one in result.series} == {
            (one.patient, one.study, one.name, one.images) for one in found[0].series
        }
        assert len(result.series) == 12 and {one.patient for one in result.series} == {
            NAMES.patient("CANARY-4711-1"),
            NAMES.patient("CANARY-4711-2"),
        }


def test_an_archive_gives_the_same_series_as_its_folder(tmp_path):
    write_exam(tmp_path / "export", "1")
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (tmp_path / "export").rglob("IM*"):
            archive.write(path, path.relative_to(tmp_path / "export"))
    folder, packed = (read_catalogue(tmp_path / name, NAMES) for name in ("export", "export.zip"))
    assert [one.name for one in folder.series] == [one.name for one in packed.series]
    assert [one.images for one in folder.series] == [one.images for one in packed.series]
    assert packed.series[0].files[0].is_relative_to(tmp_path / "export.zip")
    (tmp_path / "all").mkdir()
    (tmp_path / "export.zip").rename(tmp_path / "all" / "one.zip")
    assert len(read_catalogue(tmp_path / "all", NAMES).series) == 6


def test_an_archive_that_cannot_be_read_stays_closed_beside_scans_and_is_refused_as_root(tmp_path):
    write_exam(tmp_path / "scans", "1")
    (tmp_path / "scans" / "viewer.zip").write_bytes(b"PK\x03\x04 damaged")
    with zipfile.ZipFile(tmp_path / "scans" / "more.zip", "w") as archive:
        archive.writestr("inner.zip", b"PK")
    result = read_catalogue(tmp_path / "scans", NAMES)
    assert len(result.series) == 6
    assert sorted(result.closed) == [
        ("inner.zip", "an archive inside of an archive"), ("viewer.zip", "a damaged or incomplete one"),
    ]  # fmt: skip
    with pytest.raises(DatasetError, match="cannot be read in place"):
        read_catalogue(tmp_path / "scans" / "viewer.zip", NAMES)


def test_other_files_are_counted_and_patients_without_number_are_told_apart_by_study(tmp_path):
    write_exam(tmp_path, "1", date="20190304", change=lambda header, name: setattr(header, "PatientID", ""))
    write_exam(tmp_path, "2", date="20190305", change=lambda header, name: setattr(header, "PatientID", "ANONYMOUS"))
    write_exam(tmp_path, "3", date="20190306", change=lambda header, name: setattr(header, "PatientID", "00000"))
    (tmp_path / "viewer.exe").write_bytes(b"MZ" * 100)
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    result = read_catalogue(tmp_path, NAMES)
    assert len({one.patient for one in result.series}) == 3
    # One study of a patient 00000 is that of a patient with this number; two are those of anybody.
    assert len(result.anonymous) == 2 and NAMES.patient("00000") in {one.patient for one in result.series}
    write_exam(tmp_path, "4", date="20190307", change=lambda header, name: setattr(header, "PatientID", "00000"))
    assert len(read_catalogue(tmp_path, NAMES).anonymous) == 4
    assert result.others == {"not DICOM": 1}


def test_lost_files_are_compared_with_the_series_that_they_may_belong_to_and_others_named_by_format(tmp_path):
    exam = {"t1": EXAM["t1"], "t2": EXAM["t2"]}
    slices = write_exam(tmp_path, "1", exam=exam)["t1"]
    flatly = write_exam(
        tmp_path / "flat", "2", exam=exam, place=lambda name, number, position: f"{number}{position:03}"
    )
    mixed = lambda *where: f"{zlib.crc32(repr(where).encode()):08x}"  # noqa: E731
    hashed = write_exam(tmp_path / "hashed", "3", exam=exam | {"t1ce": EXAM["t1ce"]}, place=mixed)
    slices[-1].write_bytes(b"")
    flatly["t2"][-1].write_bytes(bytes(200))
    next(iter(hashed["t1"])).write_bytes(b"")
    for name in ("a.dcm.gz", "b.nii.gz", ".hidden", "c.txt"):
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    result = read_catalogue(tmp_path, NAMES)
    lost = {path for one in result.series for path in one.files[one.images :]}
    assert lost == {slices[-1], flatly["t2"][-1]}
    assert all(one.facts.rows for one in result.series)
    assert describe_others(result.others) == [
        "1 file of the tree is left out: NIfTI.", "1 file of the tree is left out: another format: .gz.",
        "1 file of the tree is left out: hidden.", "1 file of the tree is left out: not DICOM.",
        "3 files of the tree are left out: truncated file.", "1 file of the tree is left out: unreadable file.",
    ]  # fmt: skip


def test_images_without_an_identifier_of_their_series_are_told_apart_by_its_number(tmp_path):
    exam = {"t1": EXAM["t1"], "t2": EXAM["t2"]}
    write_exam(tmp_path, "1", exam=exam, change=lambda header, name: delattr(header, "SeriesInstanceUID"))
    assert sorted(one.images for one in read_catalogue(tmp_path, NAMES).series) == [11, 12]


def test_a_diffusion_series_that_starts_without_gradient_is_not_a_t2(tmp_path):
    def weight(header, name):
        if name == "t2":
            header.DiffusionBValue = 0.0 if header.InstanceNumber < 6 else 1000.0

    write_exam(tmp_path, change=weight)
    kinds = {one.facts.number: one.facts.physics.kind for one in read_catalogue(tmp_path, NAMES).series}
    assert kinds == {101: "localiser", 201: "", 301: "diffusion image", 401: "", 501: "", 601: ""}


def test_a_series_whose_files_have_identifiers_of_their_own_is_joined(tmp_path):
    def split(header, name):
        header.SeriesInstanceUID = f"1.2.7.{header.SeriesNumber}.{header.InstanceNumber}"

    write_exam(tmp_path / "split", change=split)
    write_exam(tmp_path / "whole")
    split_series, whole = (read_catalogue(tmp_path / name, NAMES).series for name in ("split", "whole"))
    counts = sorted(one.images for one in split_series)
    assert counts == [1, 1, 1, 11, 11, 11, 12, 12]  # the localiser of three files may be anything
    assert sorted(one.images for one in whole) == [3, 11, 11, 11, 12, 12]


def test_so_is_one_whose_files_have_studies_of_their_own_as_well(tmp_path):
    def split(header, name):
        header.SeriesInstanceUID = f"1.2.7.{header.SeriesNumber}.{header.InstanceNumber}"
        header.StudyInstanceUID = f"1.2.8.{header.SeriesNumber}.{header.InstanceNumber}"

    write_exam(tmp_path, exam={"t1": EXAM["t1"]}, change=split)
    (one,) = read_catalogue(tmp_path, NAMES).series
    assert one.images == 12


@pytest.mark.parametrize("first", [("M", "P"), ("M", "LOCALIZER"), ("SCREEN SAVE",)])
def test_an_image_of_another_kind_does_not_describe_the_series_in_which_it_lies(tmp_path, monkeypatch, first):
    def other(header, name):
        if header.InstanceNumber == 1:
            header.ImageType = ["DERIVED", "SECONDARY", *first]

    monkeypatch.setattr(catalogue, "CHUNK", 5)
    write_exam(tmp_path, exam={"t1": EXAM["t1"]}, change=other)
    (one,) = read_catalogue(tmp_path, NAMES).series
    assert (one.facts.physics.kind, one.images, len(one.files)) == ("", 11, 12)


def test_neither_does_an_object_without_an_image(tmp_path):
    def raw(header, name):
        if header.InstanceNumber == 1:
            for key in ("Rows", "Columns", "PixelData", "RepetitionTime"):
                delattr(header, key)

    write_exam(tmp_path, exam={"t1": EXAM["t1"]}, change=raw)
    (one,) = read_catalogue(tmp_path, NAMES).series
    assert (one.facts.physics.tr, one.images, len(one.files)) == (2300, 11, 12)


@pytest.mark.parametrize("part", [lambda number: number > 6, lambda number: number % 2 == 0])
def test_a_series_of_which_a_part_was_renamed_stays_one_and_is_nobodys_if_two_have_a_claim(tmp_path, part):
    def renamed(key, value):
        def change(header, name):
            if part(header.InstanceNumber):
                setattr(header, key, value)

        return change

    exam = {"t1": EXAM["t1"]}
    write_exam(tmp_path / "patient", exam=exam, change=renamed("PatientID", "4711"))
    write_exam(tmp_path / "nobody", exam=exam, change=renamed("PatientID", ""))
    write_exam(tmp_path / "study", exam=exam, change=renamed("StudyInstanceUID", "1.2.3"))
    for name in ("patient", "nobody", "study"):
        (one,) = read_catalogue(tmp_path / name, NAMES).series
        assert one.images == 12
        assert one.facts.physics.kind == (catalogue.TORN if name == "patient" else "")
        assert name == "patient" or one.patient == NAMES.patient("CANARY-4711-1")


def test_two_series_to_which_one_identifier_was_given_stay_two(tmp_path):
    for patient in ("1", "2"):
        write_exam(
            tmp_path,
            patient,
            exam={"t1": EXAM["t1"]},
            change=lambda header, name: setattr(header, "SeriesInstanceUID", "1.2.3"),
        )
    series = read_catalogue(tmp_path, NAMES).series
    assert [one.images for one in series] == [12, 12] and len({one.patient for one in series}) == 2


def test_a_study_whose_series_share_one_identifier_is_divided_by_their_numbers(tmp_path):
    exam = {name: EXAM[name] for name in ("t1", "t2", "t1ce")}
    written = write_exam(tmp_path, exam=exam, change=lambda header, name: setattr(header, "SeriesInstanceUID", "1.2.3"))
    series = sorted(read_catalogue(tmp_path, NAMES).series, key=lambda one: one.facts.number)
    assert [one.files for one in series] == [tuple(files) for files in written.values()]
    assert [(one.facts.physics.te, one.facts.physics.agent) for one in series] == [
        (2.98, False), (93.0, False), (2.98, True),
    ]  # fmt: skip
    assert len({one.name for one in series}) == 3 and len({one.uid for one in series}) == 1


def test_visits_whose_identifiers_are_all_alike_are_divided_by_date(tmp_path):
    def alike(header, name):
        header.SeriesInstanceUID = header.StudyInstanceUID = "1.2.3"
        if header.StudyDate == "20210506":
            header.ContrastBolusAgent = "Gadovist"

    written = {
        tuple(write_exam(tmp_path, date=date, exam={"t1": EXAM["t1"]}, change=alike)["t1"]): date > "2020"
        for date in ("20190304", "20210506")
    }
    assert {one.files: one.facts.physics.agent for one in read_catalogue(tmp_path, NAMES).series} == written


def test_identifiers_that_were_replaced_file_by_file_tell_no_studies_apart(tmp_path):
    def replaced(header, name):
        end = f"{header.SeriesNumber}.{header.InstanceNumber}"
        header.SeriesInstanceUID, header.StudyInstanceUID = f"1.2.3.{end}", f"1.2.4.{end}"
        header.FrameOfReferenceUID = f"1.2.5.{end}"

    write_exam(tmp_path, exam={name: EXAM[name] for name in ("t1", "flair")}, change=replaced)
    found = read_catalogue(tmp_path, NAMES).series
    assert {(one.images, one.study) for one in found} == {(12, ""), (11, "")}
    moments = {one.name: Identity("1", "20190304 101500", frozenset()) for one in found}
    assert [session for _, session in in_sessions(found, moments)] == ["s1", "s1"]


@pytest.mark.parametrize("times", [("EchoTime", "RepetitionTime"), ("RepetitionTime",)])
def test_a_first_image_that_lost_its_times_does_not_describe_the_series(tmp_path, times):
    def lost(header, name):
        if header.InstanceNumber == 1:
            for time in times:
                delattr(header, time)

    write_exam(tmp_path, exam={"t2": EXAM["t2"]}, change=lost)
    (series,) = read_catalogue(tmp_path, NAMES).series
    assert (series.facts.physics.tr, series.facts.physics.te, series.images) == (5000.0, 93.0, 11)


def test_water_and_fat_under_one_identifier_are_two_series(tmp_path):
    exam = {name: EXAM["t1"] | {"type": ["DERIVED", "PRIMARY", "DIXON", name]} for name in ("WATER", "FAT")}

    def one_series(header, name):
        header.SeriesInstanceUID, header.SeriesNumber = "1.2.3", 5
        header.InstanceNumber += 12 * (name == "FAT")

    written = write_exam(tmp_path, exam=exam, change=one_series)
    kinds = {one.files: one.facts.physics.kind for one in read_catalogue(tmp_path, NAMES).series}
    assert kinds == {tuple(written["WATER"]): "", tuple(written["FAT"]): "fat image"}


def test_without_an_identifier_the_date_tells_studies_apart(tmp_path):
    for date in ("20190304", "20210506"):
        write_exam(
            tmp_path,
            date=date,
            exam={"t1": EXAM["t1"]},
            change=lambda header, name: delattr(header, "StudyInstanceUID"),
        )
    assert len({one.study for one in read_catalogue(tmp_path, NAMES).series}) == 2


@pytest.mark.parametrize(("characters", "patient"), [("ISO_IR 192", "Müller-7"), (["", "ISO 2022 IR 87"], "患者七")])
def test_a_patient_is_the_same_in_every_character_set(tmp_path, characters, patient):
    def named(header, name):
        header.SpecificCharacterSet, header.PatientID = characters, patient

    write_exam(tmp_path, exam={"t1": EXAM["t1"]}, change=named)
    assert {one.patient for one in read_catalogue(tmp_path, NAMES).series} == {NAMES.patient(patient)}


def test_what_was_read_is_not_opened_again(tmp_path, monkeypatch):
    write_exam(tmp_path / "scans", "1")
    store = tmp_path / "store"
    first = read_catalogue(tmp_path / "scans", NAMES, store=store)
    assert first.read == 60
    opened = []
    read = catalogue.identify
    monkeypatch.setattr(catalogue, "identify", lambda path: opened.append(path) or read(path))
    assert summary(read_catalogue(tmp_path / "scans", NAMES, store=store)) == summary(first)
    assert opened == []
    write_exam(tmp_path / "scans", "2")
    first.series[0].files[0].touch()
    again = read_catalogue(tmp_path / "scans", NAMES, store=store)
    assert (again.read, len(opened), len(again.series)) == (61, 61, 12)
    # Another key gives other names, so nothing of it may be used.
    assert read_catalogue(tmp_path / "scans", Pseudonyms(b"l" * 32), store=store).read == 120


def test_an_interrupted_pass_goes_on_where_it_stopped(tmp_path, monkeypatch):
    write_exam(tmp_path / "scans", "1")
    store = tmp_path / "store"
    monkeypatch.setattr(catalogue, "CHUNK", 5)
    monkeypatch.setattr(catalogue, "PIECE", 2)
    read, opened = catalogue.identify, []

    def stop(path):
        if len(opened) == 32:
            raise KeyboardInterrupt
        opened.append(path)
        return read(path)

    monkeypatch.setattr(catalogue, "identify", stop)
    with pytest.raises(KeyboardInterrupt):
        read_catalogue(tmp_path / "scans", NAMES, store=store)
    monkeypatch.setattr(catalogue, "identify", read)
    again = read_catalogue(tmp_path / "scans", NAMES, store=store)
    assert again.read == 30  # three pieces of ten were written
    assert summary(again) == summary(read_catalogue(tmp_path / "scans", NAMES))
    # A damaged piece is read again.
    (piece,) = store.rglob("*.npz")
    piece.write_bytes(piece.read_bytes()[:-200])
    assert read_catalogue(tmp_path / "scans", NAMES, store=store).read == 60


def test_the_store_holds_hashes_numbers_and_codes(tmp_path):
    write_exam(tmp_path / "scans", "1")
    read_catalogue(tmp_path / "scans", NAMES, store=tmp_path / "store")
    (piece,) = (tmp_path / "store").rglob("*.npz")
    with np.load(piece) as stored:
        content = (stored["rows"].tobytes() + stored["facts"].tobytes()).decode("latin-1").lower()
        facts = json.loads(bytes(stored["facts"]).decode())
    for word in ("canary", "19470611", "20190304", "finch", "headache", "im0000", "1.2.9."):
        assert word not in content, word
    assert len(facts) == 6


def test_a_look_writes_nothing(tmp_path):
    write_exam(tmp_path / "scans", "1")
    read_catalogue(tmp_path / "scans", NAMES, store=tmp_path / "store", write=False)
    assert not (tmp_path / "store").exists()


def test_a_page_of_an_error_in_place_of_a_slice_is_compared_with_the_series(tmp_path):
    (files,) = write_exam(tmp_path, exam={"t1": EXAM["t1"]}).values()
    files[-1].write_text("<html>404 Not Found</html>")
    (tmp_path / "README 1").write_text("not a slice")
    found = read_catalogue(tmp_path, NAMES)
    (one,) = found.series
    assert (one.images, one.files, found.others) == (11, tuple(files), {"not DICOM": 2})


def test_a_series_without_a_patient_belongs_to_the_one_of_its_study(tmp_path):
    nobody = lambda header, name: setattr(header, "PatientID", "") if name == "t2" else None  # noqa: E731
    write_exam(tmp_path / "scans", "1", change=nobody)
    result = read_catalogue(tmp_path / "scans", NAMES)
    owner = NAMES.patient("CANARY-4711-1")
    assert {one.patient for one in result.series} == {owner} == result.adopted and not result.anonymous

    def dated(header, name):
        nobody(header, name)
        del header.StudyInstanceUID

    write_exam(tmp_path / "dated", "1", change=dated)
    result = read_catalogue(tmp_path / "dated", NAMES)  # others may have been scanned on that day
    assert len({one.patient for one in result.series}) == 2 and len(result.anonymous) == 1 and not result.adopted
    # Two patients under one identifier of a study.
    shared = lambda header, name: (nobody(header, name), setattr(header, "StudyInstanceUID", "1.2.9"))  # noqa: E731
    for number in ("1", "2"):
        write_exam(tmp_path / "shared", number, change=shared)
    assert len({one.patient for one in read_catalogue(tmp_path / "shared", NAMES).series}) == 3


def test_a_contrast_agent_is_found_in_whichever_file_names_it(tmp_path):
    def change(header, name):
        if name == "t1" and header.InstanceNumber == 5:
            header.ContrastBolusAgent = "Gadovist"

    write_exam(tmp_path, "1", exam={"t1": EXAM["t1"], "t2": EXAM["t2"]}, change=change)
    agents = {one.facts.physics.tr: one.facts.physics.agent for one in read_catalogue(tmp_path, NAMES).series}
    assert agents == {2300.0: True, 5000.0: False}


def test_images_before_and_after_an_agent_under_one_identifier_are_two_series(tmp_path):
    one = {"SeriesInstanceUID": "1.2.9.7", "SeriesNumber": 3}
    after = lambda header, _: [setattr(header, name, value) for name, value in one.items()]  # noqa: E731

    def before(header, name):
        after(header, name)
        header.InstanceNumber += 12
        del header.ContrastBolusAgent

    # The first file by path names the agent.
    write_exam(tmp_path, "1", exam={"t1ce": EXAM["t1ce"]}, change=after, place=lambda *at: f"a/{at[2]}")
    write_exam(tmp_path, "1", exam={"t1ce": EXAM["t1ce"]}, change=before, place=lambda *at: f"b/{at[2]}")
    found = read_catalogue(tmp_path, NAMES).series
    assert {one.files[0].parent.name: one.facts.physics.agent for one in found} == {"a": True, "b": False}
    assert [one.images for one in found] == [12, 12]
