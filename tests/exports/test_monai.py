"""MONAI builds the network of a bundle and loads its weights."""

import json

import torch
from monai.bundle import ConfigParser

from brain_cae import __version__
from brain_cae.detector.storage import load
from brain_cae.exports import Export, monai
from brain_cae.files.run_folder import RunFolder


def test_monai_builds_the_network_with_its_weights(tiny_run, tmp_path) -> None:
    detector = load(tiny_run)
    (folder,) = monai.export(Export(detector, tiny_run, RunFolder(tmp_path)))
    parser = ConfigParser()
    parser.read_config(folder / "configs" / "inference.json")
    parser.read_meta(folder / "configs" / "metadata.json")
    parser["bundle_root"], parser["device"] = str(folder), "cpu"
    network = parser.get_parsed_content("network")
    assert str(parser.get_parsed_content("load")) == "<All keys matched successfully>"
    volumes = torch.randn(1, 2, 32, 32, 16)
    with torch.inference_mode():
        torch.testing.assert_close(parser.get_parsed_content("reconstruct")(volumes), detector.network(volumes))
    assert network.training is False
    again = ConfigParser()
    again.read_config(folder / "configs" / "inference.json")
    again["bundle_root"], again["device"] = str(folder), "cpu"
    # Neither the weights need be asked for, nor that no gradients are kept.
    reconstructed = again.get_parsed_content("reconstruct")(volumes)
    assert not reconstructed.requires_grad
    torch.testing.assert_close(reconstructed, detector.network(volumes).detach())
    metadata = json.loads((folder / "configs" / "metadata.json").read_text())
    assert metadata["required_packages_version"] == {"brain-cae": __version__}
    assert metadata["network_data_format"]["inputs"]["image"]["channel_def"] == {"0": "t1", "1": "flair"}
