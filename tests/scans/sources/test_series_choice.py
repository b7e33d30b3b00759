"""The choice among series, from their facts alone."""

import math
from pathlib import Path

import pytest

from brain_cae.errors import DatasetError
from brain_cae.scans.catalogue import Series
from brain_cae.scans.contrast_rules import Physics
from brain_cae.scans.headers import SeriesFacts
from brain_cae.scans.identity import Identity
from brain_cae.scans.sources.series_choice import (
    MAY_BE_AFTER_AGENT,
    NO_ORDER,
    by_rule,
    by_table,
    in_sessions,
    not_listed,
    take,
)

T1 = Physics(tr=500, te=12, flip=90, codes=("SE",))
T2 = Physics(tr=5000, te=95, flip=150, codes=("SE",))


def series(name, physics=T1, *, patient="p-1", study="a", images=30, thickness=5.0, repeated=False, **more):
    facts = SeriesFacts(physics, **{"number": 1.0} | more, rows=10, columns=10, thickness=thickness)
    return Series(patient, study, name, (Path(name),), images, facts, repeated=repeated)


def used(taken):
    return {one.series.name: one.modality for one in taken}


def read(taken):
    return {one.series.name for one in taken if one.read_for}


@pytest.mark.parametrize(
    ("better", "worse", "reason", "also_read"),
    [
        (series("a", thickness=2), series("b", Physics(**(vars(T1) | {"elsewhere": True}))), "shows the head", False),
        (series("a", thickness=5), series("b", images=100, thickness=0.5), "covers the whole head", False),
        (series("a", derived=True), series("b", images=60, repeated=True), "is one volume", False),
        (series("a"), series("b", Physics(**(vars(T1) | {"hints": ("t2",)}))), "leaves no doubt", False),
        (series("a", images=30), series("b", images=60, derived=True), "is original", False),
        (series("a", images=60), series("b", images=30), "has more slices", True),
        (series("a", number=5), series("b", number=3), "has the higher number", True),
    ],
)
def test_the_first_criterion_that_differs_decides(better, worse, reason, also_read):
    for order in ([better, worse], [worse, better]):
        taken = by_rule(take([(one, "s1") for one in order]))
        assert used(taken) == {"a": "t1", "b": ""}
        assert f"it {reason}" in next(one.why for one in taken if one.series.name == "b")
        assert read(taken) == ({"a", "b"} if also_read else {"a"})


def test_without_numbers_the_later_acquisition_is_taken():
    scans = [(series(name, number=math.nan), "s1") for name in "ab"]
    for last, places in (
        ("a", {"a": ("20190304 110000", "1.2.1", "M", -9.0), "b": ("20190304 101500", "1.2.2", "M", -5.0)}),
        ("b", {"a": ("", "1.2.1", "M", -5.0), "b": ("", "1.2.2", "M", -9.0)}),
        ("b", {"a": ("", "1.2.1", "M", -5.0), "b": ("", "1.2.1", "M\\NORM", -9.0)}),
        ("b", {"a": ("", "1.2.1", "M", -4.8), "b": ("", "1.2.1", "M", -2.3)}),  # two echoes
    ):
        identities = {name: Identity("1", "", frozenset(), place=place) for name, place in places.items()}
        taken = used(by_rule(take(scans, identities)))
        assert [name for name, modality in taken.items() if modality] == [last]


@pytest.mark.parametrize(
    ("numbers", "physics", "taken"),
    [
        ((2, 3, 4), T2, "a"),
        ((2, 4, 3), T2, "c"),  # a repeat
        ((2, 3, 4), Physics(**(vars(T2) | {"agent": True})), "a"),  # this is known, so the second T1 is a t1ce
    ],
)
@pytest.mark.parametrize("numbered", [True, False])
def test_of_two_t1_with_other_contrasts_between_them_the_first_is_taken(numbers, physics, taken, numbered):
    shown = numbers if numbered else (math.nan,) * 3
    scans = [series(name, what, number=n) for name, what, n in zip("abc", (T1, physics, T1), shown, strict=True)]
    places = {name: (f"20190304 10{n}000", "", "", 0.0) for name, n in zip("abc", numbers, strict=True)}
    identities = {name: Identity("1", "", frozenset(), place=place) for name, place in places.items()}
    found = by_rule(take([(one, "s1") for one in scans], identities))
    assert [one.series.name for one in found if one.modality == "t1"] == [taken]
    assert [one.series.name for one in found if one.read_for == "t1"] == ([taken] if taken == "a" else ["a", "c"])
    others = [one for one in found if one.contrast.doubt == MAY_BE_AFTER_AGENT]
    assert [one.series.name for one in others] == (["c"] if taken == "a" and not physics.agent else [])


