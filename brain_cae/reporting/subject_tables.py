"""Tables of subjects and scans: roles, protocols, import losses, acquisition parameters by label."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from brain_cae.reporting.content import ReportContent
from brain_cae.reporting.evidence import at, column, flags, is_known, numbers, outer_folds, scored, unlabelled
from brain_cae.reporting.formatting import finite, number, p_value
from brain_cae.reporting.tables import Cell, Table, label, of_counts
from brain_cae.vocabulary import CLASSES, LABELS, ROLES

PARAMETERS = {
    "field_strength_t": "field strength, T", "repetition_time_ms": "TR, ms", "echo_time_ms": "TE, ms",
    "inversion_time_ms": "TI, ms", "flip_angle_deg": "flip angle, \N{DEGREE SIGN}", "rows": "rows",
    "columns": "columns", "slices": "slices", "spacing_row_mm": "spacing of rows, mm",
    "spacing_column_mm": "spacing of columns, mm", "spacing_slice_mm": "spacing of slices, mm",
    "manufacturer": "manufacturer", "model": "model", "orientation": "plane", "sequence": "sequence",
    "dimensionality": "dimensionality",
}  # fmt: skip
ALPHA = 0.05
FOLDED_FROM = 12
"""Rows from which the table of all subjects is folded away."""
LONGEST = 1000
"""Subjects that the page lists; predictions.csv lists all."""
TEXT = ("manufacturer", "model", "orientation", "sequence", "dimensionality")


def subject_table(content: ReportContent) -> Table | None:
    """Return the scored subjects by falling score, each with a link to its page; None if there are none."""
    rows = scored(content).assign(_score=lambda table: numbers(table, "score"))
    rows = rows[rows["_score"].notna()].sort_values("_score", ascending=False, kind="stable")
    if rows.empty:
        return None
    shown = rows.head(LONGEST)
    known = {
        "label": column(shown, "label").isin(CLASSES).any(),
        "rate_bound": numbers(shown, "rate_bound").notna().any(),
        "classifier_probability": numbers(shown, "classifier_probability").notna().any(),
    }
    flagged = flags(shown).map({1.0: "flagged", 0.0: "not flagged"}).fillna("not decided")
    outside = column(shown, "out_of_calibration").astype(str).str.lower() == "true"
    cells = []
    for place, row in zip(shown.index, shown.to_dict("records"), strict=True):
        name = str(row["subject"])
        line = [Cell(name, href=content.pages.get(name, ""))]
        line += [label(row["label"])] if known["label"] else []
        line += [Cell(number(row["_score"], digits=2), True), Cell(p_value(row.get("p_value")), True)]
        line += [Cell(p_value(row["rate_bound"]), True)] if known["rate_bound"] else []
        line += [Cell(flagged[place], tone="amber" if flagged[place] == "flagged" else "")]
        if known["classifier_probability"]:
            line += [Cell(number(row["classifier_probability"], digits=2), True)]
        line += [label(row.get("protocol")), Cell("never calibrated" if outside[place] else "calibrated")]
        cells.append(line)
    columns = ["subject", *(["label"] if known["label"] else []), "score", "p"]
    columns += ["rate bound"] if known["rate_bound"] else []
    columns += ["decision", *(["classifier"] if known["classifier_probability"] else []), "protocol", "scan"]
    note = f"The {LONGEST} highest scores; predictions.csv lists all {len(rows)}." if len(rows) > LONGEST else ""
    return Table(columns, cells, note, "Scored subjects")


def flow_table(content: ReportContent) -> Table | None:
    """Return what became of every subject, each counted once.

    None if nobody was scored, if the import is not known, or of one subject, as on the page of a patient.
    """
    rows = scored(content)
    if content.import_report.empty or not numbers(rows, "score").notna().any():
        return None
    people = content.index.drop_duplicates("subject") if "subject" in content.index else content.index
    kinds = dict(zip(column(people, "subject").astype(str), column(people, "label").astype(str), strict=True))
    found = {*column(content.import_report, "subject").dropna().astype(str), *kinds}
    if len(found) < 2:
        return None
    tested = {*column(rows, "subject").astype(str)} & found
    limit = at(content.settings, "limit")
    counts = [(f"with scans in the data set{f' (at most limit={limit})' if limit else ''}", found)]
    counts += [("left out: no usable set of scans", found - set(kinds)), ("prepared", set(kinds)), ("scored", tested)]
    if others := set(kinds) - tested:
        use = "trained or calibrated the model, or not part of these figures: roles below"
        counts.append((f"not scored ({use})", others))
    names = () if unlabelled(content) else LABELS
    lines = []
    for name, group in counts:
        # The label of a subject without usable scans is not kept.
        known = [str(sum(kinds[one] == kind for one in group)) for kind in names] if group <= set(kinds) else None
        lines.append([label(name), *map(_figure, known or ["\N{EN DASH}"] * len(names)), _figure(str(len(group)))])
    note = "Reasons are in section Import." if found - set(kinds) else ""
    return Table(["subjects", *names, "total"], lines, note, "Flow of subjects")


def _figure(text: str) -> Cell:
    return Cell(text, True)


def cohort_tables(content: ReportContent) -> list[Table | None]:
    """Return the tables of subjects by role, of age and sex, and of scored subjects by protocol, each by label."""
    rows = scored(content)
    protocols, labels = column(rows, "protocol"), column(rows, "label")
    return [
        _roles(content),
        people_table(content),
        of_counts(protocols, labels, corner="protocol", caption="Scored subjects by protocol"),
    ]


def _roles(content: ReportContent) -> Table | None:
    """Return subjects by role, counted in ``metrics.json`` if it has the role, else in the predictions."""
    stored = at(content.metrics, "subjects")
    stored = stored if isinstance(stored, Mapping) else {}
    roles, labels = column(content.predictions, "role").astype(str), column(content.predictions, "label")
    rows = []
    for role in (*ROLES, *(role for role in stored if role not in ROLES)):
        part = stored.get(role)
        if isinstance(part, Mapping):
            counts = [int(finite(part.get(name)) or 0) for name in LABELS]
            total = int(finite(part.get("total")) or sum(counts))
        else:
            counts = [int(((roles == role) & (labels == name)).sum()) for name in LABELS]
            total = sum(counts) if finite(part) is None else int(finite(part) or 0)
        if total:
            # Predictions hold no labels of the training brains: such a role shows its total only.
            shown = [str(count) for count in counts] if sum(counts) == total else ["\N{EN DASH}"] * len(LABELS)
            rows.append([label(role), *(Cell(text, True) for text in shown), Cell(str(total), True)])
    note = (
        "Each subject was tested once, by the model of its outer fold; the other roles are those of the stored model."
    )
    note = note if outer_folds(content) else ""
    return Table(["role", *LABELS, "total"], rows, note, "Subjects by role") if rows else None


def people_table(content: ReportContent) -> Table | None:
    """Return age and sex by label, of subjects that were scored and of the others; None if no index has them."""
    people = content.index.drop_duplicates("subject") if "subject" in content.index else content.index
    if not is_known(people, "age") and not is_known(people, "sex"):
        return None
    tested = column(people, "subject").astype(str).isin(column(scored(content), "subject").astype(str))
    rows = []
    for part, role in ((people[tested], "scored"), (people[~tested], "not scored")):
        for name in LABELS:
            group = part[column(part, "label") == name]
            if len(group):
                ages = numbers(group, "age").notna().sum()
                cells = [Cell(str(len(group)), True), _range(group, "age"), Cell(str(ages), True), _text(group, "sex")]
                rows.append([label(f"{name}, {role}"), *cells])
    note = "Age: median and range. Those that are not scored trained or calibrated, or were left out."
    note += " Classes of different age or sex can differ for that reason alone: no test here looks at it."
    return Table(["subjects", "n", "age, years", "age known", "sex"], rows, note, "Age and sex")


def import_sentence(content: ReportContent) -> str:
    """Return a sentence on how many series were imported."""
    report = content.import_report
    if report.empty:
        return ""
    kept = int((_status(report) == "imported").sum())
    return f"{kept} of {len(report)} series of {column(report, 'subject').nunique()} subjects were imported."


def _status(report: pd.DataFrame) -> pd.Series:
    return column(report, "status").astype(str).str.strip().str.lower()


def loss_table(content: ReportContent) -> Table | None:
    """Return the series that were not imported, by reason."""
    report = content.import_report
    lost = report[_status(report) != "imported"] if len(report) else report
    if lost.empty:
        return None
    reasons = column(lost, "reason").fillna("").astype(str).replace("", "no reason given")
    rows = []
    for reason, part in sorted(lost.groupby(reasons), key=lambda item: -len(item[1])):
        modalities = ", ".join(sorted(set(column(part, "modality").dropna().astype(str))))
        subjects = column(part, "subject").nunique()
        rows.append([label(str(reason)), Cell(str(len(part)), True), Cell(str(subjects), True), label(modalities)])
    return Table(["reason", "series lost", "subjects", "modalities"], rows, caption="Series that were not imported")


def compared_headers(content: ReportContent) -> Table | None:
    """Return the header comparison of the audit: parameters by class, effect size and p-values."""
    tests = at(content.metrics, "audit", "tests") or []
    details = [row for test in tests if test.get("name") == "header_comparison" for row in test.get("details") or []]
    rows = []
    for row in details:
        title = PARAMETERS.get(str(row.get("parameter")), str(row.get("parameter")).replace("_", " "))
        title += ": known or missing" if row.get("what") == "known or missing" else ""
        differs = (finite(row.get("p_corrected")) or 0.0) <= ALPHA
        effect = Cell(f"{row.get('effect_name')} {number(row.get('effect'))}", True, tone="amber" if differs else "")
        p_values = [Cell(p_value(row.get(name)), True) for name in ("p", "p_corrected")]
        sides = [label(row.get(name)) for name in CLASSES]
        rows.append([label(row.get("modality")), label(title), *sides, effect, *p_values])
    columns = ["modality", "parameter", *CLASSES, "effect", "p", "p corrected"]
    note = "Numbers: median and range. Text: the three most frequent values. Constant parameters are left out. "
    note += "Cliff's delta: \N{MINUS SIGN}1 to 1, positive if abnormal subjects have larger values; Cramér's V: 0 to 1."
    return Table(columns, rows, note, "Acquisition parameters, healthy versus abnormal") if rows else None


def header_table(content: ReportContent) -> Table | None:
    """Return the acquisition parameters by label, from the index; None unless both labels occur."""
    index = content.index
    labels = column(index, "label")
    sides = [name for name in CLASSES if (labels == name).any()]
    if len(sides) < 2:
        return None
    rows = []
    for modality, scans in index.groupby(column(index, "modality").astype(str), sort=True):
        for name, title in PARAMETERS.items():
            parts = [scans[column(scans, "label") == side] for side in sides]
            cells = [_text(part, name) if name in TEXT else _range(part, name) for part in parts]
            if any(cell.text for cell in cells) and len(set(column(scans, name).astype(str))) > 1:
                rows.append([label(str(modality)), label(title), *cells])
    note = "Numbers: median and range. Text: the three most frequent values. Constant parameters are left out."
    return Table(["modality", "parameter", *sides], rows, note, "Acquisition parameters by label") if rows else None


def _range(part: pd.DataFrame, name: str) -> Cell:
    values = numbers(part, name).dropna()
    if values.empty:
        return Cell("", True)
    statistics = (values.min(), values.median(), values.max())
    low, median, high = (number(value, digits=_digits(values)) for value in statistics)
    return Cell(f"{median} ({low}\N{EN DASH}{high})", True)


def _digits(values: pd.Series) -> int:
    return 0 if (values.round() == values).all() else 1 if values.max() >= 10 else 2


def _text(part: pd.DataFrame, name: str) -> Cell:
    values = column(part, name).dropna().astype(str)
    counts = values[values != ""].value_counts()
    return Cell(", ".join(f"{value} ({count})" for value, count in counts.head(3).items()))
