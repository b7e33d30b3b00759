"""The benchmark of the import converts a small cohort with every program that is there, and prints every ratio."""

import json

import pytest

from .conftest import load_benchmark


@pytest.mark.extras
def test_every_command_and_reader_is_measured(tmp_path, capsys, monkeypatch) -> None:
    benchmark = load_benchmark("import_speed")
    forgotten: list[bool] = []
    monkeypatch.setattr(benchmark, "forget_files", lambda: forgotten.append(True))
    size = ["--series", "4", "--files", "42", "--matrix", "32", "--rounds", "1", "--folder", str(tmp_path)]
    benchmark.main([*size, "--cold"])
    assert len(forgotten) >= 4  # import, pydicom, bytes, their copy, and dcm2niix where it is installed
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["name"] == "import_speed"
    assert set(result["ratios"]) >= {
        f"vs_{name}" for name in ("dicom2nifti", "monai", "simpleitk", "dcm2niix", "raw_read")
    }
    assert set(result["seconds"]) == {"import", "dcm2niix", "pydicom", "raw_read", "copy", "again", "inspect"}
    assert all(used["cpu"] > 0 and used["wall"] > 0 for used in result["seconds"].values() if used)
    assert not list(tmp_path.iterdir())
