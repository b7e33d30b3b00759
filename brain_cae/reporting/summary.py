"""The summary of a sweep: configurations averaged over seeds, one row for each job, failed ones included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from brain_cae.errors import RunError
from brain_cae.files.atomic import write_text
from brain_cae.reporting import formatting
from brain_cae.reporting.acquisition_confound import confound_blocks
from brain_cae.reporting.comparison import comparison, comparison_blocks
from brain_cae.reporting.configurations import configurations, gather
from brain_cae.reporting.differences import differences, differences_table
from brain_cae.reporting.formatting import finite, is_estimate
from brain_cae.reporting.page import render
from brain_cae.reporting.reshape_impact import reshape_blocks
from brain_cae.reporting.tables import Cell, Table, label

AIM = "detection.auroc"
SHOWN = {
    "detection.auroc": "AUROC, residual score", "baseline.healthy_mean.auroc": "AUROC, healthy_mean",
    "baseline.intensity.auroc": "AUROC, intensity", "transfer.auroc": "AUROC, transfer",
    "localisation.average_precision": "localisation AP", "localisation.dice": "Dice",
}  # fmt: skip
AVERAGED = {
    "Residual score": {
        "detection.auroc": "AUROC", "detection.difference.healthy_mean": "difference to healthy_mean",
        "detection.difference.intensity": "difference to intensity",
    },
    "Baselines and transfer classifier": {
        "baseline.healthy_mean.auroc": "AUROC, healthy_mean", "baseline.intensity.auroc": "intensity",
        "transfer.auroc": "transfer", "transfer.residual.auroc": "transfer, residual",
        "transfer.encoder.auroc": "transfer, encoder", "transfer.both.auroc": "transfer, both",
    },
    "Localisation": {
        "localisation.average_precision": "average precision",
        "localisation.difference.healthy_mean.average_precision": "difference to healthy_mean",
        "localisation.difference.intensity.average_precision": "difference to intensity", "localisation.dice": "Dice",
    },
}  # fmt: skip
SAME_CONFIGURATION = ("seed", "resume")
"""Keys that make no other configuration of a run."""


def write_summary(sweep_folder: Path) -> Path:
    """Write ``summary.csv``, ``configurations.csv`` and ``summary.html`` of a sweep from what its jobs have left.

    Where the sweep varies a key that has a plain choice (``reshape=fixed``), also ``differences.csv``, see
    :func:`brain_cae.reporting.differences.differences`; and ``comparison.csv`` with a row for each classifier and arm
    of features, see :func:`brain_cae.reporting.comparison.comparison`.

    It reads only the jobs' folders, so that it can be called after every job, and again later, with the same result.
    A job of ``evaluate.py`` counts as one of the run that it names, scored again.

    Args:
        sweep_folder: ``multirun/<date>/<time>``, which holds one numbered folder for each job.

    Returns:
        The path of ``summary.csv``. Columns: ``run``, one for each overridden key with the choice as typed,
        ``status``, ``error`` (its first line), ``audit.verdict``, and the numeric metrics by dotted name
        (estimates as ``name``, ``name.low``, ``name.high``). For ``configurations.csv`` see :func:`configurations`.

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
    gathered = gather(jobs, [key for key in keys if key not in SAME_CONFIGURATION])
    averaged, differ = configurations(gathered), differences(gathered)
    compared = comparison(gathered, averaged)
    page = render(
        "summary.html.j2",
        sweep=folder.name,
        averaged=_averaged(averaged, keys),
        differences=differences_table(differ),
        reshape=reshape_blocks(gathered, averaged),
        comparison=comparison_blocks(compared, gathered),
        confound=confound_blocks(gathered),
        **_page(table, keys),
    )
    write_text(folder / "configurations.csv", averaged.to_csv(index=False, lineterminator="\n"))
    for name, found in (("differences.csv", differ), ("comparison.csv", compared)):
        if not found.empty:
            write_text(folder / name, found.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "summary.html", page)
    return write_text(folder / "summary.csv", table.to_csv(index=False, lineterminator="\n"))


def _job_folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir()
            if path.is_dir() and ((path / ".hydra").is_dir() or (path / "status.json").is_file())]  # fmt: skip


def read_job(folder: Path) -> dict[str, Any]:
    """Choices, status, error and metrics of one job; what is missing or half written is said, not raised."""
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
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # A job that is still running may be writing this file; its row fills in at the next call.
        return None


def _choices(path: Path) -> dict[str, str]:
    """Overridden keys, without Hydra's ``+`` and ``~``, and the choice as typed."""
    try:
        overrides = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except (OSError, yaml.YAMLError):
        return {}
    pairs = (str(item).partition("=") for item in overrides)
    choices = {key.lstrip("+~"): choice for key, _, choice in pairs}
    trained = Path(choices.get("run", "")) / ".hydra" / "overrides.yaml"
    if "run" in choices and trained.is_file() and trained != path:
        return _choices(trained) | {key: choice for key, choice in choices.items() if key != "run"}
    return choices


