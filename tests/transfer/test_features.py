"""Features have the same length for every shape, and the values of their definitions."""

import numpy as np
import pandas as pd
import pytest

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.transfer import distance_features, encoder_features, residual_features, select_arm


def test_encoder_features_are_mask_statistics_of_each_channel() -> None:
    bottleneck = np.arange(2 * 3 * 4 * 5, dtype=float).reshape(2, 3, 4, 5)
    mask = np.zeros((3, 4, 5))
    mask[1, 1, 1:3] = 1
    features = encoder_features(bottleneck, mask)
    assert list(features) == ["encoder_mean_00", "encoder_mean_01", "encoder_std_00", "encoder_std_01"]
    assert features["encoder_mean_00"] == bottleneck[0, 1, 1, 1:3].mean()
    assert features["encoder_std_01"] == 0.5
    whole = encoder_features(bottleneck, np.zeros((3, 4, 5)))
    assert whole["encoder_mean_01"] == bottleneck[1].mean()
    assert encoder_features(bottleneck[:, :2], mask[:2]).keys() == features.keys()


def test_the_features_of_a_level_are_named_after_it() -> None:
    features = encoder_features(np.ones((1, 2, 2, 2)), np.ones((2, 2, 2)), level="level2")
    assert features == {"encoder_level2_mean_00": 1.0, "encoder_level2_std_00": 0.0}


def test_the_upper_distance_detects_a_place_that_the_mean_misses() -> None:
    z = np.zeros((2, 5, 5, 4))
    z[0, 0, 0] = -4.0  # 4 of 100 places
    z[0, 0, 1] = -4.0
    features = distance_features(z, np.ones((5, 5, 4)))
    assert features["distance_bottleneck_mean"] == pytest.approx(0.32 / np.sqrt(2))
    assert features["distance_bottleneck_q95"] == pytest.approx(4 / np.sqrt(2))
    outside = np.ones((5, 5, 4))
    outside[0] = 0
    assert distance_features(z, outside, level="level1") == {"distance_level1_mean": 0.0, "distance_level1_q95": 0.0}


def test_each_arm_selects_its_columns() -> None:
    columns = ["encoder_level1_mean_00", "encoder_mean_00", "distance_level1_q95", "residual_t1_q950", "acquisition_x"]
    frame = pd.DataFrame([range(5)], columns=columns)
    assert list(select_arm(frame, "encoder")) == ["encoder_mean_00", "acquisition_x"]
    assert list(select_arm(frame, "encoder", "all")) == [*columns[:2], "acquisition_x"]
    assert list(select_arm(frame, "distance", "all")) == ["distance_level1_q95", "acquisition_x"]
    assert list(select_arm(frame, "both")) == columns[1:]
    assert list(select_arm(frame, "both", "all")) == columns


def test_residual_features_are_signed_quantiles_with_a_joint_map() -> None:
    maps = np.zeros((2, 1000))
    maps[0, :10] = 9.0  # one percent of the voxels
    features = residual_features(maps, ["t1", "flair"])
    assert len(features) == 3 * 6
    assert features["residual_t1_q995"] == 9.0
    assert features["residual_t1_q950"] == 0.0
    assert features["residual_flair_q999"] == 0.0
    assert features["residual_joint_q995"] == 4.5
    dark = residual_features(-maps, ["t1", "flair"])
    assert dark["residual_t1_q999"] == 0.0


def test_wrong_grids_and_names_are_refused() -> None:
    with pytest.raises(DatasetError, match="grids"):
        encoder_features(np.zeros((1, 2, 2, 2)), np.ones((3, 3, 3)))
    with pytest.raises(DatasetError, match="number"):
        residual_features(np.zeros((1, 8)), ["t1", "flair"])


def test_select_arm() -> None:
    frame = pd.DataFrame({"encoder_mean_00": [1.0], "residual_t1_q990": [2.0], "age": [3.0]})
    assert list(select_arm(frame, "encoder")) == ["encoder_mean_00"]
    assert list(select_arm(frame, "both")) == ["encoder_mean_00", "residual_t1_q990"]
    with pytest.raises(ConfigurationError, match="encoder, distance, residual, both"):
        select_arm(frame, "pixels")
    with pytest.raises(DatasetError, match="residual"):
        select_arm(frame[["age"]], "residual")
