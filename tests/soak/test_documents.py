"""Every command in the documents composes, its targets exist, and (soak) it runs to the end."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from brain_cae.configuration import Config, EvaluateConfig, conf_folder, validate, validate_evaluate
from brain_cae.phantom import PhantomSettings, write_cohort

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"<[^>\s]*>|…|\.\.\.")  # placeholders for the reader
EXTENDING = re.compile(r"^```bash my_package\n(.*?)^```", re.MULTILINE | re.DOTALL)  # run by tests/test_extending.py
# Keys of places on the reader's machine or cluster.
REPLACED = ("dataset.", "dataset@dataset.", "external.", "executor.", "hydra.launcher.", "logger.store")
SHELL = re.compile(r"\$\([^)]*\)")  # command substitutions of the shell
PYTHON = r"python (?:train\.py|evaluate\.py|benchmarks/|-m brain_cae)"
COMMAND = re.compile(rf"{PYTHON}|make( |$)")


def commands(text: str) -> list[str]:
    """The project's commands in ```bash fences; a line that ends in a backslash continues on the next line."""
    shown = []
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = SHELL.sub("<shell>", line.strip().removeprefix("$ "))
            if COMMAND.match(words):
                shown.append(" ".join(shlex.split(words, comments=True)) if '"' not in words else words.split("  #")[0])
    return list(dict.fromkeys(shown))


def hidden_commands(text: str) -> list[str]:
    """Lines with a Python command outside of a ```bash fence, where it would not be checked."""
    return re.findall(rf"^\s*(?:\$ )?({PYTHON}.*)$", EXTENDING.sub("", FENCE.sub("", text)), re.MULTILINE)


SHOWN = {document.relative_to(ROOT).as_posix(): commands(document.read_text("utf-8")) for document in DOCUMENTS}
EVERY = [(document, command) for document, shown in SHOWN.items() for command in shown]


def cases(*, runnable: bool) -> list[Any]:
    """One parameter per command, named after its document; ``runnable`` keeps train.py and evaluate.py only."""
    pairs = {command: document for document, command in reversed(EVERY) if script(command)}
    chosen = [(document, command) for command, document in pairs.items()] if runnable else EVERY
    return [pytest.param(command, id=f"{document}: {command}") for document, command in sorted(chosen)]


def arguments(command: str) -> list[str]:
    """Arguments after the script: ``make train ARGS="a=b"`` is ``python train.py a=b``."""
    words = shlex.split(command)
    if words[0] == "make":
        given = [word.removeprefix("ARGS=") for word in words if word.startswith("ARGS=")]
        return shlex.split(given[0]) if given else []
    return words[2:]


def overrides(command: str) -> list[str]:
    """Hydra overrides of a command: the first value of each sweep, placeholders filled in."""
    given = [word for word in arguments(command) if not word.startswith("-")]
    first = [re.sub(r"=([^\[{(]*?),.*$", r"=\1", word) for word in given]
    return [PLACE.sub("place", word) for word in first if not word.startswith("hydra")]


def script(command: str) -> str | None:
    """``train`` or ``evaluate``; None for any other command."""
    words = shlex.split(command)
    if words[:2] == ["make", "train"]:
        return "train"
    return words[1].removesuffix(".py") if words[1:2] in (["train.py"], ["evaluate.py"]) else None


def check_other(command: str) -> None:
    """Check that a make target, a benchmark with its options, or a module exists."""
    words = shlex.split(command)
    if words[0] == "make":
        targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = {word for word in words[1:] if "=" not in word}
        assert named <= targets, f"the Makefile has no {sorted(named - targets)}"
    elif words[1] == "-m":
        assert importlib.util.find_spec(words[2]), f"there is no module {words[2]}"
    else:
        assert (ROOT / words[1]).is_file(), f"there is no {words[1]}"
        code = (ROOT / words[1]).read_text("utf-8")
        unknown = [word for word in words[2:] if word.startswith("--") and f'"{word}"' not in code]
        assert not unknown, f"{words[1]} has no options {unknown}"


def check(command: str) -> Config | EvaluateConfig | None:
    """Compose and validate a command's configuration; for other commands, see ``check_other``.

    Raises:
        ConfigurationError: A key or value is wrong.
        HydraException: A key or option does not exist.
    """
    name = script(command)
    if name is None or command.startswith("make"):
        check_other(command)
    if name is None:
        return None
    flags = {word for word in arguments(command) if word.startswith("-")}
    assert flags <= {"-m", "--multirun", "--help", "--cfg", "--hydra-help", "--version"}, f"unknown options {flags}"
    given = [word for word in overrides(command) if "=" in word]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = compose(name, overrides=given)
    OmegaConf.to_container(composed, resolve=False)
    return validate(composed) if name == "train" else validate_evaluate(composed)


