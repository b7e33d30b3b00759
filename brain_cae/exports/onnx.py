"""The network in ONNX, for runtimes without PyTorch; reference, thresholds and classifier are not part of it."""

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from brain_cae.detector.build import network_stride
from brain_cae.detector.detector import Detector
from brain_cae.errors import ConfigurationError, RunError
from brain_cae.exports import Export, first_network

OF = "model"
NEEDED = ("onnx", "onnxscript", "onnxruntime")
INPUT, OUTPUT = "scans", "reconstruction"
LARGEST_DIFFERENCE = 1e-4
SHAPES = ((4, 5, 6), (5, 4, 4), (6, 6, 5))
"""Shapes at which the written network is compared with PyTorch, in strides."""


def export(work: Export) -> list[Path]:
    """Write ``export/network.onnx`` and ``export/network.json``, which says what goes in.

    The network takes (1, C, X, Y, Z) with X, Y and Z of any multiple of its stride. Before it is kept, it is compared
    with PyTorch at three shapes.

    Raises:
        ConfigurationError: The packages of the extra ``export`` are not installed.
        RunError: The written network gives other values.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            "export=onnx needs packages that are not installed.",
            expected=", ".join(NEEDED),
            found=f"without {', '.join(missing)}",
            where="export",
            advice="Install them: pip install 'brain-cae[export]'.",
        )
    path = work.folder / "export" / "network.onnx"
    differences: list[float] = []

    def write(aside: Path) -> None:
        _write(work.detector, aside)
        differences.extend(_differences(work.detector, aside))
        if max(differences) > LARGEST_DIFFERENCE:
            raise RunError(
                "The network in ONNX gives other values than PyTorch.",
                expected=f"differences of at most {LARGEST_DIFFERENCE:g}",
                found=f"{max(differences):.2g}",
                where=str(path),
                advice="Use the bundle (export=model.zip) with this program.",
            )

    work.folder.write("export/network.onnx", write)
    config, stride = work.detector.config, network_stride(work.detector.network)
    work.folder.write_json(
        "export/network.json",
        {
            "input": {"name": INPUT, "shape": [1, len(config.modality.names), "X", "Y", "Z"], "type": "float32"},
            "output": {"name": OUTPUT, "shape": [1, len(config.modality.names), "X", "Y", "Z"], "type": "float32"},
            "channels": list(config.modality.names),
            "axes": "RAS+",
            "multiple_of": stride,
            "intensities": f"divided by the {config.preprocess.scaling.replace('_', ' ')} inside the brain, 0 outside",
            "reshape": work.detector.reshape.state(),
            "largest_difference_to_pytorch": max(differences),
        },
    )
    return [path]


def _write(detector: Detector, path: Path) -> None:
    network = first_network(detector).cpu()
    stride = network_stride(network)
    example = torch.zeros(1, len(detector.config.modality.names), *(stride * size for size in SHAPES[0]))
    free = dict.fromkeys((2, 3, 4), torch.export.Dim.DYNAMIC)
    with _silent():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes=(free,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        )
    assert program is not None
    path.write_bytes(program.model_proto.SerializeToString(deterministic=True))


def _differences(detector: Detector, path: Path) -> list[float]:
    """Return the largest difference to PyTorch at each of ``SHAPES``."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    network = first_network(detector)
    generator, stride = torch.Generator().manual_seed(0), network_stride(network)
    differences = []
    for shape in SHAPES:
        volumes = torch.randn(
            1, len(detector.config.modality.names), *(stride * size for size in shape), generator=generator
        )
        with torch.inference_mode():
            expected = network(volumes).numpy()
        (found,) = session.run([OUTPUT], {INPUT: volumes.numpy()})
        differences.append(float(np.abs(expected - found).max()))
    return differences


@contextmanager
def _silent() -> Iterator[None]:
    """Silence the exporter's remarks on packages and classes that play no part here."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)
