"""Skull strippers: which are required, and masks that no brain has."""

import nibabel
import numpy as np
import pytest

from brain_cae.data import strippers
from brain_cae.data.strippers import STRIPPERS, brain_mask, require_stripper
from brain_cae.errors import ConfigurationError, ScanError


@pytest.mark.parametrize("name", STRIPPERS)
def test_a_missing_tool_stops_the_run_before_it_starts(tmp_path, monkeypatch, name):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=STRIPPERS[name].command) as raised:
        require_stripper(name)
    assert "install" in str(raised.value).lower() and "preprocess.skull_strip" in str(raised.value)


def test_missing_weights_stop_the_run_too(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / STRIPPERS["hd_bet"].command).touch(0o755)
    with pytest.raises(ConfigurationError, match="without its weights"):
        require_stripper("hd_bet")


def test_deepbet_is_required_only_for_heads(monkeypatch):
    monkeypatch.setattr(strippers, "deepbet_installed", lambda: False)
    require_stripper("none", ["a"])
    require_stripper("deepbet")
    with pytest.raises(ConfigurationError, match="deepbet is not installed") as raised:
        require_stripper("deepbet", ["a", "b"])
    assert "2 subjects to strip, such as a, b" in str(raised.value)
    assert "pip install 'brain-cae[strip]'" in str(raised.value)
    monkeypatch.setattr(strippers, "deepbet_installed", lambda: True)
    require_stripper("deepbet", ["a"])


@pytest.mark.parametrize(
    ("slices", "radius_mm", "accepted"),
    [
        (80, 70, True),  # a whole brain, 1437 mL
        (80, 45, False),  # 382 mL
        (80, 85, False),  # 2572 mL
        (7, 70, True),  # a slab of 21 mm, 320 mL
        (7, 12, False),  # 7 mL of such a slab, which shows at least 12 mL
    ],
)
def test_a_mask_of_a_volume_that_no_brain_has_is_refused(tmp_path, monkeypatch, slices, radius_mm, accepted):
    affine = np.diag([3.0, -3.0, 3.0, 1.0])
    x, y, z = (3 * (np.arange(size) - (size - 1) / 2) for size in (80, 80, slices))
    ball = x[:, None, None] ** 2 + y[:, None] ** 2 + z**2 < radius_mm**2
    nibabel.save(nibabel.Nifti1Image(ball.astype(np.float32), affine), tmp_path / "scan.nii")

    class Extraction:
        def run(self, image):
            assert image.get_data_dtype() == np.float32 and image.ndim == 3
            return image, nibabel.Nifti1Image((np.asarray(image.dataobj) > 0).astype(np.uint8), image.affine), 0.0

    monkeypatch.setattr(strippers, "_extraction", Extraction)
    if accepted:
        mask = brain_mask("deepbet", tmp_path / "scan.nii", tmp_path)
        assert np.array_equal(np.asarray(mask.dataobj) > 0, ball) and np.allclose(mask.affine, affine)
    else:
        with pytest.raises(ScanError, match="skull stripping failed"):
            brain_mask("deepbet", tmp_path / "scan.nii", tmp_path)


def test_a_scan_in_which_deepbet_finds_nothing_is_refused(tmp_path, monkeypatch):
    nibabel.save(nibabel.Nifti1Image(np.eye(8, dtype=np.float32)[None].repeat(8, 0), np.eye(4)), tmp_path / "scan.nii")

    class Extraction:
        def run(self, image):
            raise AssertionError("Not enough foreground to calculate bounding box")

    monkeypatch.setattr(strippers, "_extraction", Extraction)
    with pytest.raises(ScanError, match="skull stripping failed") as raised:
        brain_mask("deepbet", tmp_path / "scan.nii", tmp_path)
    assert "Not enough foreground" in str(raised.value)
