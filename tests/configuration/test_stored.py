"""The configuration that is stored with a model: plain values, or an error with the reason."""

import pytest

from brain_cae.configuration.stored import read_stored
from brain_cae.errors import ConfigurationError, RunError


def store(run, text):
    (run / "model").mkdir(parents=True, exist_ok=True)
    (run / "model" / "config.yaml").write_text(text)
    return run


def test_values_are_read_as_plain_python_values(tmp_path):
    assert read_stored(store(tmp_path, "seed: 3\nmodality:\n  names: [t1]\n")) == {
        "seed": 3,
        "modality": {"names": ["t1"]},
    }


def test_a_folder_without_a_model_is_not_a_run(tmp_path):
    with pytest.raises(RunError, match="still training"):
        read_stored(tmp_path)
    with pytest.raises(RunError, match="no such folder"):
        read_stored(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: ${other}", "contains a reference"),
        ('seed: "\\x24{oc.env:HOME}"', "contains a reference"),
        ("seed: !!python/object/apply:os.getcwd []", "damaged"),
        ("a: &a [1]\nb: *a", "damaged"),
        ("[" * 5000, "damaged"),
        ("- 1", "no mapping"),
        ("seed: [1", "damaged"),
        ("", "no mapping"),
    ],
)
def test_anything_but_a_mapping_of_plain_values_is_refused(tmp_path, text, message):
    with pytest.raises((ConfigurationError, RunError), match=message):
        read_stored(store(tmp_path, text))


def test_keys_that_came_later_have_the_values_of_before(tmp_path):
    stored = read_stored(
        store(tmp_path, "reshape: {name: modal, _target_: brain_cae.reshape.modal.Modal}\npreprocess: {}")
    )
    assert stored["reshape"]["crop"] == "none" and stored["preprocess"]["space"] == "box"
    scoring = read_stored(store(tmp_path, "scoring: {alpha: 0.1}"))["scoring"]
    assert scoring["samples_per_deviation"] == 0 and scoring["statistic"] == "percentile"
    foreign = read_stored(store(tmp_path, "reshape: {name: native, _target_: my_package.Native}"))
    assert "crop" not in foreign["reshape"]
