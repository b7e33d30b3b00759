import subprocess
import sys
import time
from pathlib import Path

from brain_cae.files.locks import exclusive, is_held

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from brain_cae.files.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_released_when_its_process_is_killed(tmp_path):
    lock = tmp_path / "store" / ".lock"
    assert not is_held(lock)
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock), str(ROOT)], stdout=subprocess.PIPE, cwd=tmp_path, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    assert is_held(lock)
    holder.kill()
    holder.wait()
    start = time.monotonic()
    with exclusive(lock):
        assert time.monotonic() - start < 5
    assert not is_held(lock)
