"""Summary of a sweep."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from brain_cae.errors import RunError
from brain_cae.reporting.summary import flatten, write_summary


def job(
    folder: Path,
    number: int,
    overrides: list[str],
    status: dict | str,
    auroc: float | None = None,
    verdict: str = "clear",
) -> None:
    path = folder / str(number)
    (path / ".hydra").mkdir(parents=True)
    (path / ".hydra" / "overrides.yaml").write_text("".join(f"- {item}\n" for item in overrides))
    (path / "status.json").write_text(json.dumps(status))
    if auroc is not None:
        value = {"value": auroc, "low": auroc - 0.05, "high": auroc + 0.03, "n": 78, "n_positive": 30, "method": ""}
        metrics = {
            "detection": {"auroc": value, "by_protocol": [1]},
            "scoring": {"alpha": 0.1},
            "audit": {"verdict": verdict},
            "localisation": None,
            "reshape": {"scale_ratio": 1.2, "strategy": "fixed"},
        }
        (path / "metrics.json").write_text(json.dumps(metrics))


@pytest.fixture
def sweep(tmp_path):
    folder = tmp_path / "12-00-00"
    for number, (reshape, seed, auroc) in enumerate(
        [("fixed", 0, 0.80), ("fixed", 1, 0.99), ("clustered", 0, 0.93), ("clustered", 1, 0.94)]
    ):
        overrides = [f"reshape={reshape}", f"seed={seed}", "++trainer.max_epochs=2"]
        job(folder, number, overrides, {"status": "finished"}, auroc)
    error = "DatasetError: <b>No healthy brain</b> was found\nTraceback of it"
    job(folder, 10, ["reshape=modal", "seed=0", "++trainer.max_epochs=2"], {"status": "failed", "error": error})
    return folder


def test_every_job_has_a_row_including_failed_jobs(sweep):
    table = pd.read_csv(write_summary(sweep))
    assert list(table.columns[:6]) == ["run", "reshape", "seed", "trainer.max_epochs", "status", "error"]
    assert list(table["run"]) == [0, 1, 2, 3, 10]
    assert list(table["reshape"]) == ["fixed", "fixed", "clustered", "clustered", "modal"]
    assert list(table["status"]) == ["finished"] * 4 + ["failed"]
    assert table["error"].iloc[4] == "DatasetError: <b>No healthy brain</b> was found"
    assert table["detection.auroc"].iloc[2] == pytest.approx(0.93)
    assert table["detection.auroc.low"].iloc[2] == pytest.approx(0.88)
    assert table["detection.auroc.high"].iloc[2] == pytest.approx(0.96)
    assert pd.isna(table["detection.auroc"].iloc[4])


def test_the_page_names_the_failed_job_and_the_best_mean_over_seeds(sweep):
    write_summary(sweep)
    page = (sweep / "summary.html").read_text()
    assert "job 10</a></b> DatasetError: &lt;b&gt;No healthy brain&lt;/b&gt; was found" in page
    assert "Traceback" not in page
    # Run 1 is the highest single run, but the mean of its configuration (0.895) is below 0.935.
    assert "reshape=clustered (run 2, 3), AUROC of the residual score 0.935, mean of 2 runs." in page
    assert "1 other within its interval: no clear difference." in page
    assert "trainer.max_epochs=2" in page


def test_serious_cautions_of_the_jobs_stand_over_the_summary(sweep):
    path = sweep / "2" / "metrics.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"cautions": ["This is a <trial>."]}))
    write_summary(sweep)
    page = (sweep / "summary.html").read_text()
    assert page.index("Run 2: This is a &lt;trial&gt;.") < page.index("Highest AUROC")


def test_a_confounded_run_is_never_the_best(tmp_path):
    job(tmp_path, 0, ["dataset.confounding=1.0"], {"status": "finished"}, 0.99, verdict="confounded")
    job(tmp_path, 1, ["dataset.confounding=0.0"], {"status": "finished"}, 0.80)
    write_summary(tmp_path)
    page = (tmp_path / "summary.html").read_text()
    assert "dataset.confounding=0.0 (run 1), AUROC of the residual score 0.800. Verdict of the audit: clear." in page
    assert "1 confounded run left out of this comparison." in page


def test_the_summary_is_idempotent(sweep):
    path = write_summary(sweep)
    first = path.read_bytes(), (sweep / "summary.html").read_bytes()
    write_summary(sweep)
    assert (path.read_bytes(), (sweep / "summary.html").read_bytes()) == first
    assert not [item for item in sweep.iterdir() if item.name.startswith(".summary")]


def test_a_swept_key_takes_precedence_over_a_metric_of_its_name(tmp_path):
    job(tmp_path, 0, ["scoring.alpha=1e-1"], {"status": "finished"}, 0.9)
    table = pd.read_csv(write_summary(tmp_path), dtype=str)
    assert list(table.columns).count("scoring.alpha") == 1
    assert table["scoring.alpha"].iloc[0] == "1e-1"


def test_incomplete_and_missing_files_are_tolerated(sweep):
    (sweep / "0" / "metrics.json").write_text('{"detection": {"auroc"')
    (sweep / "1" / "status.json").unlink()
    (sweep / "notes").mkdir()
    table = pd.read_csv(write_summary(sweep))
    assert len(table) == 5
    assert pd.isna(table["detection.auroc"].iloc[0])
    assert table["status"].iloc[1] == "unknown"


def test_an_empty_sweep_has_no_rows_and_a_missing_one_is_an_error(tmp_path):
    assert write_summary(tmp_path).read_text().startswith("run,status,error")
    with pytest.raises(RunError, match="no such sweep"):
        write_summary(tmp_path / "nowhere")


def test_flatten_leaves_out_values_that_are_not_numbers():
    metrics = {"a": {"b": 1, "c": "x", "d": True, "e": None, "f": [1]},
               "g": {"value": 0.5, "low": None, "high": 0.6, "n": 3}}  # fmt: skip
    assert flatten(metrics) == {"a.b": 1, "g": 0.5, "g.high": 0.6}


def test_choices_and_errors_of_foreign_jobs_are_text(tmp_path):
    evil = "<script>alert(1)</script>"
    for number in (0, 1):
        job(tmp_path, number, [f"'=1+{number}={evil}{number}'", "seed=-1"], {"status": "failed", "error": f"=1 {evil}"})
    table = pd.read_csv(write_summary(tmp_path), dtype=str)
    assert table["error"].tolist() == [f"'=1 {evil}"] * 2 and table["seed"].tolist() == ["-1", "-1"]
    assert not [name for name in table.columns if name.startswith("=")]
    page = (tmp_path / "summary.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page


def test_runs_that_name_each_other_and_damaged_choices_end(tmp_path):
    for number in (0, 1):
        job(tmp_path, number, [f"run={tmp_path / str(1 - number)}", "seed=1"], {"status": "finished"})
    job(tmp_path, 2, ["run='" + "x" * 5000 + "'"], {"status": "finished"})
    for number, text in enumerate(("3", "a: &a [1]\nb: *a", "[" * 5000, "- !!python/name:os.system"), start=3):
        job(tmp_path, number, [], {"status": "failed"})
        (tmp_path / str(number) / ".hydra" / "overrides.yaml").write_text(text)
        (tmp_path / str(number) / "metrics.json").write_text("[" * 100_000)
    assert len(pd.read_csv(write_summary(tmp_path))) == 7


def test_a_summary_replaces_a_link_and_does_not_write_through_it(sweep, tmp_path):
    (tmp_path / "victim").write_text("mine")
    for name in ("summary.csv", "summary.html", "configurations.csv"):
        (sweep / name).symlink_to(tmp_path / "victim")
    write_summary(sweep)
    assert (tmp_path / "victim").read_text() == "mine" and not (sweep / "summary.csv").is_symlink()


def test_each_job_is_linked_to_its_report_or_its_folder(sweep):
    (sweep / "2" / "report.html").touch()
    page = write_summary(sweep).with_name("summary.html").read_text()
    assert '<a href="2/report.html">2</a>' in page and '<a href="0/">0</a>' in page
    assert '<a href="10/">job 10</a>' in page
