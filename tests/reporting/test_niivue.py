"""The viewer lies where nilearn keeps it; without it, pages show pictures."""

import base64
import gzip
import logging
from pathlib import Path

from brain_cae.reporting import niivue


def test_nilearn_still_ships_the_viewer_where_we_look():
    text = niivue.bundle()
    assert len(text) > 1_000_000 and "niivue={}" in text, "it moved: see ASSET, and the licences of nilearn"
    assert "</script" not in text.lower(), "it can be put into a page"
    assert gzip.decompress(base64.b64decode(niivue.packed())).decode() == text
    assert len(niivue.packed()) < 1_300_000


def test_a_viewer_that_moved_is_a_caution_in_the_log_and_no_error(monkeypatch, caplog):
    monkeypatch.setattr(niivue, "ASSET", Path("elsewhere.js"))
    for function in (niivue.bundle, niivue.packed):
        function.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert niivue.bundle() == niivue.packed() == ""
        assert "pages show pictures only" in caplog.text
    finally:
        for function in (niivue.bundle, niivue.packed):
            function.cache_clear()