def test_the_readme_shows_how_to_train_and_to_evaluate() -> None:
    assert {script(command) for command in SHOWN["README.md"]} >= {"train", "evaluate"}


def test_commands_of_several_documents_are_checked() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/data.md", "docs/audit.md", "docs/experiments/reshape.md"} <= {
        document for document, _ in EVERY
    }


@pytest.mark.parametrize("document", SHOWN)
def test_a_document_shows_commands_only_in_bash_fences(document: str) -> None:
    assert hidden_commands((ROOT / document).read_text("utf-8")) == []


@pytest.mark.parametrize("command", cases(runnable=False))
def test_a_command_of_a_document_is_valid(command: str) -> None:
    check(command)


def test_the_script_of_the_documents_lists_files_in_another_layout(tmp_path: Path) -> None:
    script = re.search(r"```python\n(from pathlib.*?)```", (ROOT / "docs" / "data.md").read_text("utf-8"), re.DOTALL)
    assert script is not None
    for folder in ("T1", "FLAIR"):
        (tmp_path / folder).mkdir()
        for name in ("P-1", "P-2"):
            (tmp_path / folder / f"{name}_{folder}.nii.gz").touch()
    people = pd.DataFrame({"ID": ["P-1", "P-2"], "Diagnosis": ["Control", "Glioma"]})
    code = re.sub("pd.read_excel.*", "pd.DataFrame(people)", script[1].replace("/scans", tmp_path.as_posix()))
    exec(compile(code, "data.md", "exec"), {"people": people.to_dict("list")})
    written = pd.read_csv(tmp_path / "scans.csv").groupby(["subject", "label"])["modality"].agg(list)
    assert written.to_dict() == {("P-1", "healthy"): ["t1", "flair"], ("P-2", "abnormal"): ["t1", "flair"]}


EXAMPLE = """
Some words about `python train.py nothing=here`.

```bash
git clone somewhere && cd brain_cae
make setup                                  # once
make train ARGS="modality=flair seed=1"
$ python train.py modality=t1_flair \\
    reshape=clustered     # both
python train.py -m seed=0,1,2 model.network.channels=[4,8,16]
python evaluate.py run=outputs/<date>/<time> dataset=folder dataset.root=/scans
python evaluate.py -m run=$(ls -d multirun/<date>/<time>/*/ | paste -sd,)
python benchmarks/audit_power.py --minutes 60
python -m brain_cae.reporting multirun/<date>/<time>
tensorboard --logdir outputs
```

```python
python train.py not=this
```

    $ python train.py nor=this
"""


def test_commands_are_read_from_a_document() -> None:
    shown = commands(EXAMPLE)
    assert [script(command) for command in shown] == [None, *["train"] * 3, *["evaluate"] * 2, None, None]
    assert overrides(shown[1]) == ["modality=flair", "seed=1"]
    assert overrides(shown[2]) == ["modality=t1_flair", "reshape=clustered"]
    assert overrides(shown[3]) == ["seed=0", "model.network.channels=[4,8,16]"]
    assert overrides(shown[4]) == ["run=outputs/place/place", "dataset=folder", "dataset.root=/scans"]
    assert overrides(shown[5]) == ["run=place"]
    for command in shown:
        check(command)


def test_commands_outside_of_a_bash_fence_are_reported() -> None:
    assert hidden_commands(EXAMPLE) == ["python train.py not=this", "python train.py nor=this"]


@pytest.mark.parametrize(
    "command",
    [
        "python train.py reshape=nothing", "python train.py seeed=1", "python train.py scoring.alpha=2", "make nothing",
        "python train.py --nothing", "python evaluate.py seed=1", 'make train ARGS="modality=pet"',
        "python benchmarks/nothing.py", "python benchmarks/audit_power.py --nothing 1", "python -m brain_cae.nothing",
    ],
)  # fmt: skip
def test_a_command_that_cannot_work_is_rejected(command: str) -> None:
    with pytest.raises(Exception, match=r"nothing|seeed|alpha|seed|pet"):
        check(command)


