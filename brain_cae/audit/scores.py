"""A table with scores of any model as the audit reads it: its labels, its scan parameters, its protocols."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from brain_cae.audit.spelling import one_spelling
from brain_cae.audit.table import as_numbers
from brain_cae.errors import DatasetError
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES, LABELS, ROLES

KNOWN = (
    "manufacturer", "vendor", "model", "modelname", "scanner", "site", "center", "centre", "institution", "hospital",
    "source", "protocol", "fieldstrength", "fieldstrengtht", "magneticfieldstrength", "tesla", "tr", "trms", "te",
    "tems", "ti", "tims", "repetitiontime", "repetitiontimems", "echotime", "echotimems", "inversiontime",
    "inversiontimems", "flipangle", "flipangledeg", "slicethickness", "slicethicknessmm", "slicespacing",
    "spacingbetweenslices", "spacingrowmm", "spacingcolumnmm", "spacingslicemm", "pixelspacing", "voxelsize",
    "spacingx", "spacingy", "spacingz", "rows", "columns", "slices", "matrix", "orientation", "plane", "sequence",
    "sequencename", "scanningsequence", "dimensionality", "coil", "strippedby", "reshapegroup",
)  # fmt: skip
"""Columns that are scan parameters by their names, without signs and case; a contrast may stand in front."""
NAMES = ("subject", "subjectid", "participant", "participantid", "patient", "patientid", "id")
"""Columns of the names of subjects, without signs and case."""
NUMBERS = {"1": "abnormal", "1.0": "abnormal", "true": "abnormal", "0": "healthy", "0.0": "healthy", "false": "healthy"}
MISSING = ("", "nan", "none", "unknown", "na", "n/a", "n.a.", "#n/a", "null", "-")
NEAR = 1.2
"""Numbers within this ratio of the next one count as the same protocol, as for scans."""
PROTOCOL = "protocol"
DECIMAL, THOUSANDS = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?"), re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")


@dataclass(frozen=True)
class Scored:
    """Subjects with label and score, and their acquisition, see :func:`brain_cae.audit.audit`.

    Attributes:
        subjects: Index subject; columns label, score, the column of the strata, and role, source if the table has them.
        acquisition: Index subject; the scan parameters.
        strata: Column of the strata.
        cautions: What a reader must know of how the table was read.
    """

    subjects: pd.DataFrame
    acquisition: pd.DataFrame
    strata: str
    cautions: list[str]


def read_scores(
    table: pd.DataFrame,
    *,
    subject: str | None = None,
    label: str | None = None,
    abnormal: str | None = None,
    score: str | None = None,
    acquisition: Sequence[str] | None = None,
    strata: str | None = None,
) -> Scored:
    """Return a table of any model's scores as the audit reads it.

    Args:
        table: One row per subject.
        subject: Column with the names; default: ``subject`` or the only one called like it (``NAMES``), or else the
            index of the table.
        label: Column with ``healthy`` and ``abnormal`` (or 0 and 1), missing where unknown; default: ``label``.
        abnormal: The label of patients if there are two others; all other subjects with a label are healthy.
        score: Column with a number, higher means more abnormal; default: ``score``.
        acquisition: Columns of scan parameters; default: those with known names (``KNOWN``).
        strata: Column whose equal values were scanned alike; default: ``protocol``, or else groups of equal text and
            of numbers within 20 % of each other in all scan parameters.

    Raises:
        DatasetError: A column is missing, labels are not known, or scores are not numbers. Decimal commas are read.
    """
    label, score = label or "label", score or "score"
    _require_both(table, label, score)
    table = table.apply(with_points)
    if subject is not None:
        _require(table, subject, "the name of each subject", "audit.subject")
    else:
        subject = _names(table)
    columns = list(acquisition) if acquisition is not None else _recognised(table, {label, score, subject})
    for name in columns:
        _require(table, name, "a scan parameter", "audit.acquisition")
    if not columns and strata is None:
        raise DatasetError(
            "No column of the table is a scan parameter by its name.",
            expected="columns such as manufacturer, model, field_strength_t, tr, te, site",
            found=", ".join(map(str, table.columns)),
            where="audit.acquisition",
            advice="Name them: audit.acquisition=[vendor,tr,te].",
        )
    rows = table.set_index(table[subject].astype(str) if subject else table.index.astype(str)).rename_axis("subject")
    subjects = pd.DataFrame({"label": _labels(rows[label], abnormal), "score": _numbers(rows[score], score)})
    if strata is not None:
        _require(table, strata, "the strata", "audit.strata")
    subjects = subjects.assign(**{name: rows[name] for name in ("role", "source") if name in rows})
    used, cautions = _evaluated(subjects)
    subjects, rows = subjects[used].assign(score=_within_reach(subjects["score"])[used]), rows[used].copy()
    if "role" in subjects and not subjects["role"].isin(ROLES).all():
        subjects = subjects.drop(columns="role")
    known = strata or (PROTOCOL if PROTOCOL in rows else None)
    merged = []
    for name in dict.fromkeys([*columns, *([known] if known else [])]):
        rows[name], several = one_spelling(rows[name].map(_value))
        merged += [str(name)] if several else []
    parameters = rows[[name for name in columns if name != strata]]
    if acquisition is None and columns:
        cautions.append(_recognition(table, columns, {subject, label, score, known, "role", "source"}))
    if merged:
        cautions.append(f"Spellings that differ in case or blanks only count as one: {', '.join(merged)}.")
    if known is None:
        subjects[PROTOCOL] = groups(parameters)
        count = subjects[PROTOCOL].nunique()
        cautions.append(
            f"The table has no column {PROTOCOL}: subjects with equal text and numbers within {NEAR - 1:.0%} of each "
            f"other in all scan parameters count as scanned alike ({count} group{'' if count == 1 else 's'})."
        )
    else:
        subjects[known] = rows[known]
    return Scored(subjects, parameters.drop(columns=PROTOCOL, errors="ignore"), known or PROTOCOL, cautions)


def _evaluated(subjects: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Return which subjects a model can be evaluated on, and what a reader must know of the others."""
    used, cautions = pd.Series(True, index=subjects.index), []
    if "role" in subjects and not (known := subjects["role"].isin(ROLES)).all():
        other = ", ".join(map(str, subjects.loc[~known, "role"].dropna().unique()[:3])) or "nothing"
        cautions.append(
            f"The column role is not used: it has other words than {', '.join(ROLES)} ({other}). All subjects count, "
            "also those that the model learnt from."
        )
    elif "role" in subjects:
        used = ~subjects["role"].isin(HEALTHY_ROLES)
        if not used.all():
            cautions.append(f"Subjects with the roles {' and '.join(HEALTHY_ROLES)} are left out ({(~used).sum()}).")
    labelled = used & subjects["label"].isin(CLASSES)
    if infinite := int(np.isinf(subjects.loc[labelled, "score"]).sum()):
        cautions.append(
            f"Infinite scores ({infinite}) are taken as 1 above the highest of the others, or 1 below the lowest."
        )
    lacking = subjects.loc[labelled & subjects["score"].isna(), "label"]
    if len(lacking):
        counts = ", ".join(f"{count} {label}" for label, count in lacking.value_counts().items())
        cautions.append(
            f"Without a score, and left out of its figures: {len(lacking)} of {labelled.sum()} subjects ({counts})."
        )
    return used, cautions


