"""Preview of a run, from headers alone: nothing is imported, trained or written."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from brain_cae.configuration import Config, EvaluateConfig, dataset_option, validate_stored, with_asked
from brain_cae.data.strippers import require_stripper
from brain_cae.detector.bundle import require_run, unpacked
from brain_cae.errors import BrainCaeError, ConfigurationError, DatasetError
from brain_cae.errors.reasons import advice_for
from brain_cae.files.names import printable
from brain_cae.files.run_folder import newest_run
from brain_cae.files.tables import read_csv
from brain_cae.scans.extent import slab_cautions
from brain_cae.scans.protocol import ProtocolGroups, subject_acquisition
from brain_cae.scans.sessions import one_session
from brain_cae.scans.skulls import check_skulls, unlike, with_skull
from brain_cae.scans.sources.base import SeriesLocation, some
from brain_cae.scans.sources.build import make_source, overview_of
from brain_cae.scans.sources.series_table import SeriesLine
from brain_cae.scans.store import inspect_series, reading_notes
from brain_cae.scoring.guarantee import Outlook, outlook
from brain_cae.stages.cautions import (
    calibration_cautions,
    crossfit_cautions,
    out_of_calibration_cautions,
    protocol_cautions,
    rule_of,
    skull_cautions,
    training_size_cautions,
)
from brain_cae.stages.cohort import complete_subjects, limited, renamed_files, require_modalities, unused_scans
from brain_cae.stages.coverage import SKULL, scanner_reasons, trusted
from brain_cae.stages.roles import calibrating, draw_roles, evaluation_cautions, fold_roles, learning
from brain_cae.stages.stripping import head_cautions, require_for_heads, with_stripper
from brain_cae.vocabulary import LABELS, MODALITIES, ROLES

TIMES = {"TR": "repetition_time_ms", "TE": "echo_time_ms", "TI": "inversion_time_ms"}
EXAMPLES = 5


@dataclass
class Inspection:
    """What the headers of a data set say.

    Attributes:
        title: Name and folder of the data set.
        modalities: Modalities in use, in channel order.
        located: One row per scan on disk, of every modality: subject, label, source, modality.
        index: Index of the scans whose headers are usable.
        report: One row per series, as in the import report.
        usable: Rows of ``index`` of the subjects that have every modality in use.
        protocols: Protocol of each usable subject.
        alpha: Accepted false-alarm rate.
        roles: Columns subject, role; None if roles cannot be drawn, or if all subjects are new.
        cautions: What a reader of the results would be told.
        problems: Errors that would stop the run.
        series: Every series of a source that takes them by their headers, and what it was taken for.
        written: The table of series, if it was asked for.
        of_training: Whether the data set is one to train on.
    """

    title: str
    modalities: list[str]
    located: pd.DataFrame
    index: pd.DataFrame
    report: pd.DataFrame
    usable: pd.DataFrame
    protocols: pd.Series
    alpha: float
    roles: pd.DataFrame | None = None
    outlook: list[Outlook] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    series: list[SeriesLine] = field(default_factory=list)
    written: str | None = None
    of_training: bool = True

    @property
    def labels(self) -> pd.Series:
        """Label of each usable subject (index: subject)."""
        return self.usable.groupby("subject")["label"].first()


def inspect_training(config: Config) -> Inspection:
    """Inspect the data set of ``train.py``, and draw the roles as the run would.

    Raises:
        BrainCaeError: The data set is not where the configuration says, or its layout is different.
    """
    inspection = _inspect(config.dataset, config, limit=config.limit, workers=config.workers, cache=config.cache)
    if not inspection.usable.empty:
        try:
            roles = inspection.roles = draw_roles(config, inspection.usable)
            inspection.cautions += evaluation_cautions(config, inspection.usable, roles)
            inspection.cautions += protocol_cautions(config, inspection.usable, roles)
            inspection.cautions += training_size_cautions(config, learning(config, roles))
            brains, rule = calibrating(config, roles), rule_of(config)
            inspection.cautions += [*calibration_cautions(brains, rule), *crossfit_cautions(config)]
            inspection.outlook = outlook(brains, rule.alpha, rule.confidence)
            if folds := config.calibration.folds:
                fold_roles(config, inspection.usable, roles)  # raises an error if the brains are too few
                inspection.cautions.append(
                    f"calibration=crossfit trains {folds} times and scores as often: a run takes {folds} times as long."
                )
        except BrainCaeError as error:
            inspection.problems.append(str(error))
    return inspection


def inspect_evaluation(config: EvaluateConfig) -> Inspection:
    """Inspect the data set of ``evaluate.py``, and check whether the calibration of the model covers its scans.

    Raises:
        BrainCaeError: No run with a model exists, or the data set is not where the configuration says.
    """
    run = Path(config.run) if config.run else newest_run(Path("outputs"))
    new = config.dataset is not None
    if not new:
        require_run(run)
    with unpacked(run) as folder:
        run_config = validate_stored(folder, config.extensions, inspect=True)
        dataset = config.dataset if new else run_config.dataset
        limit = None if new else run_config.limit
        splits = run / "splits.csv"
        stored_roles = not new and splits.is_file()
        chosen = set(read_csv(splits, dtype=str, keep_default_na=False)["subject"]) if stored_roles else None
        options: dict[str, Any] = {"limit": limit, "workers": config.workers, "cache": config.cache}
        inspection = _inspect(dataset, run_config, **options, chosen=chosen, trained=True)
        if config.calibrate is not None:
            # An evaluation looks there after the import of the subjects only.
            local = _inspect(
                dataset_option("folder", root=config.calibrate), run_config, **options | {"limit": None}, trained=True
            )
            known = local.labels[local.labels != "unknown"]
            brains = int((known == "healthy").sum()) if len(known) else len(local.labels)
            said = [*local.cautions, *calibration_cautions(brains, rule_of(with_asked(run_config, config)))]
            inspection.cautions += [f"calibrate={config.calibrate}: {text}" for text in said]
            inspection.problems += [f"calibrate={config.calibrate}: {text}" for text in local.problems]
        inspection.title += f", scored with {run}"
        inspection.of_training = False
        if new and config.calibrate is None and not inspection.usable.empty:
            inspection.cautions += _uncovered(folder, inspection, run_config, dataset)
    return inspection


def _inspect(
    dataset: Any,
    config: Config,
    *,
    limit: int | None,
    workers: int,
    cache: str,
    chosen: Collection[str] | None = None,
    trained: bool = False,
) -> Inspection:
    config = with_stripper(config)
    modalities, reference = config.modality.names, config.modality.reference
    options: dict[str, Any] = {"workers": workers, "limit": limit, "progress": False, "write": False, "cache": cache}
    source = make_source(dataset, modalities=modalities, **options)
    locations = one_session(source.locate(), modalities)
    cautions, problems = source.notes(), []
    try:
        require_stripper(config.preprocess.skull_strip)
        require_for_heads(config, locations)
    except ConfigurationError as error:
        problems.append(str(error))
    series = overview_of(source)
    if hasattr(source, "overview"):  # it has looked at every series already
        unused = _others(series, locations, modalities)
    else:
        unused = unused_scans(dataset, modalities, **options)
    try:
        require_modalities(locations, modalities, unused=lambda: unused, trained=trained)
        cautions += check_skulls(locations, reference=reference, skull_strip=config.preprocess.skull_strip)
    except DatasetError as error:
        problems.append(str(error))
    located = [
        {"subject": scan.subject, "label": scan.label, "source": scan.source, "modality": scan.modality}
        for scan in limited([*locations, *unused], limit, chosen)
        if scan.files
    ]
    headers = inspect_series(limited(locations, limit, chosen), workers=workers, store=Path(cache) / "imported")
    cautions += reading_notes(headers.report)
    inspection = Inspection(
        title=", ".join(
            [dataset.name, *filter(None, [getattr(dataset, "table", None) or getattr(dataset, "root", None)])]
        ),
        modalities=modalities,
        located=pd.DataFrame(located, columns=["subject", "label", "source", "modality"]),
        index=headers.index,
        report=headers.report,
        usable=complete_subjects(headers.index, modalities),
        protocols=pd.Series(dtype=object),
        alpha=config.scoring.alpha,
        cautions=cautions,
        problems=problems,
        series=series,
        written=getattr(dataset, "write_series", None),
    )
    if inspection.usable.empty:
        inspection.problems.append(f"No subject has every modality in use: {', '.join(modalities)}.")
    else:
        inspection.cautions += slab_cautions(inspection.usable)
        if config.preprocess.skull_strip == "none":
            heads = with_skull(limited(locations, limit, chosen), reference=reference)
            usable = inspection.usable.drop_duplicates("subject").set_index("subject")["skull"]
            inspection.cautions += head_cautions(usable[usable.index.isin(heads)])
        acquisition = _acquisition(inspection, reference)
        inspection.cautions += renamed_files(inspection.usable)
        inspection.protocols = ProtocolGroups.fit(acquisition, minimum=1).assign(acquisition)
    return inspection


def _others(lines: list[SeriesLine], locations: list[SeriesLocation], modalities: list[str]) -> list[SeriesLocation]:
    """Scans of modalities that are not in use, from the lines of a source that looked at every series."""
    known = {one.subject: one for one in locations}
    return [
        replace(known[line.subject], modality=line.modality, files=(Path(line.path),), aliases={})
        for line in lines
        if line.modality and line.modality not in modalities and line.subject in known
    ]


def _acquisition(inspection: Inspection, reference: str) -> pd.DataFrame:
    return subject_acquisition(inspection.usable, modalities=inspection.modalities, reference=reference)


def _uncovered(run: Path, inspection: Inspection, config: Config, dataset: Any) -> list[str]:
    """Return the cautions about subjects that the calibration of a run does not cover, as far as headers tell."""
    with np.load(run / "model" / "calibration.npz", allow_pickle=False) as stored:
        facts = json.loads(str(stored["facts"]))
    acquisition = _acquisition(inspection, config.modality.reference)
    subjects = inspection.usable.groupby("subject")
    reasons = scanner_reasons(
        ProtocolGroups.from_dict(facts["protocols"]).assign(acquisition),
        subjects["site"].first(),
        known_protocols=facts["known_protocols"],
        known_sites=facts.get("sites", []),
        trusted=trusted(dataset, config.dataset, local=facts.get("local", False)),
    )
    calibrated, skull = facts.get("skull", []), subjects["skull"].first()
    skull[subjects["brain_mask_path"].max() != ""] = "stripped"
    if with_stripper(config).preprocess.skull_strip != "none":
        skull[:] = "stripped"
    others = [SKULL if unlike(state, calibrated) else "" for state in skull.reindex(reasons.index)]
    reasons = reasons.str.cat(others, sep="; ").str.strip("; ")
    return [*skull_cautions(calibrated, skull), *out_of_calibration_cautions(reasons)]


def show(inspection: Inspection, console: Console | None = None) -> None:
    """Print tables of subjects, dimensions, protocols, exclusions and roles; then cautions and problems."""
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, 120)  # output to a file has no terminal width
    console.print(f"\n[bold]{escape(inspection.title)}[/bold]: {', '.join(inspection.modalities)}")
    for table in (
        _series(inspection),
        _subjects(inspection),
        _dimensions(inspection),
        _protocols(inspection),
        _dropped(inspection),
    ):
        if table.row_count:
            console.print(table)
    if inspection.roles is not None:
        console.print(_roles(inspection))
    if inspection.outlook:
        console.print(_outlook(inspection))
    for caution in dict.fromkeys(inspection.cautions):
        console.print(f"[yellow]Caution:[/yellow] {escape(caution)}", soft_wrap=True)
    for problem in inspection.problems:
        console.print(f"[red]Would stop:[/red] {escape(problem)}", soft_wrap=True)
    if inspection.written:
        console.print(f"The table of series is {escape(inspection.written)}. Read it with dataset.series=….")
    written = "" if inspection.written else " or written"
    after = "stop_after=import also checks the voxels." if inspection.of_training else "Nobody was scored."
    console.print(f"Only headers were read; nothing was imported{written}. {after}")


def escape(text: str) -> str:
    """Return text from data as it can be printed: neither markup of rich nor controls of the terminal."""
    return escape_markup(printable(text, lines=True))


def _table(title: str, columns: Iterable[str], numbers: Iterable[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name, justify="right" if name in set(numbers) else "left", overflow="fold")
    return table


def _subjects(inspection: Inspection) -> Table:
    located = inspection.located
    modalities = [name for name in MODALITIES if name in set(located["modality"]) or name in inspection.modalities]
    counted = ["subjects", *modalities, "complete"]
    table = _table("Subjects", ["source", "label", *counted], counted)
    complete = set(inspection.usable["subject"])
    for (source, label), rows in located.groupby(["source", "label"]):
        subjects = set(rows["subject"])
        scans = [rows.loc[rows["modality"] == name, "subject"].nunique() for name in modalities]
        table.add_row(
            escape(str(source)), str(label), *(str(n) for n in (len(subjects), *scans, len(subjects & complete)))
        )
    return table


def _series(inspection: Inspection) -> Table:
    columns = ["subject", "session", "series", "number", "images", "used as", "why"]
    table = _table("Series", columns, ["number", "images"])
    for one in inspection.series:
        used = one.modality or "[dim]left out[/dim]"
        table.add_row(one.subject, one.session, one.series, one.number, str(one.images), used, escape(one.why))
    return table


def _dimensions(inspection: Inspection) -> Table:
    columns = ["modality", "columns x rows x slices", "spacing (mm)", "plane", "skull", "scans"]
    table = _table("Dimensions", columns, ["scans"])
    size, spacing = ["columns", "rows", "slices"], ["spacing_column_mm", "spacing_row_mm", "spacing_slice_mm"]
    for modality in inspection.modalities:
        scans = inspection.index[inspection.index["modality"] == modality]
        described = pd.DataFrame(
            {
                "size": [" x ".join(f"{value:.0f}" for value in row) for row in scans[size].to_numpy()],
                "spacing": [" x ".join(f"{value:.3g}" for value in row) for row in scans[spacing].to_numpy()],
                "plane": list(scans["orientation"]),
                "skull": list(scans["skull"]),
            }
        )
        counts = described.value_counts()
        for described_as, count in list(counts.items())[:EXAMPLES]:
            table.add_row(modality, *map(str, described_as), str(count))  # type: ignore[call-overload]
        if len(counts) > EXAMPLES:
            rest = counts.iloc[EXAMPLES:]
            table.add_row(modality, f"and {len(rest)} others", "", "", "", str(rest.sum()))
    return table


def _protocols(inspection: Inspection) -> Table:
    labels = [label for label in LABELS if label in set(inspection.usable["label"])]
    table = _table("Protocols", ["protocol", *labels, *(f"{name} (ms)" for name in inspection.modalities)], labels)
    for protocol, members in inspection.protocols.groupby(inspection.protocols):
        scans = inspection.usable[inspection.usable["subject"].isin(members.index)]
        subjects = scans.drop_duplicates("subject")["label"]
        times = [_times(scans[scans["modality"] == name]) for name in inspection.modalities]
        table.add_row(escape(str(protocol)), *(str(int((subjects == label).sum())) for label in labels), *times)
    return table


def _times(scans: pd.DataFrame) -> str:
    """Median repetition, echo and inversion time of scans, as far as the headers record them."""
    medians = {name: scans[column].median() for name, column in TIMES.items()}
    return ", ".join(f"{name} {value:.4g}" for name, value in medians.items() if not np.isnan(value)) or "not recorded"


def _dropped(inspection: Inspection) -> Table:
    table = _table("Exclusions", ["status", "reason", "series", "subjects", "what to do"], ["series"])
    excluded = inspection.report[inspection.report["status"] != "imported"]
    for (status, reason), rows in excluded.groupby(["status", "reason"]):
        scans = [f"{row.subject} {row.modality}" for row in rows.itertuples()]
        advice = advice_for(str(reason)) or ""
        table.add_row(
            str(status), escape(str(reason)), str(len(rows)), escape(some(list(dict.fromkeys(scans)))), advice
        )
    complete = set(inspection.usable["subject"])
    dropped = sorted(set(inspection.report["subject"]) - complete)
    if dropped:
        table.add_row("dropped", "a modality is missing", "", f"{len(dropped)}: {escape(some(dropped))}", "")
    return table


def _roles(inspection: Inspection) -> Table:
    assert inspection.roles is not None
    roles = inspection.roles.set_index("subject")["role"]
    labels = inspection.labels
    table = _table("Roles", ["role", *LABELS], LABELS)
    for role in ROLES:
        members = labels[labels.index.isin(roles.index[roles == role])]
        table.add_row(role, *(str(int((members == label).sum())) for label in LABELS))
    return table


def _outlook(inspection: Inspection) -> Table:
    columns = ["calibration brains", "probable: expected rate", "average: expected rate", "average: rate at most"]
    title = f"False alarms by scoring.guarantee (probable or average), with scoring.alpha={inspection.alpha:g}"
    table = _table(title, columns, columns)
    for row in inspection.outlook:
        rates = (row.probable_rate, row.average_rate, row.average_bound)
        table.add_row(str(row.brains), *("nobody is flagged" if rate is None else f"{rate:.1%}" for rate in rates))
    return table
