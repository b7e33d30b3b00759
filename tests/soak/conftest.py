"""Fixtures of the soak tests: a small simulated cohort on disk."""

from pathlib import Path

import pytest

from brain_cae.phantom import PhantomSettings, write_cohort

SETTINGS = PhantomSettings(subjects=4, abnormal_fraction=0.333333)


@pytest.fixture(scope="session")
def small_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``dataset.root`` of a complete cohort of four subjects."""
    root = tmp_path_factory.mktemp("small")
    write_cohort(SETTINGS, root, progress=False)
    return root


@pytest.fixture(scope="session")
def small_cohort(small_root: Path) -> Path:
    return small_root / SETTINGS.key()
