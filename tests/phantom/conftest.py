import pytest

from brain_cae.phantom import PhantomSettings, Subject, simulate_subject

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
