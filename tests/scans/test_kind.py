"""Anatomical images are used; all other kinds are refused with their reason."""

import pytest
from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from brain_cae.errors import ScanError
from brain_cae.scans.dicom import read_series
from brain_cae.scans.file import open_dicom
from brain_cae.scans.kind import KINDS, is_derived, kind_of

from .synthesise import set_all, voxels, write_enhanced, write_series

# Values as scanners of Siemens, GE, Philips, United Imaging and Canon write them, joined as in the standard.
ANATOMICAL = [
    r"ORIGINAL\PRIMARY",
    r"ORIGINAL\PRIMARY\OTHER",
    r"ORIGINAL\PRIMARY\M\ND\NORM",
    r"ORIGINAL\PRIMARY\M\NORM\DIS3D\FM3_2\FIL",
    r"ORIGINAL\PRIMARY\OTHER\ND\NORM\MEAN",
    r"ORIGINAL\PRIMARY\MPR",
    r"ORIGINAL\PRIMARY\T1\NONE",
    r"ORIGINAL\PRIMARY\FLUID_ATTENUATED\NONE",
    r"ORIGINAL\PRIMARY\M_SE\M\SE",
    r"ORIGINAL\PRIMARY\M_FFE\M\FFE",
    r"DERIVED\PRIMARY\MPR\NORM\DIS2D",
    r"DERIVED\SECONDARY\MPR\CSA MPR\\CSAPARALLEL\M\ND\NORM",
    r"DERIVED\SECONDARY\REFORMATTED\AVERAGE",
    r"DERIVED\SECONDARY",
    "",
]
OTHERS = {
    r"ORIGINAL\PRIMARY\M\ND\MOSAIC": "mosaic",
    r"DERIVED\PRIMARY\PERFUSION\ASL\ND\NORM\MOCO\SUB\TTEST\MOSAIC": "mosaic",
    r"ORIGINAL\PRIMARY\OTHER\VFRAME": "mosaic",
    r"ORIGINAL\PRIMARY\LOCALIZER": "localiser",
    r"DERIVED\SECONDARY\SCREEN SAVE": "screenshot",
    r"DERIVED\SECONDARY\OTHER\CSA REPORT": "screenshot",
    r"DERIVED\SECONDARY\PROJECTION IMAGE\MIP": "projection",
    r"DERIVED\PRIMARY\MNIP\ND\NORM": "projection",
    r"DERIVED\PRIMARY\T1\MAXIMUM": "projection",
    r"ORIGINAL\PRIMARY\MIP_SAG\NORM\DIS2D": "projection",
    r"ORIGINAL\PRIMARY\PROJECTION IMAG\M\FFE": "projection",
    r"DERIVED\SECONDARY\PJN\HD MIP": "projection",
    r"ORIGINAL\PRIMARY\STDDEV_TRA\ND": "parameter map",
    r"DERIVED\PRIMARY\MULTI_QMAP\T2": "parameter map",
    r"DERIVED\PRIMARY\R1": "parameter map",
    r"DERIVED\SECONDARY\rCBF Basic": "perfusion or functional image",
    r"DERIVED\SECONDARY\MR Error Message": "screenshot",
    r"DERIVED\SECONDARY\POSDISP\M\ND": "localiser",
    r"DERIVED\PRIMARY\DIFFUSION\ADC\ND\NORM": "diffusion image",
    r"ORIGINAL\PRIMARY\DIFFUSION\NONE": "diffusion image",
    r"DERIVED\PRIMARY\DIFFUSION\TRACEW\ND": "diffusion image",
    r"DERIVED\PRIMARY\DIFFUSION\FRACTIONAL_ANISO": "diffusion image",
    r"DERIVED\PRIMARY\PERFUSION\RELCBF": "perfusion or functional image",
    r"ORIGINAL\PRIMARY\FMRI\NONE": "perfusion or functional image",
    r"DERIVED\PRIMARY\T2_STAR MAP\ND": "parameter map",
    r"DERIVED\PRIMARY\M\ND\NORM\SUB": "subtraction image",
    r"DERIVED\PRIMARY\T1\SUBTRACTION": "subtraction image",
    r"ORIGINAL\PRIMARY\P\ND": "phase image",
    r"ORIGINAL\PRIMARY\R_IR\R\IR": "phase image",
    r"ORIGINAL\PRIMARY\PHASE MAP\P\FFE": "phase image",
}


@pytest.mark.parametrize("image_type", ANATOMICAL)
def test_anatomical_images_are_used_whether_derived_or_not(image_type):
    assert kind_of(image_type.split("\\")) == ""


