"""Progress: a bar on a terminal, log lines otherwise."""

import io
import logging

import pytest
import rich
from rich.console import Console

from brain_cae.phantom import PhantomSettings, write_cohort
from brain_cae.progress import counter, on_terminal, track


@pytest.fixture
def console(monkeypatch):
    """Return a function that replaces the console and returns the file it writes to."""

    def make(terminal: bool) -> io.StringIO:
        file = io.StringIO()
        monkeypatch.setattr(rich, "_console", Console(file=file, force_terminal=terminal, width=100))
        return file

    return make


@pytest.fixture
def lines(caplog):
    """Return a function that gives the logged lines without the elapsed time."""
    caplog.set_level(logging.INFO, logger="brain_cae.progress")
    return lambda: [record.getMessage().partition(" (")[0] for record in caplog.records]


@pytest.mark.parametrize("bar", [True, False])
def test_output_to_a_file_has_a_line_after_each_tenth_with_or_without_bars(console, lines, bar):
    file = console(terminal=False)
    assert not on_terminal()
    assert list(track(list(range(25)), "import", bar=bar)) == list(range(25))
    assert lines() == [f"import: {done} of 25" for done in (3, 5, 8, 10, 13, 15, 18, 20, 23, 25)]
    assert file.getvalue() == ""


def test_a_line_counts_finished_items_only(console, lines):
    console(terminal=False)
    seen = [lines()[-1:] for _ in track(["a", "b", "c"], "score")]
    assert seen == [[], ["score: 1 of 3"], ["score: 2 of 3"]]
    assert lines()[-1] == "score: 3 of 3"


def test_resumed_work_continues_the_count_and_finished_work_logs_nothing(console, lines):
    console(terminal=False)
    with counter("import", 40, done=35) as advance:
        for _ in range(5):
            advance()
    with counter("import", 40, done=40):
        pass
    assert list(track([], "strip skulls")) == []
    assert lines() == ["import: 36 of 40", "import: 40 of 40"]


def test_a_terminal_shows_a_bar_and_no_lines(console, lines):
    file = console(terminal=True)
    assert on_terminal()
    assert list(track(["a", "b"], "prepare")) == ["a", "b"]
    assert "prepare" in file.getvalue() and "2/2" in file.getvalue()
    assert lines() == []


def test_a_terminal_without_bars_stays_empty(console, lines):
    file = console(terminal=True)
    assert list(track(["a", "b"], "prepare", bar=False)) == ["a", "b"]
    with counter("import", 3, done=3):
        pass
    assert "prepare" not in file.getvalue() and "import" not in file.getvalue()
    assert lines() == []


def test_a_simulation_shows_its_progress(console, lines, tmp_path):
    console(terminal=False)
    settings = PhantomSettings(subjects=2, seed=1)
    folder = write_cohort(settings, tmp_path)
    assert lines() == ["simulate: 1 of 2", "simulate: 2 of 2"]
    assert write_cohort(settings, tmp_path) == folder
    assert len(lines()) == 2
