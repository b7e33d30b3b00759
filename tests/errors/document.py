"""docs/errors.md: the error message for each invalid input, as recorded by the tests."""

import os
import re
from pathlib import Path

PATH = Path(__file__).parents[2] / "docs" / "errors.md"
REGENERATE = "docs/errors.md has another message: check the difference, then regenerate the page with `make errors`"
WRITING = bool(os.environ.get("BRAIN_CAE_WRITE_ERRORS"))

INTRODUCTION = """# Error messages

What the program says to each wrong input, and what to do about it. A problem with one scan is reported in
`import_report.csv`, and only that scan is left out. All other problems end with exit code 1 (130 for Ctrl-C) and a
message without a traceback, and the status in `status.json` of the run folder is `failed`.

The tests in `tests/errors` run every case below, write this page (`make errors`) and compare it with the current
messages. `<folder>` stands for the folder of the test case.
"""
FAMILIES = {
    "configuration": "Invalid key, value or option",
    "dataset": "Unusable data set",
    "note": "Notes: the run continues",
    "scan": "Scans that are left out",
    "run": "Unusable run, model or checkpoint",
    "storage": "Storage errors",
    "interrupt": "Ctrl-C",
}
FIELDS = {"Expected": "expected", "Found": "found", "In": "in", "What to do": "what to do"}


class Document:
    """Rows by family and case, read from the page or gathered by the tests."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, list[str]]] = {family: {} for family in FAMILIES}

    def read(self) -> "Document":
        """Read the rows of the page."""
        family = ""
        titles = {title: name for name, title in FAMILIES.items()}
        for line in PATH.read_text(encoding="utf-8").splitlines() if PATH.is_file() else []:
            if line.startswith("## "):
                family = titles.get(line[3:], "")
            elif line.startswith("| ") and family and not line.startswith(("| what is wrong", "| ---")):
                cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                self.rows[family][cells[0]] = cells[1:]
        return self

    def write(self, path: Path = PATH) -> None:
        """Write the page; a family without new rows keeps its old ones."""
        before = Document().read().rows
        parts = [INTRODUCTION]
        for family, title in FAMILIES.items():
            rows = self.rows[family] or before[family]
            head = ["what is wrong", "it says", *FIELDS.values()]
            lines = [f"## {title}\n", row(head), row(["---"] * len(head))]
            parts.append("\n".join([*lines, *(row([case, *rows[case]]) for case in sorted(rows))]) + "\n")
        path.write_text("\n".join(parts), encoding="utf-8")


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def cells_of(message: str, folder: Path) -> list[str]:
    """Split a printed message into problem and fields, with paths and times replaced by placeholders."""
    text = general(message.strip(), folder)
    problem, *rest = text.split("\n  ")
    fields = dict(line.partition(": ")[::2] for line in rest)
    return [cell(problem), *(cell(fields.get(name, "")) for name in FIELDS)]


def general(text: str, folder: Path) -> str:
    for path in sorted({str(folder), str(folder.resolve())}, key=len, reverse=True):
        text = text.replace(path, "<folder>")
    text = re.sub(r"\b[0-9a-f]{24,32}\b", "<hash>", text)
    return re.sub(r"outputs/\d{4}-\d\d-\d\d/[\w-]+", "outputs/<date>/<time>", text)


def cell(text: str) -> str:
    """Return the text as a table cell: one line, with bars and angle brackets escaped."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", r"\<")
