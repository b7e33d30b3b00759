"""Shared fixtures: a configuration, a prepared brain, and one complete run on a tiny phantom."""

import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, settings

from brain_cae.configuration import Config, conf_folder, validate
from brain_cae.data.subject import PreparedSubject
from brain_cae.files.locks import exclusive

from .composition import remember_compositions

remember_compositions()

# A test must not fail because the machine is busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Files with whole runs come first, and short ones last: otherwise one process ends long before the other. The second
# process begins with what needs no run, while the first makes the tiny run that the others share.
FIRST = (
    "workflows/test_training.py", "audit/test_auditor.py", "phantom/test_writer.py", "soak/test_nifti.py",
    "soak/test_fuzz.py", "workflows/test_nested.py", "test_real_heads.py", "packaging/test_wheel.py",
    "errors/test_interrupt.py", "soak/test_kills.py", "workflows/test_evaluation.py", "soak/test_survival.py",
    "workflows/test_recalibration.py", "stages/test_harmonisation.py", "workflows/test_scoring.py", "test_extending.py",
    "test_security.py", "workflows/test_external.py", "cli/test_whole_sweeps.py", "test_real_scans.py",
    "errors/test_dataset.py", "cli/test_start.py", "cli/test_commands.py", "soak/test_documents.py",
    "executor/test_jobs.py", "data/test_template.py", "errors/test_configuration.py", "benchmarks/test_gpu.py",
)  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # pytest-xdist would start with the files that have the most tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {Path(__file__).parent / name: place for place, name in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(FIRST)))


def compose_config(*overrides: str) -> Config:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return validate(compose("train", overrides=list(overrides)))


@pytest.fixture(scope="session")
def make_config() -> Callable[..., Config]:
    """Compose and validate `train.yaml` with overrides."""
    return compose_config


@pytest.fixture(scope="session")
def make_subject() -> Callable[..., PreparedSubject]:
    """Make a prepared subject: an ellipsoid of noise around 1, zero outside."""

    def make(
        name: str = "a", shape: tuple[int, int, int] = (24, 28, 20), channels: int = 2, seed: int = 0
    ) -> PreparedSubject:
        generator = np.random.default_rng(seed)
        grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, size) for size in shape], indexing="ij"))
        mask = (grid**2).sum(axis=0) < 0.8
        volume = 1 + 0.2 * generator.standard_normal((channels, *shape))
        affine = np.diag([2.0, 2.0, 3.0, 1.0])
        return PreparedSubject(
            subject=name,
            volume=np.where(mask, volume, 0).astype(np.float32),
            mask=mask,
            affine=affine,
            lesion=None,
            source_affine=affine,
            source_shape=shape,
            to_template=onto_template(shape, affine),
        )

    return make


def onto_template(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """Return the way (4, 4) from the places of a grid to a box as large as the brain of MNI152."""
    size = np.array([140.0, 175.0, 150.0])
    scale = np.diag([*(size / (np.asarray(shape) * np.diag(affine)[:3])), 1.0])
    scale[:3, 3] = -size / 2 + [0, -17, 4]
    return scale


DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real scans; tests that need it are skipped if it is not next to the checkout."""
    if not (DATA / "MANIFEST.csv").is_file():
        pytest.skip(f"no real scans: {DATA / 'MANIFEST.csv'} does not exist")
    return DATA


TINY_NETWORK = (
    "model.network.channels=[4,8,8]",
    "model.network.strides=[2,2,1]",
    "model.network.latent_channels=4",
)
TINY = (
    "limit=36",
    "workers=1",  # two tests run at a time, and processes take seconds to start
    "split.validation_minimum=9",
    "scoring.alpha=0.2",
    "scoring.guarantee=average",  # few brains calibrate
    "trainer=cpu",
    "trainer.max_epochs=2",
    "trainer.precision=32-true",
    "trainer.progress=false",
    *TINY_NETWORK,
    "evaluation.resamples=100",
    "evaluation.permutations=5",
    "evaluation.views=2",
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what all processes of the tests share; what is put there is only read afterwards."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def tiny_overrides(shared: Path) -> list[str]:
    """Overrides that make every stage run in seconds on 36 simulated brains, with a cache of the tests."""
    return [*TINY, f"cache={shared / 'cache'}"]


@pytest.fixture(scope="session")
def tiny_run(tiny_overrides: list[str], shared: Path) -> Path:
    """The folder of one complete run: import, train, evaluate, report. The process that needs it first makes it."""
    from brain_cae.workflows import training

    output = shared / "tiny" / "run"
    with exclusive(shared / "tiny.lock"):
        if not (output / "report.html").exists():
            training.run(compose_config(*tiny_overrides), output)
    return output


INTERRUPTED = ["modality=flair", "seed=3", "trainer=cpu", "trainer.max_epochs=7"]


@pytest.fixture
def interrupted(make_config, tmp_path):
    """The folder of a run that was killed in its second epoch."""
    run = tmp_path / "interrupted"
    (run / ".hydra").mkdir(parents=True)
    (run / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(INTERRUPTED))
    (run / ".hydra" / "config.yaml").write_text(yaml.safe_dump(asdict(make_config(*INTERRUPTED))))
    (run / "status.json").write_text('{"status": "running"}')
    (run / "checkpoints").mkdir()
    torch.save({"state_dict": {}, "optimizer_states": [], "loops": {}}, run / "checkpoints" / "last.ckpt")
    return run
