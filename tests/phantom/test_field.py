import numpy as np
import pytest

from brain_cae.phantom.field import random_field


def test_field_has_unit_variance_and_is_smooth() -> None:
    axes = tuple(np.arange(-80, 81, 4.0) for _ in range(3))
    field = random_field(axes, 12, np.random.default_rng(0))
    assert field.shape == (41, 41, 41)
    assert field.mean() == pytest.approx(0, abs=0.1)
    assert field.std() == pytest.approx(1, abs=0.1)
    assert np.abs(np.diff(field, axis=0)).mean() < 0.5


def test_field_does_not_depend_on_the_sampling_grid() -> None:
    wide = random_field(tuple(np.arange(-40, 41, 2.0) for _ in range(3)), 20, np.random.default_rng(1))
    narrow = random_field(tuple(np.arange(-20, 21, 2.0) for _ in range(3)), 20, np.random.default_rng(1))
    np.testing.assert_allclose(wide[10:31, 10:31, 10:31], narrow, atol=1e-5)
