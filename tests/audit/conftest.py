"""Simulated tables with known truth."""

import numpy as np
import pandas as pd
import pytest

REPETITION_TIMES = np.array([8000.0, 9000.0, 10000.0, 11000.0])
FIELDS = np.array([1.5, 3.0, 1.5, 3.0])
MATRICES = np.array([256, 512, 256, 320])
MANUFACTURERS = np.array(["Siemens", "GE", "Philips", "Siemens"])


def simulate_tables(
    seed: int,
    *,
    confounding: float = 0.0,
    dependence: float = 0.0,
    effect: float = 1.5,
    healthy: int = 28,
    abnormal: int = 52,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate four protocols; a subject's protocol depends on its label with probability ``confounding``.

    ``dependence`` is the standard deviation that the protocol adds to the score, ``effect`` the shift by the disease.
    """
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], [healthy, abnormal])
    n = len(truth)
    tied = rng.random(n) < confounding
    protocol = np.where(tied, rng.integers(0, 2, n) + 2 * (1 - truth), rng.integers(0, 4, n))
    shift = np.array([1.0, 1 / 3, -1 / 3, -1.0]) / 0.745 * dependence
    score = rng.normal(size=n) + effect * truth + shift[protocol]
    index = pd.Index([f"{number:05d}" for number in range(n)], name="subject")
    subjects = pd.DataFrame(
        {
            "label": np.where(truth == 1, "abnormal", "healthy"),
            "score": score,
            "protocol": [f"protocol {number}" for number in protocol],
            "reshape_group": protocol // 2,
            "flagged": score > 1.3,
        },
        index=index,
    )
    acquisition = pd.DataFrame(
        {
            "manufacturer": MANUFACTURERS[protocol],
            "field_strength_t": FIELDS[protocol],
            "flair_repetition_time_ms": REPETITION_TIMES[protocol] + rng.normal(0, 100, n),
            "flair_rows": MATRICES[protocol],
            "flair_inversion_time_ms": np.where(rng.random(n) < 0.2, np.nan, 2500.0),
        },
        index=index,
    )
    return subjects, acquisition


@pytest.fixture(scope="session")
def simulate():
    """Return the function that simulates a cohort."""
    return simulate_tables
