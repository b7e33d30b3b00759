"""What a command prints when it has finished."""

import io
import json

import pytest
import rich
from rich.console import Console

from brain_cae.cli.closing import show_closing, show_failure, show_job, show_summary


@pytest.fixture
def run(tmp_path, monkeypatch):
    folder = tmp_path / "outputs" / "one"
    folder.mkdir(parents=True)
    auroc = {"value": 0.91, "low": 0.84, "high": 0.96, "n": 87}
    metrics = {"detection": {"auroc": auroc}, "audit": {"verdict": "at risk"}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "report.html").touch()
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def out(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(rich, "_console", Console(file=file, width=60))
    return file


def test_the_table_has_whole_lines_without_escapes(run, out):
    show_closing(run)
    lines = [line.split(maxsplit=1) for line in out.getvalue().splitlines() if line]
    assert lines[0][0] == "verdict" and lines[0][1].startswith("at risk. Label and score both depend")
    assert "  report                 outputs/one/report.html" in out.getvalue().splitlines()
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(("cautions", "green"), [([], True), (["This is a trial."], False)])
def test_no_verdict_stands_in_green_under_cautions(run, monkeypatch, cautions, green):
    metrics = json.loads((run / "metrics.json").read_text()) | {"audit": {"verdict": "clear"}, "cautions": cautions}
    (run / "metrics.json").write_text(json.dumps(metrics))
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=True, color_system="standard", no_color=False)
    monkeypatch.setattr(rich, "_console", console)
    show_closing(run)
    assert ("\x1b[1;32mclear" in file.getvalue()) is green


def test_a_quiet_console_has_the_path_of_the_report_alone(run, out, capsys):
    rich.get_console().quiet = True
    show_closing(run)
    assert out.getvalue() == "" and capsys.readouterr().out == "outputs/one/report.html\n"


def test_jobs_of_a_sweep_have_a_line_each(run, out, caplog):
    show_job(2, run)
    show_failure(3, run, "No scans.\n  Expected: some")
    show_summary(run.parent / "summary.html")
    assert out.getvalue().splitlines() == [
        "job 2: at risk, AUROC 0.91 [0.84, 0.96] (n=87); outputs/one",
        "summary of the jobs so far: outputs/summary.html",
    ]
    assert caplog.messages == ["job 3 failed: No scans. (outputs/one)"]
