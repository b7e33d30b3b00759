"""docs/errors.md: what the program says to each wrong input, as the tests have heard it."""

import os
import re
from pathlib import Path

PATH = Path(__file__).parents[2] / "docs" / "errors.md"
REGENERATE = "docs/errors.md says something else: look at the difference, then `make errors` writes it anew"
WRITING = bool(os.environ.get("BRAIN_CAE_WRITE_ERRORS"))

INTRODUCTION = """# What the program says when something is wrong

Every case below is run by the tests (`tests/errors`), which write this page (`make errors`) and compare it with what
the program says now. `<folder>` stands for the place where the case lay. What cannot be put right in one scan is a line
in `import_report.csv` and costs that scan alone; everything else ends with exit code 1 (130 for Ctrl-C), a message and
no traceback, and `status.json` in the run's folder says `failed`.
"""
FAMILIES = {
    "configuration": "A wrong key, value or option",
    "dataset": "A data set that cannot serve",
    "note": "Worth a note: the run goes on",
    "scan": "A scan that is left out",
    "run": "A run, model or checkpoint that cannot be used",
    "storage": "A disk that does not take it",
    "interrupt": "Ctrl-C",
}
FIELDS = {"Expected": "expected", "Found": "found", "In": "in", "What to do": "what to do"}


class Document:
    """Rows by family and case; read from the page, or gathered to write it."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, list[str]]] = {family: {} for family in FAMILIES}

    def read(self) -> "Document":
        """Take the page's own rows."""
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
        """Write the page; a family of which no case was run stays as it was."""
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
    """Problem, expected, found, in and what to do of a message as printed, with paths and times made general."""
    text = general(message.strip(), folder)
    problem, *rest = text.split("\n  ")
    found = dict(line.partition(": ")[::2] for line in rest)
    return [cell(problem), *(cell(found.get(name, "")) for name in FIELDS)]


def general(text: str, folder: Path) -> str:
    for path in sorted({str(folder), str(folder.resolve())}, key=len, reverse=True):
        text = text.replace(path, "<folder>")
    text = re.sub(r"\b[0-9a-f]{24,32}\b", "<hash>", text)
    return re.sub(r"outputs/\d{4}-\d\d-\d\d/[\w-]+", "outputs/<date>/<time>", text)


def cell(text: str) -> str:
    """A cell of a table: one line, no bars, angle brackets that are no HTML."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", r"\<")
