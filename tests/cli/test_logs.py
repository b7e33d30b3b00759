"""Log lines."""

import io
import logging
import subprocess
import sys
import warnings

import pytest
import rich
from rich.console import Console

from brain_cae.cli.logs import ConsoleHandler, PrintableFormatter, set_verbosity
from brain_cae.progress import on_terminal


def line(message, *args):
    return PrintableFormatter("%(message)s").format(logging.makeLogRecord({"msg": message, "args": args}))


def test_names_cannot_act_on_the_terminal():
    assert line("%s is left out: %d", "a\x1b]0;title\x07\nERROR b", 3) == "a\\x1b]0;title\\x07\\nERROR b is left out: 3"
    assert line("subject \x9b2J") == "subject \\x9b2J"


def test_a_message_may_have_several_lines():
    assert line("%s", ValueError("one\n  Expected: two\x1b")) == "one\n  Expected: two\\x1b"


@pytest.fixture
def console(monkeypatch):
    """Return a function that sets up a handler; it returns what was printed on both outputs."""
    kept = logging.getLogger("brain_cae").level, logging.getLogger("py.warnings").level, warnings.showwarning
    outputs = io.StringIO(), io.StringIO()
    handler = ConsoleHandler()
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.getLogger().addHandler(handler)

    def make(verbosity: str, *, terminal: bool = False, width: int = 40) -> tuple[io.StringIO, io.StringIO]:
        drawn = Console(file=outputs[0], force_terminal=terminal, width=width, color_system=None)
        monkeypatch.setattr(rich, "_console", drawn)
        monkeypatch.setattr(sys, "stderr", outputs[1])
        set_verbosity(verbosity)
        return outputs

    yield make
    logging.getLogger().removeHandler(handler)
    logging.captureWarnings(False)
    logging.getLogger("brain_cae").setLevel(kept[0])
    logging.getLogger("py.warnings").setLevel(kept[1])
    logging.getLogger("matplotlib").setLevel(logging.NOTSET)
    warnings.showwarning = kept[2]


def speak() -> None:
    log = logging.getLogger("brain_cae.stages.fit")
    log.debug("a detail")
    log.info("train …")
    log.warning("Only 8 brains.")
    log.error("job 3 failed")
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("matplotlib").warning("a temporary cache directory")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("for programmers", UserWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("verbosity", "out", "err"),
    [
        ("quiet", [], ["Caution: Only 8 brains.", "Error: job 3 failed"]),
        ("normal", ["train …", "Caution: Only 8 brains.", "Error: job 3 failed"], []),
        ("debug", ["a detail", "train …", "Caution: Only 8 brains.", "Error: job 3 failed"], []),
    ],
)
def test_verbosity_decides_what_is_shown_and_where(console, verbosity, out, err):
    outputs = console(verbosity)
    speak()
    shown = [[line[9:] for line in output.getvalue().splitlines()] for output in outputs]
    assert shown[0][: len(out)] == out and shown[1] == err
    for text in ("for programmers", "a temporary cache directory"):
        assert (text in outputs[0].getvalue()) == (verbosity == "debug")
    assert on_terminal() is False


def test_a_line_breaks_between_words_on_a_terminal_and_a_path_stays_whole(console):
    path = "/a/path/that/is/longer/than/a/line/of/the/terminal/report.html"
    out, _ = console("normal", terminal=True)
    assert on_terminal()
    logging.getLogger("brain_cae").warning("The report of this run lies in %s", path)
    lines = out.getvalue().splitlines()
    assert lines[0][9:] == "Caution: The report of this run"
    assert lines[1:] == [" " * 9 + "lies in", " " * 9 + path]


def test_a_file_has_whole_lines_and_no_escapes(console):
    out, _ = console("normal")
    logging.getLogger("brain_cae").warning("word " * 40)
    assert len(out.getvalue().splitlines()) == 1 and "\x1b" not in out.getvalue()
    console("quiet", terminal=True)
    assert not on_terminal()


@pytest.mark.extras
def test_a_run_goes_on_when_nobody_reads_its_output(tmp_path):
    code = (
        "import logging; from pathlib import Path; from brain_cae.cli.logs import ConsoleHandler;"
        "logging.basicConfig(handlers=[ConsoleHandler()], level='INFO');"
        "[logging.info('line %d', number) for number in range(100_000)]; Path('done').touch()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) as started:
        started.stdout.readline()
        started.stdout.close()
    assert started.returncode == 0 and (tmp_path / "done").exists()
