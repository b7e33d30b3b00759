"""One session of each subject."""

from pathlib import Path

from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.base import SeriesLocation


def scan(session, modality="t1", there=True, **options):
    files = (Path(f"/{session}/{modality}.nii"),) if there else ()
    return SeriesLocation("a", modality, files, session=session, **options)


def sessions(locations):
    return {one.session for one in one_session(locations, ["t1", "flair"])}


def test_of_equal_sessions_the_first_is_kept():
    assert sessions([scan("2019"), scan("2018"), scan("2020")]) == {"2018"}


def test_the_session_with_most_modalities_is_kept():
    second = [scan("2"), scan("2", "flair")]
    assert sessions([scan("1"), scan("1", "flair", there=False), scan("1", "t2"), *second]) == {"2"}


def test_a_chosen_session_is_kept():
    first = [scan("1"), scan("1", "flair")]
    assert sessions([*first, scan("2", chosen=Path("/2/t1.nii"))]) == {"2"}


def test_scans_of_other_sessions_are_kept_for_the_report():
    passed = (Path("/2/run-2.nii"), "another scan was taken")
    (kept,) = one_session([scan("1"), scan("2", left_out=(passed,)), scan("3", there=False)], ["t1"])
    assert kept.left_out == ((Path("/2/t1.nii"), "another session was taken: 1"), passed)


def test_a_single_session_is_unchanged():
    locations = [scan(""), scan("", "flair", there=False)]
    assert one_session(locations, ["t1"]) == locations
