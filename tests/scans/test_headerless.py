"""Groups without headers: source, plane, spacing, noise, smoothness, and missing modalities."""

import numpy as np
import pandas as pd

from brain_cae.scans.headerless import SMALL, group_without_headers
from brain_cae.scans.protocol import UNKNOWN

NAMES = [f"{number:02d}" for number in range(40)]


def table(spacing) -> pd.DataFrame:
    columns = {"orientation": "axial", "flair_spacing_slice_mm": spacing, "flair_spacing_row_mm": 1.0}
    return pd.DataFrame(columns, index=NAMES)


def groups(spacing, looks=None, source="clinic") -> pd.Series:
    appearance = pd.DataFrame(index=NAMES) if looks is None else pd.DataFrame(looks, index=NAMES)
    return group_without_headers(table(spacing), appearance, pd.Series(source, index=NAMES))


def test_spacings_that_differ_by_over_20_percent_make_groups() -> None:
    names = groups(np.repeat([1.0, 1.15, 5.0], [20, 10, 10]))
    assert names.value_counts().tolist() == [30, 10]
    assert names.iloc[0] == "no header, clinic axial #1"
    missing = groups(np.repeat([1.0, np.nan], 20))
    assert missing.nunique() == 2


def test_small_groups_are_pooled_and_sources_kept_apart() -> None:
    assert groups(np.repeat([1.0, 5.0], [35, 5])).value_counts().to_dict()[SMALL] == 5
    assert groups(1.0, source=["x"] * 20 + ["y"] * 20).nunique() == 2


def test_small_groups_are_pooled_within_one_plane() -> None:
    columns = {
        "orientation": np.repeat(["axial", "coronal", "sagittal"], [18, 18, 4]),
        "flair_spacing_slice_mm": np.tile([1.0, 3.0, 9.0, 27.0], 10),
    }
    scans = pd.DataFrame(columns, index=NAMES)
    names = group_without_headers(scans, pd.DataFrame(index=NAMES), pd.Series("clinic", index=NAMES))
    expected = ["no header, clinic axial, small groups", "no header, clinic coronal, small groups", SMALL]
    assert names.tolist() == np.repeat(expected, [18, 18, 4]).tolist()


def test_noise_separates_groups_with_the_same_grid() -> None:
    rng = np.random.default_rng(0)
    noise = np.repeat([0.03, 0.09], 20) * np.exp(0.1 * rng.normal(size=40))
    names = groups(1.0, {"flair_noise": noise, "flair_smoothness_mm": 5.0})
    assert names.nunique() == 2 and names.iloc[:20].nunique() == 1


def test_equal_spacings_alone_are_unknown() -> None:
    assert set(groups(1.0)) == {UNKNOWN}
    assert set(groups(1.0, {"flair_noise": 0.05})) != {UNKNOWN}
