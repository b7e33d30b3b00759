"""The index: the table with one row per scan that splits, audit and report read."""

import numpy as np
import pandas as pd

from brain_cae.errors import DatasetError
from brain_cae.vocabulary import LABELS, MODALITIES, PLANES, SKULL_STATES, STRIPPED_BY

INDEX_COLUMNS = (
    "subject", "session", "source", "site", "label", "age", "sex", "scan_year", "modality", "path", "brain_mask_path",
    "lesion_mask_path", "skull", "stripped_by", "rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm",
    "spacing_slice_mm", "orientation", "sequence", "dimensionality", "repetition_time_ms", "echo_time_ms",
    "inversion_time_ms", "flip_angle_deg", "field_strength_t", "manufacturer", "model", "series_hash",
)  # fmt: skip
NUMBER_COLUMNS = (
    "age", "scan_year", "rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm",
    "repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg", "field_strength_t",
)  # fmt: skip
TEXT_COLUMNS = tuple(name for name in INDEX_COLUMNS if name not in NUMBER_COLUMNS)
ALLOWED = {
    "label": LABELS,
    "modality": MODALITIES,
    "skull": SKULL_STATES,
    "stripped_by": STRIPPED_BY,
    "orientation": (*sorted(PLANES), "oblique"),
    "sequence": ("SE", "GRE", "IR", "unknown"),
    "dimensionality": ("2D", "3D", "unknown"),
    "sex": ("M", "F", ""),
}
REQUIRED = ("subject", "modality", "path", "series_hash")
POSITIVE = ("rows", "columns", "slices", "spacing_row_mm", "spacing_column_mm", "spacing_slice_mm")


def make_index(rows: list[dict]) -> pd.DataFrame:
    """Return the index of rows; missing values become NaN (numbers) or ``""`` (text).

    Numbers are float64, text is str, one row per (subject, session, modality), one label per subject.

    Raises:
        DatasetError: A value is invalid; the message names the column and the first such value.
    """
    table = pd.DataFrame(rows, columns=list(INDEX_COLUMNS))
    for name in NUMBER_COLUMNS:
        table[name] = pd.to_numeric(table[name]).astype("float64")
    for name in TEXT_COLUMNS:
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(object)
    _check_types(table)
    _check_values(table)
    _check_rows(table)
    return table


def _check_types(index: pd.DataFrame) -> None:
    for name in TEXT_COLUMNS:
        wrong = [value for value in index[name] if not isinstance(value, str)]
        if wrong:
            _refuse(f"Column {name} must contain text.", "text", f"{type(wrong[0]).__name__} {wrong[0]!r}")
    for name in NUMBER_COLUMNS:
        if np.isinf(index[name]).any():
            _refuse(f"Column {name} must contain finite numbers.", "a number or nothing", "infinity")


def _check_values(index: pd.DataFrame) -> None:
    for name, allowed in ALLOWED.items():
        wrong = sorted(set(index[name]) - set(allowed))
        if wrong:
            _refuse(f"Column {name} contains an unknown value.", ", ".join(map(repr, allowed)), repr(wrong[0]))
    for name in REQUIRED:
        if (index[name] == "").any():
            _refuse(f"Column {name} must not be empty.", "text in every row", "an empty field")
    for name in POSITIVE:
        if not (index[name] > 0).all():
            _refuse(f"Column {name} must be above 0.", "a positive number", str(index[name].min()))


def _check_rows(index: pd.DataFrame) -> None:
    repeated = index[index.duplicated(["subject", "session", "modality"])]
    if len(repeated):
        first = repeated.iloc[0]
        duplicate = f"{first['subject']} {first['session']} {first['modality']} twice".replace("  ", " ")
        _refuse("A scan is in the index twice.", "one row per subject, session and modality", duplicate)
    labels = index.groupby("subject")["label"].nunique()
    if (labels > 1).any():
        subject = labels.index[labels > 1][0]
        _refuse(
            "A subject has contradictory labels.", "one label per subject", f"subject {subject} with several labels"
        )


def _refuse(problem: str, expected: str, actual: str) -> None:
    raise DatasetError(problem, expected=expected, found=actual, advice="Run the import again.")
