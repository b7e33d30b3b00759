"""The configuration beside a model: plain values, or a named reason."""

import pytest

from brain_cae.configuration.stored import read_stored
from brain_cae.errors import ConfigurationError, RunError


def store(run, text):
    (run / "model").mkdir(parents=True, exist_ok=True)
    (run / "model" / "config.yaml").write_text(text)
    return run


def test_values_come_back_plain(tmp_path):
    assert read_stored(store(tmp_path, "seed: 3\nmodality:\n  names: [t1]\n")) == {
        "seed": 3,
        "modality": {"names": ["t1"]},
    }


def test_a_folder_without_a_model_is_no_run(tmp_path):
    with pytest.raises(RunError, match="still training"):
        read_stored(tmp_path)
    with pytest.raises(RunError, match="no such folder"):
        read_stored(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: ${other}", "no references"),
        ("- 1", "no table of keys"),
        ("seed: [1", "no table of keys"),
        ("", "no table"),
    ],
)
def test_what_is_no_table_of_plain_values_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigurationError, match=message):
        read_stored(store(tmp_path, text))
