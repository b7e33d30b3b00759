from dataclasses import replace

import numpy as np
import pytest

from brain_cae.phantom import PhantomSettings, Subject, simulate_subject
from brain_cae.phantom.anatomy import Anatomy, Warp, brain_mask, build_anatomy

SETTINGS = PhantomSettings(subjects=6, seed=3, abnormal_fraction=0.5)


@pytest.fixture(scope="session")
def settings() -> PhantomSettings:
    return SETTINGS


@pytest.fixture(scope="session")
def tumour_number() -> int:
    return int(SETTINGS.labels().argmax())


@pytest.fixture(scope="session")
def tumour(tumour_number: int) -> Subject:
    return simulate_subject(SETTINGS, tumour_number)


@pytest.fixture(scope="session")
def healthy() -> Subject:
    return simulate_subject(SETTINGS, int(SETTINGS.labels().argmin()))


@pytest.fixture(scope="session")
def warp() -> Warp:
    return Warp(60, "F", np.random.default_rng(0))


@pytest.fixture(scope="session")
def built(warp: Warp) -> Anatomy:
    return build_anatomy(warp, brain_mask(warp), np.random.default_rng(1))


@pytest.fixture
def anatomy(built: Anatomy) -> Anatomy:
    """A brain whose tissues a test may change."""
    return replace(built, fractions=dict(built.fractions))
