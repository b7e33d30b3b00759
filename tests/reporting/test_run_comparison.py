"""A page that compares any runs."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from brain_cae.errors import RunError
from brain_cae.reporting.__main__ import main
from brain_cae.reporting.run_comparison import write_comparison


@pytest.fixture
def make_run(tmp_path, make_content):
    """Return a function that writes a run over some subjects; ``gain`` moves the scores of its abnormal brains."""

    def make(run: str, *, subjects: range, gain: float = 0.0, verdict: str = "clear", **choices) -> Path:
        folder = tmp_path / "outputs" / run
        (folder / "model").mkdir(parents=True)
        abnormal = np.array([number % 2 for number in subjects])
        noise = np.random.default_rng(5).normal(size=200)[subjects.start : subjects.stop]
        table = pd.DataFrame(
            {
                "subject": [f"s{number}" for number in subjects],
                "label": np.where(abnormal, "abnormal", "healthy"),
                "role": "test",
                "protocol": "",
                "score.residual": noise + abnormal * gain,
            }
        )
        table.to_csv(folder / "subjects.csv", index=False)
        (folder / "metrics.json").write_text(json.dumps(make_content(verdict=verdict).metrics))
        (folder / "model" / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "reshape": choices}))
        (folder / "report.html").touch()
        return folder

    return make


def test_differences_are_paired_over_the_shared_subjects(make_run, tmp_path):
    first = make_run("<a>", subjects=range(0, 100), name="fixed", crop="none")
    second = make_run("b", subjects=range(20, 140), gain=3.0, verdict="confounded", name="clustered", crop="none")
    page = write_comparison([first, second], tmp_path / "pages" / "comparison.html").read_text()
    assert "80 labelled subjects were evaluated by all of them" in page
    difference = re.search(r"B . A</td>.*?>\+([\d.]+) \[\+([\d.]+), \+[\d.]+\] \(n=80\)", page, re.DOTALL)
    assert difference and float(difference[1]) > 0.3
    assert "Run B is confounded" in page
    assert "reshape.name" in page and "reshape.crop" not in page and "<td>seed</td>" not in page
    assert 'href="../outputs/%3Ca%3E/report.html"' in page and "<a>" not in page.replace("</a>", "")
    assert "ROC curves of runs A, B" in page


def test_subjects_whose_labels_contradict_are_left_out_and_counted(make_run, tmp_path):
    first, second = make_run("a", subjects=range(0, 60)), make_run("b", subjects=range(0, 60), gain=3.0)
    table = pd.read_csv(second / "subjects.csv")
    table.loc[:8, "label"] = np.where(table.loc[:8, "label"] == "healthy", "abnormal", "healthy")
    table.to_csv(second / "subjects.csv", index=False)
    page = write_comparison([first, second], tmp_path / "comparison.html").read_text()
    assert "51 labelled subjects were evaluated by all of them" in page and "(n=51)" in page
    assert "9 subjects have different labels in the runs and cannot be compared" in page


def test_runs_without_common_subjects_say_what_is_left_out(make_run, tmp_path):
    runs = [make_run("a", subjects=range(0, 20)), make_run("b", subjects=range(20, 40))]
    page = write_comparison(runs, tmp_path / "comparison.html").read_text()
    assert "no two runs have figures of the same subjects" in page
    assert "the runs share no subjects of both classes" in page
    assert "The configurations are the same." in page


@pytest.mark.parametrize(("names", "message"), [(["a"], "nothing to compare"), (["a", "missing"], "no such folder")])
def test_what_cannot_be_compared_is_an_error(make_run, tmp_path, names, message):
    run = make_run("a", subjects=range(20))
    with pytest.raises(RunError, match=message):
        write_comparison([run.with_name(name) for name in names], tmp_path / "comparison.html")


def test_the_command_writes_the_page_where_it_is_told(make_run, tmp_path, capsys):
    runs = [str(make_run(name, subjects=range(20))) for name in "ab"]
    path = main(["compare", *runs, "--output", str(tmp_path / "c.html")])
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "compare RUN RUN" in capsys.readouterr().out
    assert path == tmp_path / "c.html" and path.is_file()
