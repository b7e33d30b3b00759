"""The benchmark of the import converts a small cohort with every program that is there, and prints every ratio."""

import json
import subprocess
import sys

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


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives the processes that a command leaves behind")
def test_what_a_command_leaves_behind_is_waited_for_and_nothing_else(tmp_path) -> None:
    benchmark = load_benchmark("import_speed")
    (tmp_path / "orphan.py").write_text("import time\nwhile time.process_time() < 0.3: pass\nopen('done', 'w')")
    start = (
        "import subprocess, sys; output = subprocess.DEVNULL;"
        "subprocess.Popen([sys.executable, 'orphan.py'], stdout=output, stderr=output)"
    )
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        try:
            with benchmark.adopting_orphans():
                used = benchmark.timed(lambda: benchmark.run([sys.executable, "-c", start], tmp_path))
            assert other.poll() is None
        finally:
            other.kill()
    assert used["cpu"] > 0.3 and (tmp_path / "done").exists()


def test_a_command_that_fails_shows_what_it_said() -> None:
    with pytest.raises(SystemExit, match=r"ended with code 3:\nno room"):
        load_benchmark("import_speed").run([sys.executable, "-c", "print('no room'); raise SystemExit(3)"])
