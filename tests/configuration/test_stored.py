"""The configuration that is stored with a model: plain values, or an error with the reason."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from brain_cae.configuration.stored import as_typed, read_stored, write_choices
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
    ("path", "advice"),
    [
        ("3/model", "Did you mean run=sweep/3?"),
        ("3/checkpoints/best.ckpt", "Did you mean run=sweep/3?"),
        (".", "It holds 2 runs with a model; name one of them, such as run=sweep/3."),
        ("..", "It holds 2 runs with a model; name one of them, such as run=sweep/../sweep/3."),
        ("../far/one", "Did you mean run=sweep/../far/one/0?"),
        ("9", "Give a finished run"),
    ],
)
def test_a_path_in_a_run_or_above_some_names_the_run(tmp_path, monkeypatch, path, advice):
    monkeypatch.chdir(tmp_path)
    for job in ("3", "4"):
        store(Path("sweep") / job, "seed: 3")
    store(Path("far/one/0"), "seed: 3")
    Path("sweep/3/checkpoints").mkdir()
    Path("sweep/3/checkpoints/best.ckpt").touch()
    with pytest.raises(RunError) as caught:
        read_stored(Path("sweep") / path)
    assert caught.value.advice is not None and caught.value.advice.startswith(advice)


VALUES = ["C:\\new\\", 'a "b" \\"', "~ ü, (x) ${y}", "1", "", None, True, 1e-5, [["a,b"], {"t1": "it's"}]]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_as_typed_is_what_hydra_reads(value):
    assert OverridesParser.create().parse_override(f"++key={as_typed(value)}").value() == value


def test_the_choices_of_another_run_stay(tmp_path):
    for seed in (3, 4):
        write_choices(tmp_path, {"seed": seed}, {"dataset": "folder"}, {"seed": seed})
        (tmp_path / "status.json").touch()
    assert (tmp_path / ".hydra" / "config.yaml").read_text() == "seed: 3\n"
    assert (tmp_path / ".hydra" / "overrides.yaml").read_text() == "- dataset=folder\n- ++seed=3\n"


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