def groups(parameters: pd.DataFrame) -> pd.Series:
    """Return the group of each row: equal text, and numbers of a chain whose links differ by 20 % at most."""
    parts = []
    for name in parameters:
        values = as_numbers(parameters[name])
        if values is None:
            parts.append(parameters[name].fillna("").astype(str))
            continue
        distinct = np.unique(values[np.isfinite(values)])
        with np.errstate(divide="ignore", invalid="ignore"):
            apart = (distinct[1:] / distinct[:-1] > NEAR) | (distinct[:-1] <= 0)
        chains = np.concatenate([[0], np.cumsum(apart)]) if len(distinct) else np.zeros(0)
        texts = []
        for value in values:
            if not np.isfinite(value):
                texts.append("")
                continue
            members = distinct[chains == chains[np.searchsorted(distinct, value)]]
            texts.append(f"{name} {_span(members)}")
        parts.append(pd.Series(texts, index=parameters.index))
    joined = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=parameters.index)
    return joined.apply(lambda row: ", ".join(text for text in row if text) or "unknown", axis=1)


def _span(members: np.ndarray) -> str:
    return f"{members[0]:g}" if len(members) == 1 else f"{members[0]:g}-{members[-1]:g}"


def _require(table: pd.DataFrame, name: str, meaning: str, key: str) -> None:
    if name not in table:
        raise DatasetError(
            "The table lacks a column.",
            expected=f"{name}: {meaning}",
            found=", ".join(map(str, table.columns)),
            where=key,
            advice=f"Name the column: {key}=…",
        )


def _require_both(table: pd.DataFrame, label: str, score: str) -> None:
    """Check that label and score are there; the advice names the columns that can only be them."""
    lacking = {
        "audit.label": (label, "the label of each subject", _two_values),
        "audit.score": (score, "the score of each subject", _many_numbers),
    }
    lacking = {key: part for key, part in lacking.items() if part[0] not in table}
    if not lacking:
        return
    used = {label, score, *_recognised(table, set())}
    keys = []
    for key, (_, _, fits) in lacking.items():
        columns = [str(name) for name in table if name not in used and fits(table[name])]
        keys.append(f"{key}={columns[0] if len(columns) == 1 else '…'}")
    raise DatasetError(
        f"The table lacks {'a column' if len(lacking) == 1 else 'two columns'}.",
        expected="; ".join(f"{name}: {meaning}" for name, meaning, _ in lacking.values()),
        found=", ".join(map(str, table.columns)),
        where=" and ".join(lacking),
        advice=f"Name the column{'' if len(lacking) == 1 else 's'}: {' '.join(keys)}",
    )


