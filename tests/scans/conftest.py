"""Real scans live beside the project, where somebody has put them; a checkout alone tests without."""

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def real_data() -> Path:
    """Folder of real scans; skips the test where it is absent."""
    if not (DATA / "MANIFEST.csv").is_file():
        pytest.skip(f"the real scans are not here: {DATA} does not exist")
    return DATA
