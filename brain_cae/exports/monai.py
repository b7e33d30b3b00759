"""The network as a MONAI bundle: metadata, a configuration that builds and loads it, and its weights."""

import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from brain_cae import __version__
from brain_cae.detector.build import network_stride
from brain_cae.detector.card import INTENDED, LIMITS
from brain_cae.exports import Export, first_network

OF = "model"
FOLDER = "export/monai"


def export(work: Export) -> list[Path]:
    """Write ``export/monai/``: ``configs/metadata.json``, ``configs/inference.json``, ``models/model.pt``.

    The bundle reconstructs prepared volumes. Scores, thresholds and maps need this program.
    """
    weights = io.BytesIO()
    torch.save(first_network(work.detector).state_dict(), weights)
    work.folder.write(f"{FOLDER}/models/model.pt", lambda path: path.write_bytes(weights.getvalue()))
    work.folder.write_json(f"{FOLDER}/configs/inference.json", _inference(work))
    work.folder.write_json(f"{FOLDER}/configs/metadata.json", _metadata(work))
    return [work.folder / FOLDER]


def _inference(work: Export) -> dict[str, Any]:
    """Return the configuration: ``load`` loads the weights, and ``reconstruct``, too, for volumes (N, C, X, Y, Z)."""
    config = work.detector.config
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "checkpoint": "$@bundle_root + '/models/model.pt'",
        "network_def": {**(config.model.network or {}), "in_channels": len(config.modality.names)},
        "network": "$@network_def.to(@device).eval()",
        "load": "$@network.load_state_dict(torch.load(@checkpoint, weights_only=True, map_location=@device))",
        "inferer": {"_target_": "SimpleInferer"},
        # An expression loads what it refers to first: without the weights, the network would be a random one.
        "reconstruct": "$(@load, torch.no_grad()(lambda volumes: @inferer(volumes.to(@device), @network)))[1]",
    }


def _metadata(work: Export) -> dict[str, Any]:
    """Return the metadata in the form of MONAI's schema for bundles."""
    config, stride = work.detector.config, network_stride(work.detector.network)
    names = list(config.modality.names)
    volume = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": len(names),
        "spatial_shape": [f"{stride}*n"] * 3,
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {str(number): name for number, name in enumerate(names)},
    }
    ours = str((config.model.network or {}).get("_target_")).startswith("brain_cae.")
    return {
        "version": __version__,
        "changelog": {__version__: "written by brain_cae"},
        "monai_version": version("monai"),
        "pytorch_version": version("torch").partition("+")[0],
        "numpy_version": version("numpy"),
        # The class of the network is imported from this package.
        "required_packages_version": {"brain-cae": __version__} if ours else {},
        "name": f"brain_cae {config.model.name}",
        "task": "Reconstruction of healthy brains in MRI, for the detection of gliomas",
        "description": f"A 3D autoencoder of {', '.join(names)}. It takes prepared volumes: RAS+, one grid, divided by "
        f"the {config.preprocess.scaling.replace('_', ' ')} inside the brain, 0 outside.",
        "authors": "",
        "copyright": "",
        "intended_use": INTENDED,
        "data_type": "NIfTI",
        "network_data_format": {"inputs": {"image": volume}, "outputs": {"pred": volume}},
        "limitations": " ".join(LIMITS),
    }
