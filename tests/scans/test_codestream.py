"""Compressed images whose header a decoder must not see are recognised."""

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.encaps import generate_frames

from brain_cae.scans.codestream import problem_of
from brain_cae.scans.dicom import read_folder

from .synthesise import transcode, voxels, write_series

SYNTAXES = {"JPEG lossless": uid.JPEGLosslessSV1, "JPEG-LS": uid.JPEGLSLossless, "JPEG 2000": uid.JPEG2000Lossless}
# Where the stream gives the bits of a pixel, its rows, and the start of its second part.
PLACES = {"JPEG lossless": (6, 8, 15, 16), "JPEG-LS": (6, 8, 15, 16), "JPEG 2000": (42, 15, 4)}


@pytest.fixture
def compressed(tmp_path):
    def make(name):
        path = transcode(write_series(tmp_path, voxels((1, 32, 48)).astype(np.uint16))[0], SYNTAXES[name])
        return path, next(generate_frames(dcmread(path).PixelData, number_of_frames=1))

    return make


@pytest.mark.parametrize("name", SYNTAXES)
def test_headers_that_end_a_decoder_are_refused(name, compressed):
    path, stream = compressed(name)
    sizes = {"rows": 32, "columns": 48, "bits": 16}
    assert problem_of(stream, **sizes) == ""
    assert problem_of(stream, **sizes | {"rows": 33}) == "32x48 pixels of 16 bits, 1 components"
    assert "of 16 bits" in problem_of(stream, **sizes | {"bits": 8})
    for place in PLACES[name]:
        broken = bytearray(stream)
        broken[place] ^= 0x5A
        assert problem_of(bytes(broken), **sizes)
        damaged = path.read_bytes().replace(stream, bytes(broken))
        (path.parent / "damaged").write_bytes(damaged)
        (one,) = read_folder([path.parent / "damaged"]).refused
        assert one.reason == "unreadable pixel data"
    assert all(problem_of(stream[:length], **sizes) for length in range(20))


def test_what_is_no_image_is_named():
    assert problem_of(b"GIF89a", rows=1, columns=1, bits=8) == "no start of an image"
    assert problem_of(b"", rows=1, columns=1, bits=8) == "no start of an image"
    assert problem_of(b"\xff\xd8\xff", rows=1, columns=1, bits=8) == "an incomplete header"
