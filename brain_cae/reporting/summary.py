"""Summary of a sweep: configurations averaged over seeds, and one row per job, including failed jobs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from brain_cae.errors import RunError
from brain_cae.files.atomic import write_text
from brain_cae.files.documents import read_json, read_yaml
from brain_cae.files.tables import to_csv
from brain_cae.reporting import formatting
from brain_cae.reporting.acquisition_confound import confound_blocks
from brain_cae.reporting.comparison import comparison, comparison_blocks
from brain_cae.reporting.configurations import average_configurations, gather
from brain_cae.reporting.differences import differences, differences_table
from brain_cae.reporting.doubts import serious_of_runs
from brain_cae.reporting.formatting import finite, is_estimate
from brain_cae.reporting.page import render
from brain_cae.reporting.reshape_impact import reshape_blocks
from brain_cae.reporting.tables import Cell, Table, label

SELECTION_METRIC = "detection.auroc"
SHOWN = {
    "detection.auroc": "AUROC, residual score", "baseline.healthy_subspace.auroc": "AUROC, healthy_subspace",
    "baseline.healthy_mean.auroc": "AUROC, healthy_mean",
    "baseline.intensity.auroc": "AUROC, intensity", "transfer.auroc": "AUROC, transfer",
    "localisation.average_precision": "localisation AP", "localisation.dice": "Dice",
}  # fmt: skip
AVERAGED = {
    "Residual score": {
        "detection.auroc": "AUROC", "detection.difference.healthy_subspace": "difference from healthy_subspace",
        "detection.difference.healthy_mean": "difference from healthy_mean",
        "detection.difference.intensity": "difference from intensity",
    },
    "Baselines and transfer classifier": {
        "baseline.healthy_subspace.auroc": "AUROC, healthy_subspace", "baseline.healthy_mean.auroc": "healthy_mean",
        "baseline.intensity.auroc": "intensity",
        "transfer.auroc": "transfer", "transfer.residual.auroc": "transfer, residual",
        "transfer.encoder.auroc": "transfer, encoder", "transfer.both.auroc": "transfer, both",
    },
    "Localisation": {
        "localisation.average_precision": "average precision",
        "localisation.difference.healthy_subspace.average_precision": "difference from healthy_subspace",
        "localisation.difference.healthy_mean.average_precision": "difference from healthy_mean",
        "localisation.difference.intensity.average_precision": "difference from intensity", "localisation.dice": "Dice",
    },
}  # fmt: skip
SAME_CONFIGURATION = ("seed", "resume")
"""Keys that do not distinguish configurations."""


def write_summary(sweep_folder: Path) -> Path:
    """Write ``summary.csv``, ``configurations.csv`` and ``summary.html`` of a sweep from the folders of its jobs.

    ``comparison.csv`` is also written, with one row per classifier and feature set, see
    :func:`brain_cae.reporting.comparison.comparison`; and, if the sweep varies a key that has a reference choice
    (``reshape=fixed``), ``differences.csv``, see :func:`brain_cae.reporting.differences.differences`.

    Only the folders of the jobs are read, so the function can be called after every job, and again later with the
    same result. A job of ``evaluate.py`` has the choices of the run that it scores.

    Args:
        sweep_folder: ``multirun/<date>/<time>``, with one numbered folder per job.

    Returns:
        The path of ``summary.csv``. Columns: ``run``, one per overridden key with the choice as typed, ``status``,
        ``error`` (its first line), ``audit.verdict``, and the numeric metrics by dotted name (estimates as ``name``,
        ``name.low``, ``name.high``). For ``configurations.csv`` see :func:`average_configurations`.

    Raises:
        RunError: If the folder does not exist.
    """
    folder = Path(sweep_folder)
    if not folder.is_dir():
        raise RunError("There is no such sweep.", expected="a folder of numbered jobs", where=str(folder))
    jobs = [read_job(path) for path in sorted(_job_folders(folder), key=lambda path: (len(path.name), path.name))]
    keys = list(dict.fromkeys(key for job in jobs for key in job["choices"]))
    table = pd.DataFrame([_row(job) for job in jobs])
    first = ["run", *keys, "status", "error", "audit.verdict"]
    table = table.reindex(columns=[*first, *(name for name in table.columns if name not in first)])
    configurations = gather(jobs, [key for key in keys if key not in SAME_CONFIGURATION])
    averaged, paired_differences = average_configurations(configurations), differences(configurations)
    compared = comparison(configurations, averaged)
    page = render(
        "summary.html.j2",
        sweep=folder.name,
        serious=serious_of_runs({job["run"]: job["metrics"] for job in jobs}),
        averaged=_averaged_tables(averaged, keys),
        differences=differences_table(paired_differences),
        reshape=reshape_blocks(configurations, averaged),
        comparison=comparison_blocks(compared, configurations),
        confound=confound_blocks(configurations),
        **_page(table, keys, {job["run"]: _link(job["folder"]) for job in jobs}),
    )
    write_text(folder / "configurations.csv", to_csv(averaged))
    for name, rows in (("differences.csv", paired_differences), ("comparison.csv", compared)):
        if not rows.empty:
            write_text(folder / name, to_csv(rows))
    write_text(folder / "summary.html", page)
    return write_text(folder / "summary.csv", to_csv(table))


def _job_folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir()
            if path.is_dir() and ((path / ".hydra").is_dir() or (path / "status.json").is_file())]  # fmt: skip


def read_job(folder: Path) -> dict[str, Any]:
    """Read choices, status, error and metrics of one job; missing or incomplete files raise no error."""
    status = _read_json(folder / "status.json")
    status = {"status": status} if isinstance(status, str) else status if isinstance(status, Mapping) else {}
    metrics = _read_json(folder / "metrics.json")
    error = str(status.get("error") or "").strip()
    return {
        "run": folder.name,
        "folder": folder,
        "choices": _choices(folder / ".hydra" / "overrides.yaml"),
        "status": str(status.get("status") or "unknown"),
        "error": error.splitlines()[0] if error else "",
        "metrics": metrics if isinstance(metrics, Mapping) else {},
    }


def _read_json(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError):
        # A running job may be writing this file; its row is completed at the next call.
        return None


def _choices(path: Path) -> dict[str, str]:
    """Return the choices of a job; one of ``evaluate.py`` has those of the run that it scores, and not ``run``."""
    choices = _overrides(path)
    if (run := choices.get("run")) is not None:
        choices = _overrides(Path(run) / ".hydra" / "overrides.yaml") | choices
    return {key: choice for key, choice in choices.items() if key != "run"}


def _overrides(path: Path) -> dict[str, str]:
    """Return the overridden keys, without the ``+`` and ``~`` of Hydra, and their choices as typed."""
    try:
        overrides = read_yaml(path)
    except (OSError, ValueError):
        return {}
    pairs = (str(item).partition("=") for item in overrides) if isinstance(overrides, list) else ()
    return {key.lstrip("+~"): choice for key, _, choice in pairs}


def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Return the numbers of ``metrics.json`` by dotted name; an estimate gives its value, ``.low`` and ``.high``."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        name = f"{prefix}{key}"
        if is_estimate(value):
            parts = {name: value["value"], f"{name}.low": value["low"], f"{name}.high": value["high"]}
            flat.update({part: number for part, item in parts.items() if (number := finite(item)) is not None})
        elif isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        elif name == "transfer.comparison":
            for row in value:
                prefix_of_row = f"{name}.{row.get('features')}.{row.get('classifier')}."
                flat.update(flatten({key: item for key, item in row.items() if is_estimate(item)}, prefix_of_row))
        elif (number := finite(value)) is not None:
            flat[name] = int(value) if isinstance(value, int) else number
    return flat


def _row(job: dict[str, Any]) -> dict[str, Any]:
    audit = job["metrics"].get("audit")
    verdict = audit.get("verdict") if isinstance(audit, Mapping) else None
    known = {"run": job["run"], "status": job["status"], "error": job["error"], "audit.verdict": verdict or ""}
    # A swept key takes precedence over a metric of the same name (`scoring.alpha`): it is the choice as typed.
    return {**flatten(job["metrics"]), **known, **job["choices"]}


def _page(table: pd.DataFrame, keys: list[str], links: Mapping[str, str]) -> dict[str, Any]:
    """Return values for the template: table of jobs, counts, failed jobs, constant choices, best configuration."""
    swept = [key for key in keys if len(set(table[key].fillna("").astype(str))) > 1]
    best = _best(table, [key for key in swept if key != "seed"])
    columns = [name for name in SHOWN if name in table.columns and name not in keys]
    rows = []
    for row in table.to_dict("records"):
        choices = [label(row[key]) for key in swept]
        figures = [_estimate(row, name) for name in columns]
        rows.append(
            [
                Cell(row["run"], href=links[row["run"]]),
                *choices,
                _status(row["status"]),
                label(row["audit.verdict"]),
                *figures,
            ]
        )
    headings = ["run", *swept, "status", "verdict", *(SHOWN[name] for name in columns)]
    finished = int((table["status"] == "finished").sum()) if len(table) else 0
    failed = [
        (row["run"], links[row["run"]], row["error"] or "no error was recorded")
        for row in table.to_dict("records")
        if row["status"] == "failed"
    ]
    return {
        "table": Table(headings, rows),
        "count": len(table),
        "finished": finished,
        "failed": failed,
        "constant": {key: table[key].iloc[0] for key in keys if key not in swept},
        "best": best,
    }


def _link(job: Path) -> str:
    """Return the address of a job's report, or of its folder if there is none, seen from the summary."""
    name = quote(job.name)
    return f"{name}/report.html" if (job / "report.html").is_file() else f"{name}/"


