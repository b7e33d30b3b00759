"""The tutorials are cells that a notebook or the site can show; (soak) they run to the end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.py"))
HEADS = ("# %%", "# %% [markdown]")


def cells(text: str) -> list[tuple[str, list[str]]]:
    """Head and lines of each cell of a script in the percent format of jupytext."""
    parts = re.split(r"^(?=# %%)", text, flags=re.MULTILINE)
    return [(part.splitlines()[0], part.splitlines()[1:]) for part in parts if part]


def test_there_are_two():
    assert [path.stem for path in TUTORIALS] == ["audit_a_cohort", "first_verdict"]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_compiles_and_each_of_its_cells_has_a_head(path):
    text = path.read_text("utf-8")
    compile(text, path.name, "exec")
    found = cells(text)
    assert all(head in HEADS for head, _ in found), "each cell begins with `# %%`"
    assert found[0][0] == HEADS[1] and found[0][1][0].startswith("# # "), "the first cell holds the title"
    for head, lines in found:
        assert any(line.strip() for line in lines), "a cell is empty"
        if head == HEADS[1]:
            assert all(line.startswith("#") for line in lines if line), "code in a cell of text"
    assert found[-1][0] == HEADS[1], "the last cell says what comes next"


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_links_of_a_tutorial_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).is_file(), target


@pytest.mark.soak
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_runs(path, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BRAIN_CAE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, path], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    if path.stem == "first_verdict":
        assert {"first_run", "map.nii.gz", "map.png", "model.zip"} <= {item.name for item in tmp_path.iterdir()}
    else:
        verdicts = re.findall(r"verdict: (.*)", done.stdout)
        assert verdicts[0] == verdicts[-1] == "confounded", "nothing helps a cohort without overlap"
        assert verdicts[3] == "clear", "scanners independent of a disease"
