"""Which files are one series."""

import numpy as np
import pytest

from brain_cae.scans.series_groups import Group, by_echo

DUAL = [12.0, 93.0] * 4


def rows_of(echoes, apart=()):
    rows = np.zeros(len(echoes), [("echo", "f4"), ("apart", "?")])
    rows["echo"], rows["apart"][list(apart)] = echoes, True
    return rows


def divided(echoes, apart=()):
    groups = by_echo(Group(np.arange(len(echoes)), 0), rows_of(echoes, apart))
    return [(one.files.tolist(), one.second) for one in groups]


def test_two_echoes_are_two_series_whatever_lies_among_them():
    assert divided(DUAL) == [([0, 2, 4, 6], False), ([1, 3, 5, 7], True)]
    # A picture without an echo, and the phase of the second one.
    assert divided([*DUAL, 0.0, 93.0], apart=(8, 9)) == [
        ([0, 2, 4, 6, 8], False),
        ([1, 3, 5, 7, 9], True),
    ]


@pytest.mark.parametrize(
    "echoes",
    [[12.0] * 6, [0.0] * 6, [2.98, 2.981] * 3, [11.0, 11.6] * 3, [12.0, 93.0, 93.0], [10.0, 20.0, 30.0] * 2, [12.0, 0]],
)  # fmt: skip
def test_others_stay_as_they_are(echoes):
    assert divided(echoes) == [(list(range(len(echoes))), False)]
