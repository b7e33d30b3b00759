"""Every command that the README shows: it composes, its targets exist, and (in the long run) it reaches its end."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from brain_cae.configuration import Config, EvaluateConfig, conf_folder, validate, validate_evaluate

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"<[^>\s]*>|…|\.\.\.")  # what the reader is to fill in
COMMANDS = ("python train.py", "python evaluate.py", "make ", "make")


def commands(text: str) -> list[str]:
    """The commands inside ```bash fences that are ours; a line that ends in a backslash goes on."""
    found = []
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.strip().removeprefix("$ ")
            if words in COMMANDS or words.startswith(tuple(f"{start.strip()} " for start in COMMANDS)):
                found.append(" ".join(shlex.split(words, comments=True)) if '"' not in words else words.split("  #")[0])
    return list(dict.fromkeys(found))


SHOWN = commands(README.read_text(encoding="utf-8")) if README.is_file() else []


def arguments(command: str) -> list[str]:
    """What follows the script: ``make train ARGS="a=b"`` is ``python train.py a=b``."""
    words = shlex.split(command)
    if words[0] == "make":
        given = [word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")]
        return shlex.split(given[0]) if given else []
    return words[2:]


def overrides(command: str) -> list[str]:
    """Hydra's overrides of a command: choices of a sweep singled out, places to fill in filled in."""
    given = [word for word in arguments(command) if not word.startswith("-")]
    first = [re.sub(r"=([^\[{(]*?),.*$", r"=\1", word) for word in given]
    return [PLACE.sub("place", word) for word in first if not word.startswith("hydra")]


def script(command: str) -> str | None:
    """``train`` or ``evaluate``; None for what is neither."""
    words = shlex.split(command)
    if words[:2] == ["make", "train"]:
        return "train"
    return words[1].removesuffix(".py") if words[0] == "python" else None


def check(command: str) -> Config | EvaluateConfig | None:
    """Compose and validate a command's configuration; a make target has to exist.

    Raises:
        ConfigurationError: A key or value is wrong.
        HydraException: A key or option does not exist.
    """
    words = shlex.split(command)
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = [word for word in words[1:] if "=" not in word]
        assert set(named) <= targets, f"the Makefile has no {sorted(set(named) - targets)}"
    name = script(command)
    if name is None:
        return None
    flags = {word for word in arguments(command) if word.startswith("-")}
    assert flags <= {"-m", "--multirun", "--help", "--cfg", "--hydra-help"}, f"unknown options {flags}"
    given = [word for word in overrides(command) if "=" in word]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose(name, overrides=given)
    OmegaConf.to_container(composed, resolve=False)
    return validate(composed) if name == "train" else validate_evaluate(composed)


def test_the_readme_shows_how_to_train_and_to_evaluate() -> None:
    assert {script(command) for command in SHOWN} >= {"train", "evaluate"}


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_of_the_readme_is_valid(command: str) -> None:
    check(command)


EXAMPLE = """
Some words about `python train.py nothing=here`.

```bash
git clone somewhere && cd brain_cae
make setup                                  # once
make train ARGS="modality=flair seed=1"
$ python train.py modality=t1_flair \\
    reshape=clustered     # both
python train.py -m seed=0,1,2 model.network.channels=[4,8,16,32]
python evaluate.py run=outputs/<date>/<time> dataset=folder dataset.root=/scans
tensorboard --logdir outputs
```

```python
python train.py not=this
```
"""


def test_commands_are_found_in_a_document() -> None:
    found = commands(EXAMPLE)
    assert [script(command) for command in found] == [None, "train", "train", "train", "evaluate"]
    assert overrides(found[1]) == ["modality=flair", "seed=1"]
    assert overrides(found[2]) == ["modality=t1_flair", "reshape=clustered"]
    assert overrides(found[3]) == ["seed=0", "model.network.channels=[4,8,16,32]"]
    assert overrides(found[4]) == ["run=outputs/place/place", "dataset=folder", "dataset.root=/scans"]
    for command in found:
        check(command)


@pytest.mark.parametrize(
    "command",
    [
        "python train.py reshape=nothing", "python train.py seeed=1", "python train.py scoring.alpha=2", "make nothing",
        "python train.py --nothing", "python evaluate.py seed=1", 'make train ARGS="modality=pet"',
    ],
)  # fmt: skip
def test_a_command_that_cannot_work_is_found_out(command: str) -> None:
    with pytest.raises(Exception, match=r"nothing|seeed|alpha|seed|pet"):
        check(command)


@pytest.mark.soak
@pytest.mark.parametrize("command", [command for command in SHOWN if script(command)])
def test_a_command_of_the_readme_runs(command: str, tiny_overrides: list[str], tiny_run: Path, tmp_path: Path) -> None:
    """On a tiny phantom: the command's own choices first, then what makes them small."""
    name, given = script(command), arguments(command)
    cache = next(item for item in tiny_overrides if item.startswith("cache="))
    phantom = next(Path(cache.removeprefix("cache=")).glob("phantom/*"))
    if any(word.startswith("-") and word not in ("-m", "--multirun") for word in given):
        small: list[str] = []
    elif name == "train":
        small = [*(item for item in tiny_overrides if item != "trainer=cpu"), "trainer.max_epochs=1"]
        small += ["trainer.accelerator=cpu", "evaluation.permutations=1", "evaluation.maps=false", "evaluation.views=1"]
    else:
        small = [cache]
    real = {"run": str(tiny_run), "resume": str(tiny_run), "dataset": "rsna_miccai", "dataset.root": str(phantom)}
    if "dataset=combined" in given:
        given = [word for word in given if "dataset.parts." not in word]
        given += [f"dataset.parts.rsna_miccai.root={phantom}", "dataset.parts.rsna_miccai.healthy_value=0"]
    known = [word for word in given if "=" in word]
    own = any(word.startswith("dataset=") and word not in ("dataset=phantom", "dataset=combined") for word in known)
    chosen = []
    for word in given:
        key = word.partition("=")[0]
        if key == "resume":
            pytest.skip("going on with a run is tested with the kills")
        chosen.append(f"{key}={real[key]}" if key in real and (own or key == "run") else word)
    if own and name == "train":
        small = [item for item in small if not item.startswith("limit=")] + ["dataset.healthy_value=0"]
    if name == "evaluate" and not any(word.startswith("run=") for word in given):
        chosen.append(f"run={tiny_run}")
    done = subprocess.run(
        [sys.executable, str(ROOT / f"{name}.py"), *chosen, *small],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
