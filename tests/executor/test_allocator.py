"""Freed memory is kept on glibc only, and only where the environment has not chosen."""

import json
import os
import platform
import subprocess
import sys

import pytest

from brain_cae.executor.allocator import keep_freed_memory, return_freed_memory

FAULTS = """
import json, resource
from brain_cae.executor.allocator import keep_freed_memory, return_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for size in (64, 48, 80, 64):
        b"x" * (size << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

first, kept = faults(), keep_freed_memory()
faults()
later, before = faults(), resident()
return_freed_memory()
print(json.dumps([first, kept, later, before - resident()]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")
@pytest.mark.parametrize(("environment", "keeps"), [({}, True), ({"MALLOC_MMAP_THRESHOLD_": "131072"}, False)])
def test_large_blocks_cost_no_page_faults_once_freed_memory_is_kept(environment, keeps):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    done = subprocess.run([sys.executable, "-c", FAULTS], env=clean | environment, capture_output=True, text=True)
    first, kept, later, returned = json.loads(done.stdout)
    assert kept == keeps
    assert first > 1000
    assert later < 100 if keeps else later > 1000
    assert returned > 50 if keeps else returned < 50  # MB


def test_other_platforms_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("the C library was opened"))
    assert not keep_freed_memory()
    return_freed_memory()
