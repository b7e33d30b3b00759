"""A run, model or checkpoint that cannot be used."""

import pickle
import shutil
import zipfile

import pytest


class Foreign:
    """A class that unpickling must not instantiate."""


@pytest.fixture
def model(tiny_run, tmp_path):
    """A copy of the model of a finished run, to be damaged."""
    shutil.copytree(tiny_run / "model", tmp_path / "old" / "model")
    return tmp_path / "old" / "model"


def test_no_run(run, says):
    done = run("evaluate")
    assert done.code == 1
    says("run", "no run with a model in `outputs`", done.error)
    assert "There is no run with a model." in done.error


def test_a_run_folder_without_a_model(run, says, tmp_path):
    (tmp_path / "old").mkdir()
    says("run", "`run=` names a run without a model", run("evaluate", f"run={tmp_path / 'old'}").error)
    done = run("evaluate", f"run={tmp_path / 'nowhere'}")
    says("run", "`run=` names a folder that does not exist", done.error)
    assert done.code == 1 and "no such folder" in done.error


def test_a_bundle_that_cannot_be_used(run, says, tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(b"PK half a file")
    done = run("evaluate", f"run={path}", "dataset=phantom")
    assert done.code == 1
    says("run", "`run=` names a damaged bundle", done.error)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", '{"format": "brain_cae bundle", "version": 2, "files": {}}')
    says("run", "`run=` names a bundle of another version", run("evaluate", f"run={path}", "dataset=phantom").error)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def cut_a_key(path):
    """Leave a mapping that ends before its last keys: where half of the file ends depends on every key."""
    path.write_text(path.read_text().partition("\nfeatures:")[0] + "\n")


def replace_by_pickle(path):
    path.write_bytes(pickle.dumps(Foreign()))


def name_another_class(path):
    text = path.read_text()
    path.write_text(text.replace("brain_cae.models.subpixel.SubpixelAutoencoder", "os.system"))


@pytest.mark.parametrize(
    ("case", "name", "harm"),
    [
        ("`network.ckpt` of a model is truncated", "network.ckpt", truncate),
        ("`network.ckpt` of a model was written by another program", "network.ckpt", replace_by_pickle),
        ("`calibration.npz` of a model is truncated", "calibration.npz", truncate),
        ("`classifier.skops` of a model is truncated", "classifier.skops", truncate),
        ("`config.yaml` of a model is truncated", "config.yaml", cut_a_key),
        ("`config.yaml` of a model names a class of another package", "config.yaml", name_another_class),
    ],
)
def test_a_damaged_model_is_named(run, says, tmp_path, model, case, name, harm):
    harm(model / name)
    done = run("evaluate", f"run={model.parent}", f"cache={tmp_path}")
    assert done.code == 1
    says("run", case, done.error)
    assert str(model / name) in done.error


def test_an_unusable_checkpoint_is_named(run, says, tmp_path, tiny_run):
    says("run", "`resume=` does not name a run", run("train", f"resume={tmp_path}").error)
    old = tmp_path / "old"
    shutil.copytree(tiny_run / "checkpoints", old / "checkpoints")
    (old / ".hydra").mkdir()
    done = run("train", "--cfg", "job", "--resolve")
    (old / ".hydra" / "config.yaml").write_text(done.text)
    for case, harm in (("is truncated", truncate), ("was written by another program", replace_by_pickle)):
        harm(old / "checkpoints" / "last.ckpt")
        done = run("train", f"resume={old}")
        assert done.code == 1
        says("run", f"`resume=` names a run whose `last.ckpt` {case}", done.error)
        assert "last.ckpt" in done.error
