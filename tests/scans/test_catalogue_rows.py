"""Rows of the catalogue in pieces in the store."""

import numpy as np
import pytest

from brain_cae.scans.catalogue_rows import ROW, kind_of_row, load, save
from brain_cae.scans.headers import IMAGE, STATUS


@pytest.fixture
def rows():
    made = np.zeros(3, ROW)
    made["file"], made["series"], made["echo"] = [b"a", b"b", b"c"], b"s", [2.5, 2.5, 90]
    made["status"] = IMAGE
    return made


def test_pieces_give_what_was_saved(tmp_path, rows):
    facts = {kind_of_row(rows[0]): {"number": 1}, kind_of_row(rows[2]): {"number": 2}}
    save(tmp_path, rows[:1], facts)
    save(tmp_path, rows[1:], facts)
    known = load(tmp_path)
    assert known.facts == facts and sorted(known.rows) == [b"a", b"b", b"c"] and known.rows[b"c"] == rows[2]
    assert load(None).rows == {}


def test_rows_without_the_facts_of_their_kind_and_unreadable_files_are_read_again(tmp_path, rows):
    rows["status"][0] = STATUS.index("unreadable file")
    save(tmp_path, rows, {kind_of_row(rows[1]): {}})
    assert list(load(tmp_path).rows) == [b"b"]


@pytest.mark.parametrize("damage", [lambda data: data[:-200], lambda data: b"", lambda data: data[::-1]])
def test_a_damaged_piece_is_read_again(tmp_path, rows, damage):
    save(tmp_path, rows, {kind_of_row(row): {} for row in rows})
    (piece,) = tmp_path.iterdir()
    piece.write_bytes(damage(piece.read_bytes()))
    assert load(tmp_path).rows == {}
