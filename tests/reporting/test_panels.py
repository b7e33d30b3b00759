"""TensorBoard panel."""

from __future__ import annotations

import numpy as np
import pytest
from torch.utils.tensorboard import SummaryWriter

from brain_cae.reporting.panels import training_panel


@pytest.fixture
def stacks():
    random = np.random.default_rng(0)
    inputs = random.random((2, 2, 12, 14, 10)).astype(np.float32)
    reconstructions = inputs * 0.8
    return inputs, reconstructions, inputs - reconstructions


def test_one_row_for_each_brain_and_modality(stacks):
    figure = training_panel(*stacks, modalities=["t1", "flair"], spacing=(1, 1, 4))
    assert len(figure.axes) == 2 * 2 * 9
    assert [axis.get_ylabel() for axis in figure.axes[::9]] == ["1  t1", "1  flair", "2  t1", "2  flair"]


def test_the_first_input_names_the_sides_of_the_patient(stacks):
    figure = training_panel(*stacks, modalities=["t1", "flair"])
    letters = [[text.get_text() for text in axis.texts] for axis in figure.axes]
    assert letters[:3] == [["A", "P"], ["R", "L"], ["R", "L"]] and not any(letters[3:])


def test_scales_depend_only_on_the_inputs(stacks):
    inputs, reconstructions, residuals = stacks
    early = training_panel(inputs, reconstructions * 0.1, residuals * 50, modalities=["t1", "flair"])
    late = training_panel(inputs, reconstructions, residuals, modalities=["t1", "flair"])
    limits = [[axis.images[0].get_clim() for axis in figure.axes] for figure in (early, late)]
    assert limits[0] == limits[1]
    low, high = limits[0][8]
    assert low == -high


def test_the_aspect_ratio_is_that_of_the_patient(stacks):
    figure = training_panel(*stacks, modalities=["t1", "flair"], spacing=(1.0, 1.0, 4.0))
    left, right, bottom, top = figure.axes[0].images[0].get_extent()
    assert (right - left, bottom - top) == (14.0, 40.0)


def test_an_error_names_wrong_shapes(stacks):
    inputs, reconstructions, residuals = stacks
    with pytest.raises(ValueError, match=r"\(2, 2, 12, 14, 10\)"):
        training_panel(inputs, reconstructions, residuals[:1], modalities=["t1", "flair"])
    with pytest.raises(ValueError, match="1, X, Y, Z"):
        training_panel(inputs, reconstructions, residuals, modalities=["t1"])


def test_tensorboard_can_store_the_panel(stacks, tmp_path):
    writer = SummaryWriter(str(tmp_path))
    writer.add_figure("panel", training_panel(*stacks, modalities=["t1", "flair"]), 0)
    writer.close()
    assert any(path.stat().st_size > 10_000 for path in tmp_path.iterdir())
