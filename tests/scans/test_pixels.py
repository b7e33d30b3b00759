"""Every encoding gives the same pixels, and unused bits are ignored."""

import numpy as np
import pytest
from pydicom import dcmread, dcmwrite, uid

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_series

from .synthesise import set_pixels, transcode, voxels, write_enhanced, write_series
from .test_dicom import reason_of

SYNTAXES = {
    "big endian": uid.ExplicitVRBigEndian,
    "deflated": uid.DeflatedExplicitVRLittleEndian,
    "RLE": uid.RLELossless,
    "JPEG lossless": uid.JPEGLosslessSV1,
    "JPEG lossless, any predictor": uid.JPEGLossless,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
}


# The encoder of these tests writes no signed pixels in JPEG lossless.
UNSIGNED = ("JPEG lossless", "JPEG lossless, any predictor")
CASES = [(name, kind) for name in SYNTAXES for kind in ("uint16", "int16") if kind == "uint16" or name not in UNSIGNED]


@pytest.mark.parametrize(("syntax", "kind"), CASES)
def test_every_encoding_gives_the_same_volume(tmp_path, syntax, kind):
    stack = voxels((3, 64, 48)).astype(kind)
    files = [transcode(path, SYNTAXES[syntax]) for path in write_series(tmp_path, stack)]
    assert {dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID for path in files} == {SYNTAXES[syntax]}
    assert np.array_equal(read_series(files).array, stack.transpose(2, 1, 0))


@pytest.mark.parametrize("syntax", [name for name in SYNTAXES if name != "JPEG lossless, any predictor"])
def test_every_multi_frame_encoding_gives_the_same_volume(tmp_path, syntax):
    stack = voxels((4, 32, 48)).astype(np.uint16)
    path = transcode(write_enhanced(tmp_path / "one", stack, order=[2, 0, 3, 1]), SYNTAXES[syntax])
    assert np.array_equal(read_series([path]).array, (2 * stack.astype(int) - 7).transpose(2, 1, 0))


@pytest.mark.parametrize("kind", ["uint8", "int8"])
@pytest.mark.parametrize("shape", [(3, 6, 8), (3, 5, 7)])
@pytest.mark.parametrize("representation", ["OW", "OB"])
def test_pixels_of_eight_bits_in_words_of_big_endian_keep_their_places(tmp_path, kind, shape, representation):
    stack = np.random.default_rng(0).integers(0, 127, shape).astype(kind)
    files = write_series(tmp_path, stack)
    for path in files:
        header = dcmread(path)
        stored = header.pixel_array.tobytes() + bytes(stack[0].size % 2)
        swapped = np.frombuffer(stored, np.uint16).byteswap().tobytes()
        header.PixelData = swapped if representation == "OW" else stored
        header["PixelData"].VR, header.file_meta.TransferSyntaxUID = representation, uid.ExplicitVRBigEndian
        header.walk(lambda item, element: None)
        dcmwrite(path, header, implicit_vr=False, little_endian=False, force_encoding=True)
        if stack[0].size % 2 == 0:
            assert np.array_equal(dcmread(path).pixel_array, stack[files.index(path)])
    assert np.array_equal(read_series(files).array, stack.transpose(2, 1, 0))


def stored_as(bits):
    def change(header, number):
        header.BitsStored, header.HighBit = bits, bits - 1

    return change


@pytest.mark.parametrize("syntax", [None, "RLE", "JPEG-LS"])
@pytest.mark.parametrize("frames", [6, 10])
def test_pixels_of_another_number_of_frames_are_refused(tmp_path, syntax, frames):
    """Fewer of them are no truncated file, and more are no reason to give a shorter brain."""
    path = write_enhanced(tmp_path / "one", voxels((frames, 32, 48)).astype(np.uint16))
    path = transcode(path, SYNTAXES[syntax]) if syntax else path
    header, whole = dcmread(path), dcmread(write_enhanced(tmp_path / "whole", voxels((8, 32, 48))))
    header.NumberOfFrames = 8
    header.PerFrameFunctionalGroupsSequence = whole.PerFrameFunctionalGroupsSequence
    header.save_as(path, enforce_file_format=True)
    assert reason_of([path]) == f"wrong number of frames: 8 declared, pixels of {frames}"


def test_twelve_signed_bits_without_sign_extension_are_read(tmp_path):
    stack = np.random.default_rng(0).integers(-2048, 2047, (3, 6, 5), endpoint=True).astype(np.int16)
    stack[0, 0, :2] = -2048, 2047
    bare = (stack & 0x0FFF).astype(np.int16)
    volume = read_series(write_series(tmp_path, bare, change=stored_as(12)))
    assert np.array_equal(volume.array, stack.transpose(2, 1, 0))


def test_an_overlay_in_the_upper_bits_is_removed(tmp_path):
    stack = voxels().astype(np.uint16)

    def change(header, number):
        stored_as(12)(header, number)
        header.add_new(0x60000100, "US", 16)
        header.add_new(0x60000102, "US", 12)

    drawn = stack | np.where(np.arange(4) == 2, 0x1000, 0).astype(np.uint16)
    volume = read_series(write_series(tmp_path, drawn, change=change))
    assert np.array_equal(volume.array, stack.transpose(2, 1, 0))


