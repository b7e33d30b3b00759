"""What scans show, compared with their names and headers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from brain_cae.data.appearance import histogram
from brain_cae.data.subject import Shown
from brain_cae.stages.shown import (
    contrast_cautions,
    contrast_lost_cautions,
    coverage_cautions,
    shading_cautions,
    with_shown,
    wrong_contrasts,
)

FLAIR_TIMES = {"repetition_time_ms": 9000.0, "echo_time_ms": 120.0, "inversion_time_ms": 2500.0}
UNKNOWN_TIMES = dict.fromkeys(FLAIR_TIMES, np.nan)


def scans(modality: str, times: dict[str, float], by: str = "delivered") -> pd.DataFrame:
    row = {"subject": "s", "modality": modality, "sequence": "SE", "skull": "stripped", "stripped_by": by}
    return pd.DataFrame([row | times])


def prepared(modality: str, looks_like: str, coverage_mm: float = 150.0) -> dict:
    return {"s": SimpleNamespace(shown={modality: Shown(coverage_mm, looks_like, "fluid is dark")})}


@pytest.mark.parametrize(
    ("named", "seen", "times", "outcome"),
    [
        ("flair", "flair", FLAIR_TIMES, "fine"),
        ("flair", "", UNKNOWN_TIMES, "fine"),
        ("t1ce", "t1", UNKNOWN_TIMES, "fine"),  # healthy brain hardly enhances
        ("t1", "t1", FLAIR_TIMES, "fine"),  # the image outweighs the header
        ("t1", "flair", UNKNOWN_TIMES, "caution"),
        ("t1", "", FLAIR_TIMES, "caution"),
        ("t1", "t2", FLAIR_TIMES, "caution"),  # both say that the name is wrong, but not what is right
        ("t1", "flair", FLAIR_TIMES, "refused"),
    ],
)
def test_a_wrong_name_is_a_caution_and_refused_where_image_and_header_agree(named, seen, times, outcome) -> None:
    index, volumes = scans(named, times), prepared(named, seen)
    refused = wrong_contrasts(index, volumes)
    assert refused == ({"s": "not the named contrast"} if outcome == "refused" else {})
    cautions = [] if refused else contrast_cautions(index, volumes)
    assert len(cautions) == (outcome == "caution")
    if cautions:
        assert cautions[0].startswith(f"The {named} of s ")
        assert ("fluid is dark" in cautions[0]) == bool(seen)


def test_many_scans_of_one_wrong_contrast_are_one_caution_about_these_subjects(caplog) -> None:
    names = [f"s{number}" for number in range(5)]
    index = pd.concat([scans("flair", UNKNOWN_TIMES).assign(subject=name) for name in names])
    volumes = {name: prepared("flair", "t1")["s"] for name in names}
    (caution,) = contrast_cautions(index, volumes)
    assert caution.startswith("In 5 subjects the flair looks like a T1.") and "s0" not in caution
    assert caution.subjects == frozenset(names) and "flair of s0, s1, s2, s3, s4" in caplog.text
    few = contrast_cautions(index[index["subject"] < "s3"], volumes)
    assert [one.subjects for one in few] == [{"s0"}, {"s1"}, {"s2"}]


@pytest.mark.parametrize(
    ("by", "coverage_mm", "short"),
    [("delivered", 120, False), ("deepbet", 120, True), ("", 120, True), ("mask", 20, True)],
)
def test_a_scan_of_a_part_of_the_head_says_how_much_it_covers(by, coverage_mm, short) -> None:
    cautions = coverage_cautions(scans("t1", UNKNOWN_TIMES, by), prepared("t1", "t1", coverage_mm))
    assert bool(cautions) == short
    assert not short or f"s t1 covers {coverage_mm} mm of head" in cautions[0]


@pytest.mark.parametrize(("by", "cut"), [("deepbet", True), ("mask", True), ("", False)])
def test_a_scan_that_cuts_the_brain_off_says_so_unless_it_shows_a_head(by, cut) -> None:
    one = {"s": SimpleNamespace(shown={"t1": Shown(190.0, "t1", cut_cm2=84.2)})}
    cautions = coverage_cautions(scans("t1", UNKNOWN_TIMES, by), one)
    assert bool(cautions) == cut
    assert not cut or ("cuts off a part of the brain" in cautions[0] and "s t1 in 84 cm²" in cautions[0])


def test_extent_and_contrast_stand_in_the_report() -> None:
    report = pd.DataFrame({"subject": "s", "modality": ["t1", "t2"], "status": ["imported", "refused"]})
    after = with_shown(report, {"s": SimpleNamespace(shown={m: Shown(151.26, "t1") for m in ("t1", "t2")})})
    assert after.loc[0, ["coverage_mm", "looks_like"]].tolist() == [151.3, "t1"]
    assert after.loc[1, ["coverage_mm", "looks_like"]].isna().all()
    assert list(report.columns) == ["subject", "modality", "status"]


@pytest.mark.parametrize(
    ("change", "flat"),
    [
        (lambda values: values, False),
        (lambda values: (values - values.mean()) / values.std() + 9, True),  # z-scores, background -9
        (lambda values: (values - values.mean()) / values.std() + 3.5, False),
        (lambda values: np.minimum(values, np.percentile(values, 94)), True),  # cut off for a display
        (lambda values: np.minimum(values, np.percentile(values, 98)), False),
        (lambda values: np.full_like(values, 100), True),
    ],
)
def test_intensities_that_lost_their_contrast_are_a_caution(change, flat) -> None:
    tissues = (100, 0.15), (350, 0.45), (500, 0.4)  # fluid, grey and white matter, and their shares
    rng = np.random.default_rng(0)
    brain = np.concatenate([rng.normal(level, 40, int(10_000 * share)) for level, share in tissues])
    found = histogram(change(brain)[None], np.ones(brain.shape, bool), ["t1"])
    one = SimpleNamespace(shown={"t1": Shown(150.0)}, appearance=found)
    cautions = contrast_lost_cautions({"s": one})
    assert len(cautions) == flat and all("s t1" in caution for caution in cautions)


def test_slices_that_are_brighter_in_turn_are_a_caution() -> None:
    shown = {"t1": Shown(150.0, alternation=0.12), "flair": Shown(150.0, alternation=0.02)}
    (caution,) = shading_cautions({"s": SimpleNamespace(shown=shown)})
    assert caution.startswith("1 scan has slices that are brighter and darker in turn") and "s t1 (12%)" in caution


@pytest.mark.parametrize(("ratio", "side"), [(1.5, "right"), (0.6, "left"), (1.3, ""), (float("nan"), "")])
def test_a_side_that_is_much_brighter_is_a_caution(ratio, side) -> None:
    cautions = shading_cautions({"s": SimpleNamespace(shown={"t1": Shown(150.0, side_ratio=ratio)})})
    assert [caution.endswith(f": s t1 ({side}).") for caution in cautions] == [True] * bool(side)
