"""The index: one row per scan, the table that splits, audit and report all read."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import MODALITIES

INDEX_COLUMNS = (
    "subject", "session", "source", "site", "label", "age", "sex", "scan_year", "modality", "path", "brain_mask_path",
    "lesion_mask_path", "skull", "rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm",
    "spacing_slice_mm", "orientation", "sequence", "dimensionality", "repetition_time_ms", "echo_time_ms",
    "inversion_time_ms", "flip_angle_deg", "field_strength_t", "manufacturer", "model", "series_hash",
)  # fmt: skip
NUMBER_COLUMNS = (
    "age", "scan_year", "rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm",
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg", "field_strength_t",
)  # fmt: skip
TEXT_COLUMNS = tuple(name for name in INDEX_COLUMNS if name not in NUMBER_COLUMNS)
ALLOWED = {
    "label": ("healthy", "abnormal", "unknown"),
    "modality": MODALITIES,
    "skull": ("on", "stripped", "unknown"),
    "orientation": ("axial", "coronal", "sagittal", "oblique"),
    "sequence": ("SE", "GRE", "IR", "unknown"),
    "dimensionality": ("2D", "3D", "unknown"),
    "sex": ("M", "F", ""),
}
REQUIRED = ("subject", "modality", "path", "series_hash")
POSITIVE = ("rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm")


def make_index(rows: list[dict]) -> pd.DataFrame:
    """Make a validated index of rows; a name that a row lacks becomes NaN (numbers) or ``""`` (text)."""
    table = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    for name in NUMBER_COLUMNS:
        table[name] = pd.to_numeric(table[name]).astype("float64")
    for name in TEXT_COLUMNS:
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(object)
    return validate_index(table)


def validate_index(index: pd.DataFrame, *, where: str | None = None) -> pd.DataFrame:
    """Return the index unchanged, or raise DatasetError that names the column and the first offending row.

    Numbers are float64 (NaN: unknown), text is str (``""``: unknown), one row per (subject, session, modality), one
    label per subject and source.
    """
    _check_columns(index, where)
    _check_values(index, where)
    repeated = index[index.duplicated(["subject", "session", "modality"])]
    if len(repeated):
        first = repeated.iloc[0]
        found = f"{first['subject']} {first['session']} {first['modality']} twice".replace("  ", " ")
        _refuse("A scan stands in the index twice.", "one row per subject, session and modality", found, where)
    labels = index.groupby("subject")["label"].nunique()
    if (labels > 1).any():
        found = f"subject {labels.index[labels > 1][0]} with several labels"
        _refuse("A subject has contradicting labels.", "one label per subject", found, where)
    return index


def _check_columns(index: pd.DataFrame, where: str | None) -> None:
    if list(index.columns) != list(INDEX_COLUMNS):
        missing = [name for name in INDEX_COLUMNS if name not in index.columns]
        extra = [str(name) for name in index.columns if name not in INDEX_COLUMNS]
        found = f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(extra) or 'none'}; or another order"
        raise DatasetError("The index has other columns.", expected=", ".join(INDEX_COLUMNS), found=found, where=where)
    for name in NUMBER_COLUMNS:
        if index[name].dtype != np.float64:
            _refuse(f"Column {name} must hold numbers.", "float64", str(index[name].dtype), where)
    for name in TEXT_COLUMNS:
        wrong = [value for value in index[name] if not isinstance(value, str)]
        if wrong:
            _refuse(f"Column {name} must hold text.", "text", f"{type(wrong[0]).__name__} {wrong[0]!r}", where)


def _check_values(index: pd.DataFrame, where: str | None) -> None:
    for name in NUMBER_COLUMNS:
        if np.isinf(index[name]).any():
            _refuse(f"Column {name} must hold finite numbers.", "a number or nothing", "infinity", where)
    for name, allowed in ALLOWED.items():
        wrong = sorted(set(index[name]) - set(allowed))
        if wrong:
            _refuse(f"Column {name} holds an unknown value.", ", ".join(map(repr, allowed)), repr(wrong[0]), where)
    for name in REQUIRED:
        if (index[name] == "").any():
            _refuse(f"Column {name} must be filled.", "text in every row", "an empty field", where)
    for name in POSITIVE:
        if not (index[name] > 0).all():
            _refuse(f"Column {name} must be above 0.", "a positive number", str(index[name].min()), where)


def _refuse(problem: str, expected: str, found: str, where: str | None) -> None:
    raise DatasetError(problem, expected=expected, found=found, where=where, advice="Run the import again.")


def write_index(index: pd.DataFrame, path: Path) -> None:
    """Write the index as CSV, whole or not at all; numbers keep every digit."""
    validate_index(index)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    index.to_csv(aside, index=False, lineterminator="\n")
    aside.replace(path)


def read_index(path: Path) -> pd.DataFrame:
    """Read and validate what :func:`write_index` wrote; raises DatasetError when it is missing or damaged."""
    if not path.is_file():
        raise DatasetError("The index is missing.", expected="index.csv", found="no such file", where=str(path))
    # Read as text throughout: "00012" must keep its zeros and a site called "NA" is no missing value.
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False)
        for name in set(NUMBER_COLUMNS) & set(table.columns):
            table[name] = [float(value) if value else float("nan") for value in table[name]]
            table[name] = table[name].astype("float64")
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DatasetError("The index cannot be read.", found=str(error), where=str(path)) from error
    for name in set(TEXT_COLUMNS) & set(table.columns):
        table[name] = table[name].astype(object)
    return validate_index(table, where=str(path))
