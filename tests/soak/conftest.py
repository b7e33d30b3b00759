"""Fixtures of the soak tests: a small simulated cohort on disk."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from brain_cae.configuration import EvaluateConfig, conf_folder, validate_evaluate
from brain_cae.phantom import PhantomSettings, write_cohort

SETTINGS = PhantomSettings(subjects=4, abnormal_fraction=0.333333)


@pytest.fixture(scope="session")
def small_root(shared: Path) -> Path:
    """The ``dataset.root`` of a complete cohort of four subjects."""
    write_cohort(SETTINGS, shared / "small", progress=False)
    return shared / "small"


@pytest.fixture(scope="session")
def small_cohort(small_root: Path) -> Path:
    return small_root / SETTINGS.key()


def compose_evaluate(*overrides: str) -> EvaluateConfig:
    """Compose and validate `evaluate.yaml` with overrides."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return validate_evaluate(compose("evaluate", overrides=list(overrides)))