def _names(table: pd.DataFrame) -> str | None:
    """Return the column of the subjects' names; None if there is none, or several."""
    if "subject" in table:
        return "subject"
    called = [name for name in table if re.sub(r"[^a-z]", "", str(name).lower()) in NAMES]
    return str(called[0]) if len(called) == 1 else None


def _two_values(column: pd.Series) -> bool:
    return column.map(_value).dropna().astype(str).nunique() == len(CLASSES)


def _many_numbers(column: pd.Series) -> bool:
    values = with_points(column).map(_value).dropna()
    return values.nunique() > len(CLASSES) and bool(pd.to_numeric(values, errors="coerce").notna().all())


def with_points(column: pd.Series) -> pd.Series:
    """Return a column of text whose numbers have decimal commas with points instead; any other column as it is.

    Commas that could separate thousands in every number (``1,250``) are left alone.
    """
    texts = [str(value).strip() for value in column if isinstance(value, str) and "," in value]
    if not texts or any("." in str(value) for value in column if isinstance(value, str)):
        return column
    if not all(DECIMAL.fullmatch(text) for text in texts) or all(THOUSANDS.fullmatch(text) for text in texts):
        return column
    return column.map(lambda value: value.strip().replace(",", ".") if isinstance(value, str) else value)


def _recognised(table: pd.DataFrame, used: set[str | None]) -> list[str]:
    names = []
    for name in table:
        words = re.sub(r"[^a-z0-9]", "", str(name).lower())
        words = re.sub(r"^(t1ce|t1wce|t1w|t1|t2w|t2|flair)", "", words)
        if words in KNOWN and name not in used:
            names.append(str(name))
    return names


def _empty(value: object) -> bool:
    return value is None or value != value or str(value).strip().lower() in MISSING


def _value(value: object) -> object:
    return np.nan if _empty(value) else value


def _labels(column: pd.Series, abnormal: str | None) -> pd.Series:
    """Return healthy, abnormal or unknown for each row."""
    texts = column.map(lambda value: "" if _empty(value) else str(value).strip())
    present = [text for text in dict.fromkeys(texts) if text]
    lower = texts.str.lower()
    if abnormal is not None and str(abnormal) in present and len(present) <= len(CLASSES):
        return texts.map(lambda text: ("abnormal" if text == str(abnormal) else "healthy") if text else "unknown")
    if abnormal is None and lower[lower != ""].isin(LABELS).all():
        return lower.replace("", "unknown")
    if abnormal is None and lower[lower != ""].isin(list(NUMBERS)).all():
        return lower.map(lambda text: NUMBERS.get(text, "unknown"))
    counts = texts[texts != ""].value_counts()
    raise DatasetError(
        "The labels of the table are not known.",
        expected="healthy and abnormal, or 0 and 1, or two labels of which audit.abnormal names that of patients",
        found=", ".join(f"{text} ({count})" for text, count in counts.head(6).items()) or "no labels",
        where="audit.label" if abnormal is None else f"audit.abnormal={abnormal}",
        advice="Name the label of patients: audit.abnormal=<label>. Leave out subjects of a third class.",
    )


def _recognition(table: pd.DataFrame, columns: Sequence[str], others: set[str | None]) -> str:
    """Return which columns are scan parameters by their names, and which are none: a scanner may hide in these."""
    text = f"Scan parameters: {', '.join(map(str, columns))}."
    unused = [str(name) for name in table if name not in {*columns, *others}]
    shown = ", ".join(unused[:8]) + (f" and {len(unused) - 8} more" if len(unused) > 8 else "")
    return f"{text} Not used: {shown}; audit.acquisition names scan parameters." if unused else text


def _within_reach(scores: pd.Series) -> pd.Series:
    """Return scores whose infinite ones lie just beyond the finite ones, since their ranks count."""
    finite = scores[np.isfinite(scores)]
    return scores.clip(finite.min() - 1, finite.max() + 1)


def _numbers(column: pd.Series, name: str) -> pd.Series:
    values = column.map(_value)
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = [str(value) for value in values[numbers.isna() & values.notna()]]
    if wrong or not np.isfinite(numbers).any():
        raise DatasetError(
            "The scores of the table are not numbers.",
            expected="a number for each subject, higher means more abnormal; empty where there is none",
            found=f"{len(wrong)} others, such as {wrong[0][:40]}" if wrong else "no numbers",
            where=name,
            advice="Write them as plain numbers, or leave their cells empty."
            if wrong
            else "Name the column of the scores: audit.score=…",
        )
    return numbers.astype(float)
