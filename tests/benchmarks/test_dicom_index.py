"""The benchmark of the catalogue finds what it wrote, at every size, and leaves nothing behind."""

import json

from .conftest import load_benchmark


def test_every_size_is_measured(tmp_path, capsys) -> None:
    benchmark = load_benchmark("dicom_index")
    benchmark.main(["--files", "480", "960", "--folder", str(tmp_path)])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["series"] for row in result["rows"]] == [3, 6]
    assert all(row[name]["cpu_s"] >= 0 for row in result["rows"] for name in ("first", "again", "source"))
    assert "exponent_first" in result and not list(tmp_path.iterdir())
    assert benchmark.exponent([10, 100], [1.0, 10.0]) == 1.0