def test_an_agent_in_a_reformatted_scan_alone_makes_no_later_t1_a_native_one():
    after = Physics(**(vars(T1) | {"agent": True}))
    scans = [series("a"), series("b", T2, number=2.0), series("c", number=3.0)]
    scans.append(series("d", after, number=4.0, derived=True))
    found = {one.series.name: one for one in by_rule(take([(one, "s1") for one in scans]))}
    assert {name: one.modality for name, one in found.items()} == {"a": "t1", "b": "t2", "c": "", "d": "t1ce"}
    assert found["c"].contrast.doubt == MAY_BE_AFTER_AGENT


@pytest.mark.parametrize("hours", ["102", ""])
def test_an_examination_in_two_studies_is_ordered_by_time(hours):
    """Each study counts its series anew, so that the second T1 may have any number."""
    scans = [series("a", number=2.0), series("b", T2, number=3.0), series("c", study="b", number=5.0)]
    scans.append(series("d", T2, study="b", number=6.0))
    places = {name: (f"20190304 {hours}{n}00", "", "", 0.0) for n, name in enumerate("abcd")} if hours else {}
    identities = {name: Identity("1", "", frozenset(), place=place) for name, place in places.items()}
    found = used(by_rule(take([(one, "s1") for one in scans], identities)))
    assert found == {"a": "t1" if hours else "", "b": "", "c": "" if hours else "t1", "d": "t2"}
    # One time for all tells nothing: within each study, numbers do.
    same = {name: Identity("1", "", frozenset(), place=("20190304 000000", "", "", 0.0)) for name in "abcd"}
    scans[2:] = [series("c", number=5.0), series("d", T2, study="b", number=6.0)]
    assert used(by_rule(take([(one, "s1") for one in scans], same)))["a"] == "t1"


def test_a_few_slices_are_no_first_t1_of_an_examination_whose_headers_all_name_an_agent():
    after, t2 = (Physics(**(vars(one) | {"agent": True})) for one in (T1, T2))
    scans = [series("a", after, images=3), series("b", t2, number=2.0), series("c", after, number=3.0)]
    assert used(by_rule(take([(one, "s1") for one in scans]))) == {"a": "", "b": "t2", "c": "t1ce"}
    scans[0] = series("a", after)
    assert used(by_rule(take([(one, "s1") for one in scans]))) == {"a": "t1", "b": "t2", "c": "t1ce"}


@pytest.mark.parametrize(("kind", "taken"), [("opposed-phase image", "c"), ("projection", "c"), ("", "a")])
def test_what_is_computed_from_a_t1_or_acquired_with_it_is_no_other_contrast_between_two_t1(kind, taken):
    between = Physics(**(vars(T1) | {"kind": kind})) if kind else T2
    scans = [series("a"), series("b", between, number=2.0), series("c", number=3.0)]
    found = by_rule(take([(one, "s1") for one in scans]))
    assert [one.series.name for one in found if one.modality == "t1"] == [taken]


@pytest.mark.parametrize(
    ("between", "time", "doubt"), [(T2, "000000", NO_ORDER), (T1, "000000", ""), (T2, "", NO_ORDER)]
)
def test_of_two_t1_that_nothing_orders_one_is_taken_in_doubt(between, time, doubt):
    scans = [series("a", number=math.nan), series("b", between, number=math.nan), series("c", number=math.nan)]
    place = (time and f"20190304 {time}", "", "", 0.0)
    identities = {name: Identity("1", "", frozenset(), place=place) for name in "abc"}
    (taken,) = [one for one in by_rule(take([(one, "s1") for one in scans], identities)) if one.modality == "t1"]
    assert taken.contrast.doubt == doubt


MPRAGE = Physics(tr=2300, te=3, ti=900, flip=9, codes=("GR", "IR"), three_d=True, spacing=1.0)


@pytest.mark.parametrize(
    "first",
    [series("a"), series("a", MPRAGE, images=100, thickness=1.0),
     series("a", Physics(**(vars(MPRAGE) | {"spacing": 4.0})), images=40, thickness=4.0)],
    ids=["another sequence", "aborted", "coarse"],
)  # fmt: skip
def test_a_later_t1_that_is_no_repeat_of_the_first_is_taken_in_doubt(first):
    scans = [first, series("b", T2, number=2.0), series("c", MPRAGE, images=170, thickness=1.0, number=3.0)]
    found = {one.series.name: one for one in by_rule(take([(one, "s1") for one in scans]))}
    assert found["c"].modality == "t1" and found["c"].contrast.doubt == MAY_BE_AFTER_AGENT


def test_a_series_that_may_be_a_part_of_the_best_is_read_too():
    whole, stray = series("a", images=28), series("b", images=2, number=7.0)
    other = series("c", Physics(**(vars(T1) | {"tr": 510})), images=2)
    assert read(by_rule(take([(one, "s1") for one in (whole, stray, other)]))) == {"a", "b"}


