"""Stored findings are loaded only for the same brain and the same detector."""

import errno
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from brain_cae.detector.findings import examine
from brain_cae.detector.findings_cache import FindingsCache
from brain_cae.detector.storage import load, save
from brain_cae.errors import StorageError


def test_findings_are_loaded_completely(detector, ill, make_subject, tmp_path: Path) -> None:
    for brain in (ill, make_subject("other", seed=78)):
        findings = examine(detector, brain)[0]
        store = FindingsCache(tmp_path, detector)
        assert store.load(brain) is None
        store.keep(brain, findings)
        again = store.load(brain)
        assert again is not None and again.localisation.keys() == findings.localisation.keys()
        assert (again.subject, again.group) == (findings.subject, findings.group)
        for part in ("scores", "p_values", "features", "reconstruction", "lesions", "lesion_counts"):
            assert getattr(again, part) == getattr(findings, part), part
        for name, localisation in findings.localisation.items():
            assert again.localisation[name].dice == localisation.dice
            np.testing.assert_array_equal(again.localisation[name].overlaps, localisation.overlaps)
        spacing = again.distortion.pop("network_spacing"), findings.distortion.pop("network_spacing")
        np.testing.assert_array_equal(*spacing)
        assert again.distortion == findings.distortion


def test_a_stored_model_is_the_same_detector(detector, ill, tmp_path: Path) -> None:
    FindingsCache(tmp_path, detector).keep(ill, examine(detector, ill)[0])
    save(detector, tmp_path / "model")
    assert FindingsCache(tmp_path, load(tmp_path)).load(ill) is not None


@pytest.mark.parametrize(("code", "ends"), [(errno.EROFS, False), (errno.ENOSPC, True)])
def test_a_cache_that_may_only_be_read_costs_nothing_and_a_full_disk_ends_the_run(
    detector, ill, tmp_path: Path, monkeypatch, code: int, ends: bool
) -> None:
    def refuse(path, *_, **__):
        raise OSError(code, os.strerror(code), str(path))

    findings, store = examine(detector, ill)[0], FindingsCache(tmp_path, detector)
    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(StorageError) if ends else nullcontext():
        store.keep(ill, findings)
    assert store.load(ill) is None


@pytest.mark.parametrize("changed", ["weights", "reference", "percentile", "image", "lesion", "dimensions", "place"])
def test_another_model_or_another_image_has_no_stored_findings(
    detector, ill, make_subject, tmp_path: Path, changed: str
) -> None:
    FindingsCache(tmp_path, detector).keep(ill, examine(detector, ill)[0])
    if changed == "weights":
        with torch.no_grad():
            next(detector.network.parameters()).view(-1)[0] += 1e-6
    elif changed == "reference":
        detector.calibrate([make_subject(f"local{seed}", seed=200 + seed) for seed in range(6)])
    elif changed == "percentile":
        detector.config.scoring.percentile = 99.0
    elif changed == "image":
        ill.volume[0, 12, 14, 10] += 1e-3
    elif changed == "dimensions":  # the same brain in a wider scan
        ill = replace(ill, whole=(40, 28, 20))
    elif changed == "place":
        ill = replace(ill, to_template=None)
    else:
        ill.lesion[12, 14, 10] = False
    assert FindingsCache(tmp_path, detector).load(ill) is None


def test_a_damaged_file_is_ignored_and_names_of_subjects_are_not_stored(detector, ill, tmp_path: Path) -> None:
    store = FindingsCache(tmp_path, detector)
    store.keep(ill, examine(detector, ill)[0])
    (path,) = tmp_path.rglob("*.json")
    assert "Jane" not in path.read_text()
    for content in ("", "{}", "[1]", path.read_text()[:-200]):
        path.write_text(content)
        assert store.load(ill) is None
