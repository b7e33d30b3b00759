"""What docs/reference/run.md says of a run: its files, and the columns of its tables."""

import fnmatch
import json
import re
from pathlib import Path

import pandas as pd
import pytest

TEXT = (Path(__file__).parents[1] / "docs" / "reference" / "run.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"## {title}\n")[1].split("\n## ")[0]


def first_column(text: str) -> list[str]:
    return [
        name for cells in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cells)
    ]


def test_every_file_of_a_run_is_described(tiny_run):
    named = [re.sub(r"<\w+>|…", "*", name) for name in first_column(TEXT.split("## predictions.csv")[0])]
    patterns = [f"{name}*" if name.endswith("/") else name for name in named]
    files = [path.relative_to(tiny_run).as_posix() for path in tiny_run.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [file for file in files if not any(fnmatch.fnmatch(file, pattern) for pattern in patterns)] == []
    for part in ("network.ckpt", "calibration.npz", "classifier.skops", "config.yaml"):
        assert f"`{part}`" in TEXT and (tiny_run / "model" / part).is_file()


@pytest.mark.parametrize("name", ["predictions.csv", "lesions.csv", "index.csv"])
def test_every_column_of_a_table_is_described(name, tiny_run):
    assert sorted(first_column(section(name))) == sorted(pd.read_csv(tiny_run / name).columns)


def test_every_part_of_the_metrics_is_described(tiny_run):
    metrics = json.loads((tiny_run / "metrics.json").read_text(encoding="utf-8"))
    described = re.findall(r"`(\w+)`", section("metrics.json"))
    assert set(metrics) - set(described) == set()
