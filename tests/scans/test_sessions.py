"""One session of each subject."""

from pathlib import Path

import pytest

from brain_cae.errors.reasons import advice_for
from brain_cae.scans.sessions import one_session
from brain_cae.scans.sources.base import SeriesLocation


def scan(session, modality="t1", there=True, **options):
    files = (Path(f"/{session}/{modality}.nii"),) if there else ()
    return SeriesLocation("a", modality, files, session=session, **options)


def sessions(locations):
    return {one.session for one in one_session(locations, ["t1", "flair"])}


def test_of_equal_sessions_the_first_is_kept():
    assert sessions([scan("2019"), scan("2018"), scan("2020")]) == {"2018"}


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (("ses-10", "ses-2"), "ses-2"),
        (("ses-post", "ses-pre"), "ses-pre"),
        (("ses-postop2", "ses-postop1", "ses-preop"), "ses-preop"),
        (("ses-followup", "ses-baseline"), "ses-baseline"),
        (("ses-FU1", "ses-1"), "ses-1"),
        (("M12", "M6"), "M6"),
        (("2019-11-02", "2019-02-11"), "2019-02-11"),
        (("01.12.2019", "15.02.2019"), "15.02.2019"),
        (("ses-01122018", "ses-15022017"), "ses-15022017"),
        (("ses-15Feb2019", "ses-01Dec2018"), "ses-01Dec2018"),
        (("15.02.19", "01.12.18"), "01.12.18"),
        (("12/01/2018", "02/15/2019"), "12/01/2018"),
        (("ses-2YearFollowUpYArm1", "ses-baselineYear1Arm1"), "ses-baselineYear1Arm1"),
        (("ses-2yearfollowupyarm1", "ses-baselineyear1arm1"), "ses-baselineyear1arm1"),
        (("20200105_preop", "20190105_postop"), "20190105_postop"),
        (("V04", "BL"), "BL"),
        (("2019/12/01", "2019/02/15"), "2019/02/15"),
        (("2/15/19", "12/1/18"), "12/1/18"),
        (("Verlauf", "präOP"), "präOP"),
    ],
)
def test_numbers_and_words_tell_the_order_in_time(names, first):
    (kept,) = one_session([scan(name) for name in names], ["t1"])
    assert kept.session == first
    assert {reason for _, reason in kept.left_out} == {f"another session was taken: {first}"}


@pytest.mark.parametrize(
    "names",
    [
        ("ses-b", "ses-a"),
        ("", "ses-2"),
        ("ses-w2", "ses-m1"),
        ("ses-1b", "ses-1"),
        ("3months", "1year"),
        ("02/11/2018", "01/12/2018"),
        ("31/12/18", "01/10/19"),
    ],
)
def test_the_report_says_if_the_order_in_time_is_not_known(names):
    (kept,) = one_session([scan(name) for name in names], ["t1"])
    ((_, reason),) = kept.left_out
    assert reason.endswith("; by its name, which does not tell their order in time") and advice_for(reason)


def test_dates_of_tables_go_before_the_names():
    scans = [scan("ses-1", date="2020-05-01"), scan("ses-2", date="2019-01-01")]
    (kept,) = one_session(scans, ["t1"])
    assert (kept.session, kept.left_out[0][1]) == ("ses-2", "another session was taken: ses-2")
    assert sessions([scan("ses-1"), scans[1]]) == {"ses-1"}


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