def _averaged_tables(table: pd.DataFrame, keys: list[str]) -> list[Table]:
    """Return the tables of averaged configurations; empty if no job has finished."""
    swept = [key for key in keys if key in table and len(set(table[key])) > 1]
    tables = []
    for caption, figures in AVERAGED.items():
        shown = [name for name in figures if name in table]
        if not shown:
            continue
        rows = []
        for row in table.to_dict("records"):
            leading = [label(row[key]) for key in swept] + [label(row["runs"]), label(row["verdicts"])]
            subjects, single = formatting.number(row.get(f"{shown[0]}.n"), digits=0), _range(row, shown[0])
            estimates = [_estimate(row, name, signed="difference" in name) for name in shown]
            rows.append([*leading, Cell(subjects, True), estimates[0], Cell(single, True), *estimates[1:]])
        names = [figures[name] for name in shown]
        columns = [*swept, "runs", "verdict", "subjects", names[0], "single runs", *names[1:]]
        tables.append(Table(columns, rows, caption=caption))
    return tables


def _range(row: Mapping[Any, Any], name: str) -> str:
    """Return the lowest and highest value of the single runs; a dash if there is only one run."""
    bounds = [finite(row.get(f"{name}.{end}")) for end in ("lowest", "highest")]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < 2:
        return "\N{EN DASH}"
    signed, digits = "difference" in name, formatting.decimals(*known)
    return " to ".join(formatting.number(bound, digits=digits, signed=signed) for bound in known)


