"""Which files are one series."""

import numpy as np
import pytest

from brain_cae.scans.series_groups import Group, divided, holds_repeats

DUAL = [12.0, 93.0] * 4
COLUMNS = [
    ("echo", "f4"),
    ("apart", "?"),
    ("agent", "?"),
    ("serial", "i4"),
    ("number", "i4"),
    ("type", "S1"),
    ("place", "f8"),
    ("plane", "f4", 6),
    ("repetition", "f4"),
    ("day", "S1"),
]


def parts(echoes, apart=(), **columns):
    rows = np.zeros(len(echoes), COLUMNS)
    rows["echo"], rows["apart"][list(apart)] = echoes, True
    for name, values in columns.items():
        rows[name] = values
    groups = divided(Group(np.arange(len(echoes)), 0), rows)
    return [(one.files.tolist(), one.part) for one in groups]


def test_two_echoes_are_two_series_whatever_lies_among_them():
    assert parts(DUAL) == [([0, 2, 4, 6], ""), ([1, 3, 5, 7], "second echo")]
    # A picture without an echo, and the phase of the second one.
    assert parts([*DUAL, 0.0, 93.0], apart=(8, 9)) == [
        ([0, 2, 4, 6, 8], ""),
        ([1, 3, 5, 7, 9], "second echo"),
    ]


@pytest.mark.parametrize(
    "echoes",
    [[12.0] * 6, [0.0] * 6, [2.98, 2.981] * 3, [11.0, 11.6] * 3, [12.0, 93.0, 93.0], [10.0, 20.0, 30.0] * 2, [12.0, 0]],
)  # fmt: skip
def test_others_stay_as_they_are(echoes):
    assert parts(echoes) == [(list(range(len(echoes))), "")]


def test_of_two_echoes_one_may_lack_slices():
    assert parts([*[12.0] * 3, *[93.0] * 2], place=[1.0, 2.0, 3.0, 1.0, 3.0]) == [
        ([0, 1, 2], ""), ([3, 4], "second echo"),
    ]  # fmt: skip


@pytest.mark.parametrize("echoes", [[12.0] * 3 + [93.0] * 3, [12.0, 93.0] * 3])
def test_slices_of_one_echo_between_those_of_another_are_left_together(echoes):
    assert parts(echoes, place=range(1, 7)) == [(list(range(6)), "")]


def test_series_that_each_count_from_one_are_told_apart_by_their_numbers():
    numbers = [1, 2, 3, 4, 1, 2, 1, 2, 3]
    serials = [3, 3, 3, 3, 5, 5, 8, 8, 8]
    said = parts([9.0] * 9, serial=serials, number=numbers)
    assert said == [([0, 1, 2, 3], "number 3"), ([4, 5], "number 5"), ([6, 7, 8], "number 8")]
    assert len(parts([*[12.0] * 4, 93.0, 93.0, 12.0, 93.0, 9.0], serial=serials, number=numbers)) == 3


def test_series_of_several_sequences_are_told_apart_by_their_repetition_times():
    times = [2300.0, 9000.0, 5000.0, 2300.0, 9000.0, 5000.0, 0.0]
    assert parts([3.0] * 7, repetition=times, place=[1, 1, 1, 2, 2, 2, 3]) == [
        ([0, 3, 6], ""),
        ([2, 5], "repetition 5000"),
        ([1, 4], "repetition 9000"),
    ]
    # It changes a little from slice to slice where the heart or breath triggers.
    assert len(parts([3.0] * 3, repetition=[800.0, 850.0, 910.0], place=[1, 2, 3])) == 1
    # So it does from package to package; slices of one position or number, another plane or echo time are others.
    packages = {"repetition": [3000.0, 4000.0] * 2, "place": [1, 2, 3, 4]}
    assert len(parts([3.0] * 4, **packages)) == 1
    planes = [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]] * 2
    for more in ({"place": [1, 1, 2, 2]}, {"plane": planes}, {"number": [1, 1, 2, 2]}):
        assert len(parts([3.0] * 4, **packages | more)) == 2
    assert len(parts([3.0, 90.0] * 2, **packages)) == 2
    copied = {"repetition": [3000.0, 4000.0] * 2 + [3000.0], "place": [1, 2, 3, 4, 1], "number": [1, 2, 3, 4, 1]}
    assert len(parts([3.0] * 5, **copied)) == 1
    beside = {"repetition": [3000.0, 4000.0] * 2 + [9000.0] * 2, "place": [1, 2, 3, 4, 1, 2]}
    assert parts([3.0] * 4 + [90.0] * 2, **beside) == [([0, 1, 2, 3], ""), ([4, 5], "repetition 9000")]
    # An image without one is of the series with its echo time.
    lost = {"repetition": [2300.0, 9000.0, 0.0] * 2, "place": [1, 2, 3, 2, 1, 4]}
    assert parts([3.0, 90.0, 90.0] * 2, **lost) == [([0, 3], ""), ([1, 2, 4, 5], "repetition 9000")]
    # What is no anatomical image stays with the first.
    assert parts([3.0] * 3, apart=(2,), repetition=[500.0, 500.0, 9000.0]) == [([0, 1, 2], "")]


