"""A small archive cannot ask for much memory or disk."""

import zipfile

import pytest

from brain_cae.files.zips import Limits, excess

LIMITS = Limits(entries=3, bytes=300 * 2**20, entry_bytes=200 * 2**20)


def entry(size, packed=None, flags=0):
    one = zipfile.ZipInfo(f"{size}")
    one.file_size, one.compress_size, one.flag_bits = size, size if packed is None else packed, flags
    return one


@pytest.mark.parametrize(("entries", "found"), [
    ([entry(10), entry(20)], None),
    ([entry(10, flags=1)], "encrypted"),
    ([entry(1)] * 4, "4"),
    ([entry(160 * 2**20)] * 2, "320 MiB"),
    ([entry(210 * 2**20)], "210 MiB"),
    ([entry(100 * 2**20, packed=1000)], "more"),
    ([entry(30 * 2**20, packed=10)] * 3, "more"),  # each too small to tell
])  # fmt: skip
def test_what_exceeds_a_limit_is_named(entries, found):
    packed = sum(one.compress_size for one in entries)
    result = excess(entries, packed, LIMITS)
    assert (result is None) if found is None else (result is not None and found in result[1])