@pytest.mark.parametrize("image_type", OTHERS)
def test_other_images_are_named(image_type):
    assert kind_of(image_type.split("\\")) == OTHERS[image_type]


def test_every_kind_has_an_example():
    assert set(OTHERS.values()) == set(KINDS)


def ge_phase(header, number):
    header.Manufacturer = "GE MEDICAL SYSTEMS"
    header.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)


def private_b_value(group, creator, element, kind, value):
    def change(header, number):
        header.ScanningSequence = ["EP", "SE"]
        header.private_block(group, creator, create=True).add_new(element, kind, value)

    return change


SINGLE = {
    "screenshot": set_all(SOPClassUID=uid.SecondaryCaptureImageStorage),
    "screenshot, of several frames": set_all(SOPClassUID=uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage),
    "not MR": set_all(Modality="CT"),
    "localiser": set_all(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    "diffusion image": set_all(DiffusionBValue=1000.0),
    "diffusion image, as stored by Siemens": private_b_value(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", 1000),
    "diffusion image, as stored by Philips": private_b_value(0x2001, "Philips Imaging DD 001", 0x03, "FL", 800.0),
    "diffusion image, as stored by GE": private_b_value(0x0043, "GEMS_PARM_01", 0x39, "IS", [1000000700, 8, 0, 0]),
    "phase image": set_all(ComplexImageComponent="PHASE"),
    "phase image, as stored by GE": ge_phase,
    "colour image": set_all(SamplesPerPixel=3),
    "colour image, by palette": set_all(PhotometricInterpretation="PALETTE COLOR"),
    "inverted grey scale": set_all(PhotometricInterpretation="MONOCHROME1"),
}


@pytest.mark.parametrize("reason", SINGLE)
def test_headers_of_other_images_are_refused(tmp_path, reason):
    with pytest.raises(ScanError) as raised:
        read_series(write_series(tmp_path, change=SINGLE[reason]))
    assert raised.value.reason == reason.split(",")[0]


def test_the_b_value_element_of_ge_is_ignored_outside_echo_planar_imaging(tmp_path):
    def change(header, number):
        header.ScanningSequence = "SE"
        header.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [8, 0, 0, 0])

    assert read_series(write_series(tmp_path, change=change)).array.shape == (4, 5, 6)


def test_the_b_value_element_of_philips_counts_in_every_sequence(tmp_path):
    def change(header, number):
        header.ScanningSequence = "SE"
        header.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", 1000.0)

    with pytest.raises(ScanError, match="diffusion image"):
        read_series(write_series(tmp_path, change=change))


def test_a_b_value_of_zero_and_a_magnitude_image_are_accepted(tmp_path):
    change = set_all(DiffusionBValue=0.0, ComplexImageComponent="MAGNITUDE")
    assert read_series(write_series(tmp_path, change=change)).array.shape == (4, 5, 6)


def test_one_frame_of_another_kind_is_detected(tmp_path):
    path = write_enhanced(tmp_path / "one", voxels())
    header = dcmread(path)
    kind, diffusion = Dataset(), Dataset()
    kind.FrameType, diffusion.DiffusionBValue = ["ORIGINAL", "PRIMARY", "PHASE MAP", "NONE"], 700.0
    group = header.PerFrameFunctionalGroupsSequence[4]
    for name, item, reason in (
        ("MRImageFrameTypeSequence", kind, "phase image"),
        ("MRDiffusionSequence", diffusion, "diffusion image"),
    ):
        setattr(group, name, Sequence([item]))
        header.save_as(path)
        delattr(group, name)
        with pytest.raises(ScanError) as raised:
            read_series([path])
        assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("image_type", "derived"),
    [
        (["ORIGINAL", "PRIMARY", "M", "ND"], False),
        (["DERIVED", "PRIMARY", "MPR"], True),
        (["ORIGINAL", "SECONDARY", "REFORMATTED", "AVERAGE"], True),
        (["ORIGINAL", "PRIMARY", "MPR"], True),
        (["derived"], True),
        ([], False),
    ],
)
def test_a_secondary_image_is_derived_as_well(tmp_path, image_type, derived):
    path = write_series(tmp_path, voxels((1, 4, 4)), change=set_all(ImageType=image_type))[0]
    assert is_derived(open_dicom(path)) == derived


def test_small_letters_name_the_same_modality(tmp_path):
    assert read_series(write_series(tmp_path, change=set_all(Modality="mr"))).array.size
