from dataclasses import replace

import numpy as np
import pytest

from brain_cae.errors import ConfigurationError
from brain_cae.phantom import PhantomSettings, simulate_subject
from brain_cae.phantom.dimensions import SLICES, vary_dimensions
from brain_cae.phantom.protocol import PROTOCOLS


def test_slices_and_matrices_vary_and_cover_the_same_head() -> None:
    for protocol in PROTOCOLS:
        series = protocol.series["flair"]
        drawn = [vary_dimensions(series, np.random.default_rng(seed)) for seed in range(60)]
        assert {one.slices[0] for one in drawn} == set(SLICES[series.dimensionality])
        assert len({one.rows for one in drawn}) == 3
        for one in drawn:
            assert one.slices[0] * one.slice_step_mm == pytest.approx(series.slices[1] * series.slice_step_mm, rel=1e-3)
            assert one.rows * one.pixel_mm == pytest.approx(series.rows * series.pixel_mm, rel=0.03)
            assert one.thickness_mm / one.slice_step_mm == pytest.approx(
                series.thickness_mm / series.slice_step_mm, rel=1e-3
            )
            same = {"rows": 0, "columns": 0, "pixel_mm": 0, "slices": 0, "slice_step_mm": 0, "thickness_mm": 0}
            assert replace(one, **same) == replace(series, **same)


def test_the_default_cohort_keeps_its_key() -> None:
    assert PhantomSettings(abnormal_fraction=0.333333).key() == "9d98d0864752ac69"  # of conf/dataset/phantom.yaml
    assert PhantomSettings(dimensions="varied").key() != PhantomSettings().key()
    with pytest.raises(ConfigurationError, match=r"dataset\.dimensions"):
        PhantomSettings(dimensions="other")


def test_a_varied_subject_is_the_same_person_on_another_scanner_setting() -> None:
    plain, varied = (
        simulate_subject(PhantomSettings(subjects=6, seed=3, dimensions=name), 2, modalities=("flair",))
        for name in ("protocols", "varied")
    )
    assert (plain.age, plain.sex, plain.protocol.name) == (varied.age, varied.sex, varied.protocol.name)
    mine, theirs = varied.series["flair"], plain.series["flair"]
    assert mine.pixels.shape[0] == mine.settings.slices[0]
    assert mine.pixels.shape != theirs.pixels.shape
    litres = [
        (series.pixels > 0).sum() * abs(np.linalg.det(series.grid.affine[:3, :3])) / 1e6 for series in (mine, theirs)
    ]
    assert litres[0] == pytest.approx(litres[1], rel=0.1)
