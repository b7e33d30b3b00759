"""The messages that are shown instead of a traceback."""

import errno
import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException, OverrideParseException

from brain_cae.cli.messages import groups, interrupted, message_for
from brain_cae.errors import DatasetError


def test_an_error_of_the_package_is_shown_unchanged() -> None:
    error = DatasetError("No scans.", where="/scans")
    assert message_for(error, "train", started=True) == str(error)


def test_an_argument_that_hydra_cannot_parse_is_quoted_for_the_shell() -> None:
    message = message_for(OverrideParseException("dataset.root=/a (1)", "mismatched input"), "train", started=False)
    assert message is not None and message.startswith("An argument cannot be parsed.")
    assert """'dataset.root="/a (1)"'""" in message


@pytest.mark.parametrize("value", ["/it's", '/a"b', "/a,b", "/x=1", "/{z} (y)"])
def test_the_quoted_argument_is_what_hydra_reads_as_the_value(value) -> None:
    message = message_for(OverrideParseException(f"dataset.root={value}", "mismatched input"), "train", started=False)
    assert message is not None
    (argument,) = shlex.split(message.partition("for the shell: ")[2].removesuffix("."))
    (override,) = OverridesParser.create().parse_overrides([argument])
    assert (override.key_or_group, override.value()) == ("dataset.root", value)


def test_a_comma_in_a_path_is_explained_as_such() -> None:
    error = ConfigCompositionException("Ambiguous value for argument 'dataset.root=/a,b'\n1. To use it as a list, …")
    message = message_for(error, "train", started=False)
    assert message is not None and message.startswith("An argument cannot be parsed.")
    assert """'dataset.root="/a,b"'. A list is written key=[a,b]""" in message


def test_spaces_around_the_sign_are_named() -> None:
    error = OverrideParseException("dataset.root", "mismatched input")
    assert "without spaces around the sign" in str(message_for(error, "train", started=False))


def unknown(key: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr("sys.argv", ["train.py", *arguments, f"{key}=3"])
    return str(message_for(ConfigCompositionException(f"Could not override '{key}'."), "train", started=False))


@pytest.mark.parametrize(
    ("key", "meant"), [("root", "dataset.root"), ("alpha", "scoring.alpha"), ("model.batch_size", "trainer.batch_size")]
)
def test_a_key_without_its_group_or_in_another_one_is_found(key, meant, monkeypatch) -> None:
    assert f"Did you mean `{meant}`?" in unknown(key, monkeypatch, "dataset=folder")


def test_a_key_of_another_option_of_the_group_names_the_options_that_have_it(monkeypatch) -> None:
    assert "that has it: dataset=folder | ixi.\n" in unknown("dataset.table", monkeypatch) + "\n"
    assert "that has it: executor=submitit_slurm." in unknown("executor.qos", monkeypatch, "executor=submitit_local")


def test_an_unknown_key_beside_an_option_of_another_package_gets_a_message(tmp_path, monkeypatch) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "plain.yaml").write_text("name: plain\nnetwork: {_target_: my_package.Plain, width: 4}\n")
    message = unknown("model.network.widht", monkeypatch, f"hydra.searchpath=[file://{tmp_path}]", "model=plain")
    assert "Did you mean `model.network.width`?" in message


@pytest.mark.parametrize(
    ("group", "there", "says"),
    [
        (
            "hydra/launcher",
            ["basic"],
            "no option `joblib`.\n  Expected: basic\n  In: hydra/launcher\n  What to do: `pip",
        ),
        ("scoring/score", ["residual", "my_joblib"], "Did you mean `scoring/score=my_joblib`?"),
    ],
)
def test_options_of_a_nested_group_are_those_that_hydra_finds(group, there, says) -> None:
    listed = "".join(f"\n\t{name}" for name in there)
    error = ConfigCompositionException(
        f"In 'train': Could not find '{group}/joblib'\n\nAvailable options:{listed}\nEnd"
    )
    assert says in str(message_for(error, "train", started=False))


def test_a_full_disk_is_explained_and_a_bug_is_not_hidden() -> None:
    full = message_for(OSError(errno.ENOSPC, "No space left on device", "/out/map.nii.gz"), "train", started=True)
    assert full is not None and "There is no room to write a file." in full and "/out/map.nii.gz" in full
    assert message_for(IndexError("list index out of range"), "train", started=True) is None
    assert message_for(ValueError("a defect"), "train", started=True) is None


def test_a_run_folder_that_cannot_be_created_is_explained_before_the_run_starts() -> None:
    error = OSError(errno.ENAMETOOLONG, "File name too long", "/out/long")
    message = message_for(error, "train", started=False)
    assert message is not None and "hydra.run.dir=" in message
    assert message_for(error, "train", started=True) is None


def test_ctrl_c_says_how_to_continue() -> None:
    assert "python train.py resume=outputs/1" in interrupted("train", [Path("outputs/1")])
    assert "same command again" in interrupted("evaluate", [Path("outputs/1")])
    assert "same command again" in interrupted("train", [])


def test_every_folder_with_options_is_a_group() -> None:
    assert {"dataset", "reshape", "classifier", "experiment"} <= groups()
    assert "hydra" not in groups()