def test_sessions_are_numbered_by_date_and_sort_as_text():
    scans = [series(f"x{n}", study=f"study{n}") for n in range(11)]
    identities = {f"x{n}": Identity("1", f"20{30 - n}0101 120000", frozenset()) for n in range(11)}
    sessions = {one.name: session for one, session in in_sessions(scans, identities)}
    assert sessions["x10"] == "s01" and sessions["x0"] == "s11"
    assert sorted(sessions.values()) == [f"s{n:02d}" for n in range(1, 12)]


def test_a_study_whose_series_are_days_apart_is_several_sessions():
    days = {"a": "20190304 101500", "b": "20190305 001000", "c": "20210506 090000", "d": " "}
    identities = {name: Identity("1", moment, frozenset()) for name, moment in days.items()}
    sessions = {one.name: session for one, session in in_sessions([series(name) for name in days], identities)}
    assert sessions == {"a": "s1", "b": "s1", "c": "s2", "d": "s1"}


def test_studies_of_one_day_in_one_frame_of_reference_are_one_session():
    days = {"a": "20190304 101500", "b": "20190304 103000", "c": "20190304 180000", "d": "20190305 090000", "e": ""}
    frames = {"a": "1.2", "b": "1.2", "c": "1.3", "d": "1.2", "e": "1.2"}
    identities = {name: Identity("1", day, frozenset(), frame=frames[name]) for name, day in days.items()}
    scans = [series(name, study=name) for name in days]
    sessions = {one.name: session for one, session in in_sessions(scans, identities)}
    assert sessions == {"e": "s1", "a": "s2", "b": "s2", "c": "s3", "d": "s4"}


@pytest.mark.parametrize(("physics", "frames", "sessions"), [(T2, "xx", 1), (T1, "xx", 2), (T2, "xy", 2)])
def test_studies_without_a_date_are_one_session_in_one_frame_with_other_contrasts(physics, frames, sessions):
    scans = [series("a", study="x"), series("b", physics, study="y")]
    identities = {name: Identity("1", "", frozenset(), frame=frame) for name, frame in zip("ab", frames, strict=True)}
    assert len({session for _, session in in_sessions(scans, identities)}) == sessions


@pytest.mark.parametrize(
    ("physics", "days", "sessions"),
    [
        (T2, ("20190304", "20190304"), 1),  # as after a restart of the scanner
        (T1, ("20190304", "20190304"), 2),
        (Physics(**(vars(T1) | {"agent": True})), ("20190304", "20190304"), 2),
        (T2, ("20190304", "20190305"), 2),
        (T2, ("19000101", "19000101"), 2),  # of an anonymiser
        (T2, ("", ""), 2),
    ],
)
def test_studies_of_one_day_with_different_contrasts_are_one_session(physics, days, sessions):
    scans = [series("a", study="x"), series("b", physics, study="y")]
    identities = {name: Identity("1", f"{day} 101500", frozenset()) for name, day in zip("ab", days, strict=True)}
    assert len({session for _, session in in_sessions(scans, identities)}) == sessions


def test_a_series_without_a_date_does_not_put_its_visit_first():
    moments = {"a": "20210506 090000", "b": " ", "c": "20190304 101500"}
    identities = {name: Identity("1", moment, frozenset()) for name, moment in moments.items()}
    scans = [series("a", study="x"), series("b", study="x"), series("c", study="y")]
    sessions = {one.name: session for one, session in in_sessions(scans, identities)}
    assert sessions == {"a": "s2", "b": "s2", "c": "s1"}


def test_a_table_decides_for_the_subjects_that_it_names():
    scans = [series("a"), series("b", T2), series("c", patient="p-2"), series("d", T2, patient="p-2")]
    taken = by_table(take([(one, "s1") for one in scans]), {"b": "t1"})
    assert used(taken) == {"a": "", "b": "t1", "c": "t1", "d": "t2"}
    assert "not in the table" in next(one.why for one in taken if one.series.name == "a")
    with pytest.raises(DatasetError, match="two series for one modality"):
        by_table(take([(one, "s1") for one in scans]), {"a": "t1", "b": "t1"})
    in_two_sessions = [(scans[0], "s1"), (scans[1], "s2")]
    assert used(by_table(take(in_two_sessions), {"a": "t1", "b": "t1"})) == {"a": "t1", "b": "t1"}


def test_a_series_that_a_table_does_not_name_is_told_where_the_table_chose_no_other():
    scans = [(series("a"), "s1"), (series("b"), "s1"), (series("c", T2), "s1"), (series("d"), "s2")]
    used = by_table(take([*scans, (series("e", patient="p-2"), "s1")]), {"a": "t1"})
    assert not_listed(used) == ["p-1 s1 t2 (c)", "p-1 s2 t1 (d)"]
