"""Whose a series of a tree of DICOM is, where PatientIDs are missing, shared or corrected."""

import pytest

from brain_cae.scans.pseudonym import Pseudonyms
from brain_cae.scans.sources.dicom import Dicom
from tests.scans.sources.hospital import EXAM, write_exam

KEY = b"\x07" * 32


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY.hex())
    path.chmod(0o600)
    return lambda root: Dicom(root=str(tmp_path / root), key_file=str(path), progress=False)


def test_series_without_a_patient_are_those_of_the_patient_whose_label_counts(tmp_path, source):
    nobody = lambda header, name: setattr(header, "PatientID", "") if name == "t2" else None  # noqa: E731
    write_exam(tmp_path / "scans", "1", change=nobody)
    (tmp_path / "scans" / "labels.csv").write_text("subject,label\nCANARY-4711-1,abnormal\n")
    one = source("scans")
    locations = one.locate()
    assert {place.subject for place in locations} == {Pseudonyms(KEY).patient("CANARY-4711-1")}
    assert {place.label for place in locations} == {"abnormal"} and all(place.files for place in locations)
    assert any("1 subject has series without a PatientID" in note for note in one.notes())


def test_people_under_one_number_and_one_study_under_two_numbers_are_named(tmp_path, source):
    def called(name, **more):
        return lambda header, _: [setattr(header, key, value) for key, value in ({"PatientName": name} | more).items()]

    write_exam(tmp_path / "names", "1", date="20190304", change=called("STUDY^001"))
    write_exam(tmp_path / "names", "1", date="20200304", change=called("STUDY^002"))
    write_exam(tmp_path / "spelt", "1", date="20190304", change=called("Doe^Jane"))
    write_exam(tmp_path / "spelt", "1", date="20200304", change=called("SMITH^JANE"))
    for number in ("1", "2"):
        write_exam(tmp_path / "studies", number, change=called("Doe^Jane", StudyInstanceUID="1.2.9"))
    said = {}
    for root in ("names", "spelt", "studies"):
        one = source(root)
        one.locate()
        said[root] = " ".join(one.notes())
    assert "different names" in said["names"] and "different names" not in said["spelt"] + said["studies"]
    assert "1 study has series under several PatientIDs" in said["studies"]
    assert "several PatientIDs" not in said["names"] + said["spelt"]


def test_subjects_who_may_be_one_person_are_named(tmp_path, source):
    exam = {"t1": EXAM["t1"]}

    def called(identifier, name, birth):
        values = {"PatientID": identifier, "PatientName": name, "PatientBirthDate": birth}
        return lambda header, _: [setattr(header, key, value) for key, value in values.items()]

    people = {
        "number": [("4711", "Doe^Jane", "19600203"), ("9982", "DOE^JANE", "19600203"), ("5", "Doe^Jane", "19610203")],
        "visits": [(f"P{n}_{time}", f"P{n}_{time}", "") for n in range(6) for time in ("pre", "post")[: 2 - n % 2]],
        "anonymous": [(str(n), "ANON^ANON", "19600101") for n in range(3)],
        "replaced": [(str(n), "Study^Glioma", "19000101") for n in range(3)],
    }
    said = {}
    for root, known in people.items():
        for number, (identifier, name, birth) in enumerate(known):
            write_exam(tmp_path / root, str(number), exam=exam, change=called(identifier, name, birth))
        one = source(root)
        one.locate()
        said[root] = [note for note in one.notes() if "different people" in note]
    names = Pseudonyms(KEY)
    (note,) = said["number"]
    assert note.endswith(f": {' and '.join(sorted(map(names.patient, ('4711', '9982'))))}.") and "birth date" in note
    (note,) = said["visits"]
    assert note.startswith("3 groups") and names.patient("P0_pre") in note and "P0" not in note
    assert said["anonymous"] == said["replaced"] == []