def flatten(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of ``metrics.json`` by dotted name; an estimate gives its value, ``.low`` and ``.high``."""
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        name = f"{prefix}{key}"
        if is_estimate(value):
            found = {name: value["value"], f"{name}.low": value["low"], f"{name}.high": value["high"]}
            flat.update({part: plain for part, bound in found.items() if (plain := finite(bound)) is not None})
        elif isinstance(value, Mapping):
            flat.update(flatten(value, f"{name}."))
        elif name == "transfer.comparison":
            for row in value:
                own = f"{name}.{row.get('features')}.{row.get('classifier')}."
                flat.update(flatten({key: item for key, item in row.items() if is_estimate(item)}, own))
        elif (plain := finite(value)) is not None:
            flat[name] = int(value) if isinstance(value, int) else plain
    return flat


def _row(job: dict[str, Any]) -> dict[str, Any]:
    audit = job["metrics"].get("audit")
    verdict = audit.get("verdict") if isinstance(audit, Mapping) else None
    known = {"run": job["run"], "status": job["status"], "error": job["error"], "audit.verdict": verdict or ""}
    # A swept key wins over a metric of the same name (`scoring.alpha`): it holds the choice as typed.
    return {**flatten(job["metrics"]), **known, **job["choices"]}


def _page(table: pd.DataFrame, keys: list[str]) -> dict[str, Any]:
    """What the template shows: swept and constant choices, the table, failed jobs, the best configuration."""
    swept = [key for key in keys if len(set(table[key].fillna("").astype(str))) > 1]
    best = _best(table, [key for key in swept if key != "seed"])
    columns = [name for name in SHOWN if name in table.columns and name not in keys]
    rows = []
    for row in table.to_dict("records"):
        choices = [label(row[key]) for key in swept]
        figures = [_estimate(row, name) for name in columns]
        rows.append([label(row["run"]), *choices, _status(row["status"]), label(row["audit.verdict"]), *figures])
    headings = ["run", *swept, "status", "verdict", *(SHOWN[name] for name in columns)]
    finished = int((table["status"] == "finished").sum()) if len(table) else 0
    failed = [(row["run"], row["error"] or "no error was recorded") for row in table.to_dict("records")
              if row["status"] == "failed"]  # fmt: skip
    return {
        "table": Table(headings, rows),
        "count": len(table),
        "finished": finished,
        "failed": failed,
        "constant": {key: table[key].iloc[0] for key in keys if key not in swept},
        "best": best,
    }


def _averaged(table: pd.DataFrame, keys: list[str]) -> list[Table]:
    """Configurations for the page; nothing where no job has finished."""
    swept = [key for key in keys if key in table and len(set(table[key])) > 1]
    tables = []
    for caption, figures in AVERAGED.items():
        shown = [name for name in figures if name in table]
        if not shown:
            continue
        rows = []
        for row in table.to_dict("records"):
            said = [label(row[key]) for key in swept] + [label(row["runs"]), label(row["verdicts"])]
            subjects, single = formatting.number(row.get(f"{shown[0]}.n"), digits=0), _range(row, shown[0])
            estimates = [_estimate(row, name, signed="difference" in name) for name in shown]
            rows.append([*said, Cell(subjects, True), estimates[0], Cell(single, True), *estimates[1:]])
        names = [figures[name] for name in shown]
        columns = [*swept, "runs", "verdict", "subjects", names[0], "single runs", *names[1:]]
        tables.append(Table(columns, rows, caption=caption))
    return tables


def _range(row: Mapping[Any, Any], name: str) -> str:
    """Lowest and highest of the single runs; a dash where there is one."""
    bounds = [finite(row.get(f"{name}.{end}")) for end in ("lowest", "highest")]
    known = [bound for bound in bounds if bound is not None]
    if len(known) < 2:
        return "\N{EN DASH}"
    signed, digits = "difference" in name, formatting.decimals(*known)
    return " to ".join(formatting.number(bound, digits=digits, signed=signed) for bound in known)


def _status(status: str) -> Cell:
    return Cell(status, tone={"failed": "red", "finished": "", "running": "amber"}.get(status, "amber"))


def _estimate(row: Mapping[Any, Any], name: str, *, signed: bool = False) -> Cell:
    """An estimate; of several runs with the range of the single ones on pointing at it."""
    if finite(row.get(name)) is None:
        return Cell("\N{EN DASH}", True)
    value = {"value": row[name], "low": row.get(f"{name}.low"), "high": row.get(f"{name}.high")}
    tip = f"single runs {_range(row, name)}" if f"{name}.lowest" in row else ""
    return Cell(formatting.estimate(value, signed=signed), True, tip)


def _best(table: pd.DataFrame, keys: list[str]) -> str:
    """The configuration with the highest mean AUROC over its seeds, in words; empty if none finished.

    A confounded run's AUROC is no evidence, so it stands back where another run is not confounded.
    """
    if AIM not in table.columns:
        return ""
    done = table[(table["status"] == "finished") & table[AIM].notna()]
    if done.empty:
        return ""
    sound = done[done["audit.verdict"] != "confounded"]
    done, refused = (done, 0) if sound.empty else (sound, len(done) - len(sound))
    groups = done.groupby([done[key].astype(str) for key in keys] or [pd.Series("", index=done.index)], sort=False)
    names, part = max(groups, key=lambda item: item[1][AIM].mean())
    chosen = ", ".join(f"{key}={name}" for key, name in zip(keys, names, strict=False)) or "the only configuration"
    runs = ", ".join(str(run) for run in part["run"])
    text = f"{chosen} (run {runs}), AUROC of the residual score {part[AIM].mean():.3f}"
    text += f", mean of {len(part)} runs." if len(part) > 1 else "."
    low = finite(part[f"{AIM}.low"].mean()) if f"{AIM}.low" in part else None
    rivals = sum(1 for name, other in groups if low is not None and name != names and other[AIM].mean() >= low)
    verdicts = " and ".join(sorted({str(verdict) for verdict in part["audit.verdict"] if verdict}))
    text += f" Verdict of the audit: {verdicts}." if verdicts else ""
    text += f" {refused} confounded run{'' if refused == 1 else 's'} left out of this comparison." if refused else ""
    if rivals:
        text += f" {rivals} other{'' if rivals == 1 else 's'} within its interval: not distinguished."
    return text