def test_series_of_two_dates_are_told_apart():
    said = parts([9.0] * 6, serial=[3] * 6, number=[1, 2, 3] * 2, day=[b"a"] * 3 + [b"b"] * 3)
    assert said == [([0, 1, 2], "number 3 day a"), ([3, 4, 5], "number 3 day b")]
    assert len(parts([9.0] * 6, serial=[3] * 6, number=range(1, 7), day=[b"a"] * 3 + [b"b"] * 3)) == 1


@pytest.mark.parametrize("numbers", [[1, 2, 3, 4, 5, 6], [1, 2, 3, 3, 4, 5], [0] * 6])
def test_a_series_that_counts_on_is_one_whatever_its_numbers(numbers):
    assert parts([9.0] * 6, serial=[3, 3, 3, 1003, 1003, 1003], number=numbers) == [([0, 1, 2, 3, 4, 5], "")]


def test_images_of_two_types_at_the_same_positions_are_two_series():
    places = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    assert parts([9.0] * 6, type=[b"w"] * 3 + [b"f"] * 3, place=places) == [
        ([3, 4, 5], "type f"),
        ([0, 1, 2], "type w"),
    ]
    copied = parts([9.0] * 8, type=[b"w"] * 5 + [b"f"] * 3, place=[1.0, 2.0, 3.0, 1.0, 2.0, 1.0, 2.0, 3.0])
    assert copied == [([5, 6, 7], "type f"), ([0, 1, 2, 3, 4], "type w")]
    # A phase stays with one of them.
    said = parts([9.0] * 7, apart=(6,), type=[b"w"] * 3 + [b"f"] * 3 + [b"p"], place=[*places, 1.0])
    assert said == [([3, 4, 5, 6], "type f"), ([0, 1, 2], "type w")]


@pytest.mark.parametrize(
    "places",
    [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 2.0, 3.0, 1.0, 2.0, 4.0], [0.0] * 6],
)
def test_types_at_other_positions_are_slices_of_one_series(places):
    assert len(parts([9.0] * 6, type=[b"w"] * 3 + [b"f"] * 3, place=places)) == 1


SAGITTAL, AXIAL, TILTED = (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 1, 0), (0.995, 0.0998, 0, -0.0998, 0.995, 0)


@pytest.mark.parametrize(
    ("planes", "several"),
    [((SAGITTAL, AXIAL), True), ((AXIAL, TILTED), False), ((AXIAL, AXIAL), False), (((0,) * 6, AXIAL), False)],
)
def test_images_of_another_type_in_another_plane_are_a_series_of_their_own(planes, several):
    two = {"type": list("aaab"), "place": [1, 2, 3, 9], "plane": [planes[0]] * 3 + [planes[1]]}
    assert [files for files, _ in parts([3.0] * 4, **two)] == ([[0, 1, 2], [3]] if several else [[0, 1, 2, 3]])
    # Planes of one type, as of a localiser, are left together; what was reformatted may have the plane of the scan too.
    assert len(parts([3.0] * 4, **(two | {"type": ["a"] * 4}))) == 1
    assert len(parts([3.0] * 4, **(two | {"type": list("aabb")}))) == 1 + several


def test_images_of_a_type_that_lacks_slices_are_a_series_too():
    types, places = list("aaaabbb"), [1, 2, 3, 4, 1, 2, 4]
    assert parts([3.0] * 7, type=types, place=places) == [([0, 1, 2, 3], "type a"), ([4, 5, 6], "type b")]
    # Of one volume, some slices were processed in another way.
    assert parts([3.0] * 7, type=types, place=range(1, 8)) == [(list(range(7)), "")]


def test_images_before_and_after_contrast_agent_are_two_series():
    places, agent = [1, 2, 3, 1, 2, 3], [False] * 3 + [True] * 3
    assert parts([3.0] * 6, agent=agent, place=places) == [([0, 1, 2], ""), ([3, 4, 5], "agent")]
    # Of one series, all files but the first name the agent.
    assert parts([3.0] * 6, agent=[False] + [True] * 5, place=range(1, 7)) == [(list(range(6)), "")]
    assert parts([3.0] * 7, apart=(6,), agent=[*agent, False], place=[*places, 1]) == [
        ([0, 1, 2, 6], ""), ([3, 4, 5], "agent"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "repeated"),
    [
        ({"place": [1, 2, 3, 1, 2, 3], "number": range(1, 7)}, True),  # two times
        ({"place": [1, 2, 3] * 2, "number": [1, 2, 3] * 2, "echo": [2, 2, 2, 4, 4, 4]}, True),
        ({"place": [1, 2, 3] * 2, "number": [1, 2, 3] * 2}, False),  # a second export
        ({"place": [1, 2, 3, 4, 5, 1], "number": range(1, 7)}, False),  # one slice twice
        ({"place": 0, "number": range(1, 7)}, False),  # unknown
    ],
)
def test_times_and_echoes_are_no_single_volume(columns, repeated):
    rows = np.zeros(6, COLUMNS)
    for name, values in columns.items():
        rows[name] = values
    assert holds_repeats(rows) == repeated