def _status(status: str) -> Cell:
    return Cell(status, tone={"failed": "red", "finished": "", "running": "amber"}.get(status, "amber"))


def _estimate(row: Mapping[Any, Any], name: str, *, signed: bool = False) -> Cell:
    """Return a cell with an estimate; if there are several runs, the tooltip gives their range."""
    if finite(row.get(name)) is None:
        return Cell("\N{EN DASH}", True)
    value = {"value": row[name], "low": row.get(f"{name}.low"), "high": row.get(f"{name}.high")}
    tip = f"single runs {_range(row, name)}" if f"{name}.lowest" in row else ""
    return Cell(formatting.estimate(value, signed=signed), True, tip)


def _best(table: pd.DataFrame, keys: list[str]) -> str:
    """Describe the configuration with the highest mean AUROC over its seeds; empty if none has finished.

    The AUROC of a confounded run is not evidence. Such runs are excluded unless all runs are confounded.
    """
    if SELECTION_METRIC not in table.columns:
        return ""
    runs = table[(table["status"] == "finished") & table[SELECTION_METRIC].notna()]
    if runs.empty:
        return ""
    unconfounded = runs[runs["audit.verdict"] != "confounded"]
    runs, excluded = (runs, 0) if unconfounded.empty else (unconfounded, len(runs) - len(unconfounded))
    groups = runs.groupby([runs[key].astype(str) for key in keys] or [pd.Series("", index=runs.index)], sort=False)
    names, part = max(groups, key=lambda item: item[1][SELECTION_METRIC].mean())
    chosen = ", ".join(f"{key}={name}" for key, name in zip(keys, names, strict=False)) or "the only configuration"
    numbers = ", ".join(str(run) for run in part["run"])
    text = f"{chosen} (run {numbers}), AUROC of the residual score {part[SELECTION_METRIC].mean():.3f}"
    text += f", mean of {len(part)} runs." if len(part) > 1 else "."
    low = finite(part[f"{SELECTION_METRIC}.low"].mean()) if f"{SELECTION_METRIC}.low" in part else None
    rivals = sum(
        1 for name, other in groups if low is not None and name != names and other[SELECTION_METRIC].mean() >= low
    )
    verdicts = " and ".join(sorted({str(verdict) for verdict in part["audit.verdict"] if verdict}))
    text += f" Verdict of the audit: {verdicts}." if verdicts else ""
    text += f" {excluded} confounded run{'' if excluded == 1 else 's'} left out of this comparison." if excluded else ""
    if rivals:
        text += f" {rivals} other{'' if rivals == 1 else 's'} within its interval: no clear difference."
    return text
