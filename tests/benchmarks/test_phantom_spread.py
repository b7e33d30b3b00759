"""Spread between brains: known truth for the statistics, and a clear reason where the real heads are absent."""

import json
import sys

import numpy as np
import pytest

from .conftest import load_benchmark

spread = load_benchmark("phantom_spread")
PLACES = (20, 20, 20)


def brain(scanner: str, values: np.ndarray) -> "spread.Brain":
    return spread.Brain(scanner, np.broadcast_to(values, (2, 4, *PLACES)).astype(np.float32), np.ones(PLACES, bool))


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((8, *PLACES))


def test_the_spread_is_taken_within_a_scanner(noise: np.ndarray) -> None:
    brains = [brain("a" if i < 4 else "b", 0.1 * one + (i > 3)) for i, one in enumerate(noise)]
    assert spread.spread(brains, np.ones(PLACES, bool)) == pytest.approx(np.full((2, 4), 0.1), rel=0.03)


def test_people_who_share_two_patterns_are_explained_and_others_are_not(noise: np.ndarray) -> None:
    where = np.ones(PLACES, bool)
    amounts = np.random.default_rng(1).standard_normal((8, 2))
    shared = [brain("a", np.tensordot(amount, noise[:2], 1)) for amount in amounts]
    assert spread.explained(shared, where) == pytest.approx(np.ones((2, 5)), abs=1e-3)
    assert spread.explained([brain("a", one) for one in noise], where).max() < 0.05


def test_a_second_scan_of_the_same_person_is_left_out(noise: np.ndarray) -> None:
    again = brain("b", noise[0] + 0.3 * noise[2])
    kept = spread.one_each([brain("a", noise[0]), brain("a", noise[1]), again])
    assert [one.scanner for one in kept] == ["a", "a"]


def test_without_real_heads_it_says_so(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["phantom_spread.py", str(tmp_path)])
    spread.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Skipped: no folder") and json.loads(lines[-1])["name"] == "phantom_spread"