def test_values_beyond_the_stored_bits_are_refused(tmp_path):
    stack = voxels().astype(np.uint16)
    stack[2, 1, 1] = 5000
    with pytest.raises(ScanError) as raised:
        read_series(write_series(tmp_path, stack, change=stored_as(12)))
    assert raised.value.reason == "values beyond the stored bits"


@pytest.mark.parametrize(
    ("kind", "stored", "declared", "limit"),
    [
        ("uint16", 2000, 2000, None),
        ("uint16", 4095, 4095, None),
        ("uint16", 65535, 65535, None),
        ("uint16", 63536, -2000, None),  # as a signed number
        ("int16", 32767, 32767, None),
        ("uint16", 3000, 2500, 4000),  # a range
        ("uint16", 3000, 4000, 2500),
    ],
)
def test_declared_padding_is_background(tmp_path, kind, stored, declared, limit):
    stack = voxels((6, 12, 12)).astype(kind) // 2 + 100
    padded, expected = stack.copy(), stack.copy()
    padded[:, :2], expected[:, :2] = stored, 0

    def change(header, number):
        header.RescaleSlope, header.RescaleIntercept = 2, 0
        header.BitsStored, header.HighBit = (12, 11) if kind == "uint16" else (16, 15)
        header.add_new("PixelPaddingValue", "SS" if declared < 0 or kind == "int16" else "US", declared)
        if limit is not None:
            header.add_new("PixelPaddingRangeLimit", "US", limit)

    volume = read_series(write_series(tmp_path, padded, change=change))
    assert np.array_equal(volume.array, 2 * expected.astype(int).transpose(2, 1, 0))


def test_slices_of_signed_and_unsigned_pixels_keep_their_values(tmp_path):
    stack = voxels().astype(np.int32) - 1000
    stack[3] += 61000

    def change(header, number):
        set_pixels(header, stack[number].astype(np.uint16 if number == 3 else np.int16))

    volume = read_series(write_series(tmp_path, change=change))
    assert np.array_equal(volume.array, stack.transpose(2, 1, 0))


def test_a_compression_that_no_decoder_supports_is_named(tmp_path):
    files = [transcode(path, uid.JPEGLosslessSV1) for path in write_series(tmp_path, voxels().astype(np.uint16))]
    for path in files:
        header = dcmread(path)
        header.file_meta.TransferSyntaxUID, header.BitsStored, header.HighBit = uid.JPEGExtended12Bit, 12, 11
        header.save_as(path)
    with pytest.raises(ScanError) as raised:
        read_series(files)
    assert raised.value.reason == "missing decoder"


@pytest.mark.parametrize("shape", [(3, 6, 8), (3, 5, 7)])
def test_pixels_that_were_decompressed_under_the_old_syntax_are_read(tmp_path, shape):
    stack = voxels(shape).astype(np.uint8)
    files = write_series(tmp_path, stack)
    for path in files:
        old, new = (
            b"UI" + bytes([len(name), 0]) + name for name in (b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.90")
        )
        path.write_bytes(path.read_bytes().replace(old, new))
    assert dcmread(files[0]).file_meta.TransferSyntaxUID == uid.JPEG2000Lossless
    assert np.array_equal(read_series(files).array, stack.transpose(2, 1, 0))


def test_compressed_pixels_under_an_uncompressed_syntax_are_named(tmp_path):
    files = [transcode(path, uid.JPEG2000Lossless) for path in write_series(tmp_path, voxels((3, 64, 64)))]
    for path in files:
        path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.1\0\0\0"))
    with pytest.raises(ScanError, match="compressed ones, in fragments") as raised:
        read_series(files)
    assert raised.value.reason == "unreadable pixel data"


def test_an_unknown_compression_is_named(tmp_path):
    def change(header, number):
        header.compress(uid.RLELossless, generate_instance_uid=False)
        header.file_meta.TransferSyntaxUID = uid.MPEG2MPML

    with pytest.raises(ScanError) as raised:
        read_series(write_series(tmp_path, voxels((3, 64, 64)).astype(np.uint16), change=change))
    assert raised.value.reason in ("missing decoder", "unreadable pixel data")


def test_the_size_of_a_pixel_follows_from_the_length_without_a_usable_value(tmp_path):
    files = write_series(tmp_path)
    for path in files:
        path.write_bytes(path.read_bytes().replace(b"\x28\0\0\x01US", b"\x28\0\0\x01FL"))
    assert np.array_equal(read_series(files).array, voxels().transpose(2, 1, 0))


def test_a_header_cannot_ask_for_any_amount_of_memory(tmp_path):
    paths = write_series(tmp_path)
    for path in paths:
        header = dcmread(path)
        header.compress(uid.RLELossless)
        header.Rows = header.Columns = 65535
        header.save_as(path)
    with pytest.raises(ScanError, match="too large: 1 x 65535 x 65535 voxels"):
        read_series(paths)
