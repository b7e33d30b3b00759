"""Tests mirror the package: each module has a test file of the same name in the folder of the same name."""

from pathlib import Path

import pytest

PACKAGE, TESTS = Path(__file__).parents[1] / "brain_cae", Path(__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if not path.name.startswith("__"))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_a_test_file_of_its_name(module: Path) -> None:
    assert (TESTS / module.parent / f"test_{module.name}").is_file()
