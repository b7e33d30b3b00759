"""The network in ONNX gives the values of PyTorch at every shape."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from brain_cae.errors import ConfigurationError, RunError
from brain_cae.exports import Export, onnx
from brain_cae.files.run_folder import RunFolder


@pytest.fixture
def work(tiny_run, tmp_path) -> Export:
    from brain_cae.detector.storage import load

    return Export(load(tiny_run), tiny_run, RunFolder(tmp_path))


@pytest.mark.extras
def test_three_other_shapes_agree_with_pytorch(work, tmp_path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    (path,) = onnx.export(work)
    facts = json.loads((tmp_path / "export" / "network.json").read_text())
    session = runtime.InferenceSession(str(path))
    stride = facts["multiple_of"]
    for shape in ((3, 7, 4), (8, 4, 6), (4, 4, 4)):
        volumes = torch.randn(1, 2, *(stride * size for size in shape))
        with torch.inference_mode():
            expected = work.detector.network(volumes).numpy()
        (found,) = session.run(None, {facts["input"]["name"]: volumes.numpy()})
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert facts["channels"] == ["t1", "flair"] and facts["largest_difference_to_pytorch"] < 1e-4


def test_missing_packages_are_named(work, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'brain-cae\[export\]'"):
        onnx.export(work)


def test_a_network_with_other_values_is_not_kept(work, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(onnx, "_write", lambda detector, path: path.write_bytes(b"x"))
    monkeypatch.setattr(onnx, "_differences", lambda detector, path: [0.0, 2e-4])
    with pytest.raises(RunError, match=r"other values than PyTorch"):
        onnx.export(replace(work))
    assert not list((tmp_path / "export").glob("*"))