@pytest.fixture(scope="session")
def places(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real folders for the placeholders: a run, scans that it has not seen, and healthy brains for calibration."""
    root = tmp_path_factory.mktemp("documents")
    settings = PhantomSettings(subjects=48, seed=5)
    write_cohort(settings, root, progress=False)
    cohort, scans, healthy = root / settings.key(), root / "scans", root / "healthy"
    labels = pd.read_csv(cohort / "train_labels.csv", dtype=str).rename(columns={"BraTS21ID": "subject"})
    labels["label"] = labels.pop("MGMT_value").map({"0": "healthy", "1": "abnormal"})
    calibrating = set(labels[labels["label"] == "healthy"]["subject"].head(8))
    for subject in labels["subject"]:
        folder = (healthy if subject in calibrating else scans) / subject
        folder.mkdir(parents=True)
        for name, modality in (("FLAIR", "flair"), ("T1w", "t1"), ("T2w", "t2")):
            (cohort / "train" / subject / name).rename(folder / modality)
    labels[~labels["subject"].isin(calibrating)].to_csv(scans / "labels.csv", index=False)
    scores = pd.DataFrame(
        {"label": ["healthy", "abnormal"] * 20, "score": range(40), "manufacturer": ["A", "B", "B", "A"] * 10}
    )
    table = scores.assign(
        diagnosis=scores["label"].replace({"healthy": "control", "abnormal": "glioma"}),
        probability=scores["score"],
        vendor=scores["manufacturer"],
    )
    table.to_csv(root / "scores.csv", index=False)
    return {"run": tiny_run, "calibrate": healthy, "dataset.root": scans, "audit.table": root / "scores.csv"}


def with_real_places(given: list[str], places: dict[str, Path]) -> list[str]:
    """The command's arguments with real folders instead of placeholders, and at most two values per sweep.

    An experiment runs as one job, so that it has one value of each key.
    """
    one = any(word.startswith("experiment=") for word in given)
    further = re.compile(r"=([^\[{(,]*),.*$" if one else r"=([^\[{(,]*,[^,]*),.*$")
    chosen = []
    for word in given:
        key = word.partition("=")[0]
        if word in ("dataset=folder", "dataset=bids"):
            chosen += ["dataset=folder", f"dataset.root={places['dataset.root']}", "dataset.skull=stripped"]
        elif word == "dataset=dicom":
            key_file = places["dataset.root"].parent / "key"
            chosen += [word, f"dataset.root={places['dataset.root']}", f"dataset.key_file={key_file}"]
            chosen.append("dataset.skull=stripped")
        elif word == "dataset=combined":
            chosen += [
                word,
                f"dataset.parts.folder.root={places['dataset.root']}",
                "dataset.parts.folder.skull=stripped",
            ]
        elif word == "dataset@external=folder":
            chosen += [word, f"external.root={places['dataset.root']}", "external.skull=stripped"]
        elif word in ("executor=submitit_slurm", "hydra/launcher=submitit_slurm"):
            chosen.append(word.replace("slurm", "local"))
        elif key in ("run", "calibrate", "audit.table"):
            chosen.append(f"{key}={places[key]}")
        elif not key.lstrip("+").startswith(REPLACED):
            chosen.append(further.sub(r"=\1", word))
    return chosen


def small(name: str, chosen: list[str], tiny_overrides: list[str]) -> list[str]:
    """Overrides that make a command run in seconds; an experiment runs only one of its jobs."""
    if any(word.startswith("-") and word not in ("-m", "--multirun") for word in chosen):
        return []
    if name == "evaluate":
        return [item for item in tiny_overrides if item.startswith("cache=")]
    dropped = ["trainer=cpu"] + ["limit="] * ("dataset=folder" in chosen)
    dropped += ["model.network."] * any(word.startswith("model=") for word in chosen)
    kept = [item for item in tiny_overrides if not item.startswith(tuple(dropped))]
    kept += ["trainer.max_epochs=1", "trainer.accelerator=cpu"]
    kept += ["evaluation.permutations=1", "evaluation.maps=false", "evaluation.views=1"]
    kept += ["hydra.mode=RUN"] * any(word.startswith("experiment=") for word in chosen)
    return kept + ["classifier.tuning.trials=2"] * any(word.startswith("classifier.tuning.") for word in chosen)


@pytest.mark.soak
@pytest.mark.parametrize("command", cases(runnable=True))
def test_a_command_of_a_document_runs(
    command: str, tiny_overrides: list[str], places: dict[str, Path], tmp_path: Path
) -> None:
    """On a tiny phantom: the command's choices first, then what makes them small."""
    name, given = script(command), arguments(command)
    assert name is not None
    if any(word.startswith("resume=") for word in given):
        pytest.skip("test_kills.py tests resuming")
    if "logger=mlflow" in given:
        pytest.importorskip("mlflow", reason="an extra")
    chosen = with_real_places(given, places)
    if name == "evaluate" and not any(word.startswith(("run=", "audit_only=", "audit.table=")) for word in given):
        chosen.append(f"run={places['run']}")
    done = subprocess.run(
        [sys.executable, str(ROOT / f"{name}.py"), *chosen, *small(name, chosen, tiny_overrides)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Traceback" not in done.stderr
