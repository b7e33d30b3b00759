"""A detector is stored completely, loaded without executing code, and damaged files are named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brain_cae.detector.findings import examine
from brain_cae.detector.storage import load, save
from brain_cae.errors import RunError
from brain_cae.vocabulary import Serious


@pytest.fixture
def run(detector, tmp_path: Path) -> Path:
    save(detector, tmp_path / "model")
    return tmp_path


def test_a_loaded_detector_gives_the_same_scores(detector, run, ill) -> None:
    before, again = examine(detector, ill)[0], examine(load(run), ill)[0]
    assert again.scores == pytest.approx(before.scores, rel=1e-5)
    assert again.p_values == before.p_values
    assert load(run).fingerprint() == detector.fingerprint()
    detector.prints = np.arange(1024, dtype=np.float32).reshape(2, 512)
    save(detector, run / "model")
    assert load(run).prints.tolist() == detector.prints.tolist()


@pytest.mark.parametrize("choices", [
    ("model=subspace",), ("model=subspace", "model.members=[cae]"), ("model.members=[subspace,cae]",),
    ("model.members=[]",),
])  # fmt: skip
def test_every_kind_of_model_is_stored(choices, make_detector, ill, tmp_path: Path) -> None:
    detector = make_detector(*choices, brains=9)
    save(detector, tmp_path / "model")
    weights = {path.name for path in (tmp_path / "model").glob("*.ckpt")}
    assert ("network.ckpt" in weights) is ("model=subspace" not in choices)
    assert ("1_cae.ckpt" in weights) is any("cae" in choice for choice in choices)
    parts = {"model=subspace": 1, "model=subspace model.members=[cae]": 2, "model.members=[]": 1}
    reconstruction = detector.reconstruct(ill)
    assert len(reconstruction.volumes) == parts.get(" ".join(choices), 3)
    # The image itself is what a part without network leaves.
    assert (not reconstruction.volumes[0].any()) is ("model=subspace" in choices)
    before, again = examine(detector, ill), examine(load(tmp_path), ill)
    assert again[0].scores == pytest.approx(before[0].scores, rel=1e-5)
    assert again[0].features == pytest.approx(before[0].features, rel=1e-4, abs=1e-5)
    assert before[1].shape == (2, ill.mask.sum()) and before[2].shape == (ill.mask.sum(),)
    assert load(tmp_path).fingerprint() == detector.fingerprint()
    assert before[0].reconstruction["l1"] < 2


@pytest.mark.parametrize("name", ["network.ckpt", "calibration.npz"])
def test_a_damaged_file_is_named(run, name: str) -> None:
    (run / "model" / name).write_bytes(b"PK half a file")
    with pytest.raises(RunError, match="cannot be read") as raised:
        load(run)
    assert raised.value.where == str(run / "model" / name)


def test_files_of_two_models_are_not_one(make_detector, run, tmp_path: Path) -> None:
    save(make_detector(), tmp_path / "other" / "model")
    for name in ("network.ckpt", "calibration.npz"):
        mine, other = run / "model" / name, tmp_path / "other" / "model" / name
        kept = mine.read_bytes()
        assert kept != other.read_bytes()
        mine.write_bytes(other.read_bytes())
        with pytest.raises(RunError, match="a file of another model") as raised:
            load(run)
        assert raised.value.where == str(run / "model" / "network.ckpt")
        mine.write_bytes(kept)
    load(run)


def test_a_classifier_that_was_not_copied_is_missed(detector, tmp_path: Path) -> None:
    (tmp_path / "fitted").write_bytes(b"a classifier")
    detector.classifier = object()
    save(detector, tmp_path / "model", classifier=tmp_path / "fitted")
    (tmp_path / "model" / "classifier.skops").unlink()
    with pytest.raises(RunError, match="no such file") as raised:
        load(tmp_path)
    assert raised.value.where == str(tmp_path / "model" / "classifier.skops")


def test_pickled_arrays_are_refused(run) -> None:
    np.savez(run / "model" / "calibration.npz", facts=np.asarray([{"seen": {}}], dtype=object))
    with pytest.raises(RunError, match=r"calibration\.npz"):
        load(run)


@pytest.mark.parametrize("target", ["os.system", "torch.nn.Identity", "brain_cae_elsewhere.Network"])
def test_a_class_of_another_package_is_refused(run, target: str) -> None:
    path = run / "model" / "config.yaml"
    path.write_text(path.read_text().replace("brain_cae.models.subpixel.SubpixelAutoencoder", target))
    with pytest.raises(RunError, match="cannot be read"):
        load(run)


def test_an_incompletely_written_model_is_not_loaded(run) -> None:
    (run / "model" / "config.yaml").unlink()
    with pytest.raises(RunError, match="no model"):
        load(run)


def test_a_serious_caution_of_a_model_stays_serious(detector, tmp_path: Path) -> None:
    save(replace(detector, cautions=[Serious("diverged"), "coarse"]), tmp_path / "model")
    cautions = load(tmp_path).cautions
    assert cautions == ["diverged", "coarse"]
    assert [isinstance(caution, Serious) for caution in cautions] == [True, False]
