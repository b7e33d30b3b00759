"""From the keys of a dataset to its source."""

from pathlib import Path

from brain_cae.configuration import dataset_option
from brain_cae.configuration.conversion import fit_option
from brain_cae.scans.sources.build import make_source
from brain_cae.scans.sources.folder import Folder
from brain_cae.scans.sources.phantom import Phantom


def test_a_source_gets_its_keys_and_what_it_takes_of_the_run() -> None:
    run = {"modalities": ["t1"], "workers": 3, "limit": 5, "progress": False, "write": False}
    phantom = make_source(dataset_option("phantom", root="/cache", seed=7), **run)
    assert isinstance(phantom, Phantom)
    assert (phantom.seed, phantom.workers, phantom.subjects, phantom.write) == (7, 3, 5, False)
    folder = make_source(dataset_option("folder", root="/scans", label="healthy"), **run)
    assert isinstance(folder, Folder)
    assert (folder.root, folder.label, folder.modalities) == ("/scans", "healthy", ("t1",))


def test_a_tilde_is_the_home_folder() -> None:
    source = make_source(dataset_option("folder", root="~/scans"), modalities=["t1"])
    assert isinstance(source, Folder) and source.root == str(Path.home() / "scans")


def test_a_combined_source_has_sources_as_parts() -> None:
    parts = {"clinic": {"name": "folder", "root": "/a", "table": None, "label": None, "skull": "on"}}
    keys = {"name": "combined", "parts": parts, "test_only": ["clinic"]}
    combined = make_source(fit_option("dataset", keys, "dataset", []), modalities=["t1", "flair"])
    assert [type(part) for part in combined.parts.values()] == [Folder]
    assert combined.parts["clinic"].modalities == ("t1", "flair") and combined.test_only == ["clinic"]
