"""What one file says: its kind, its series, contrast agent, and words of its description."""

import math
import zipfile

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import LegacyConvertedEnhancedMRImageStorage

from brain_cae.scans import headers
from brain_cae.scans.contrast_rules import contrast_of
from brain_cae.scans.file import open_dicom
from brain_cae.scans.headers import (
    DAMAGED,
    DIRECTORY,
    IMAGE,
    NOT_DICOM,
    NOT_FETCHED,
    TRUNCATED,
    facts_of,
    identify,
    is_elsewhere,
    read_header,
)
from tests.scans.synthesise import set_all, voxels, write_enhanced, write_series


@pytest.mark.parametrize(("given", "name"), [("YES", "t1ce"), ("NO", "t1")])
def test_an_enhanced_file_says_of_its_frames_whether_they_are_after_contrast_agent(tmp_path, given, name):
    def change(header):
        usage, agent = Dataset(), Dataset()
        usage.ContrastBolusAgentAdministered, agent.ContrastBolusAgentNumber = given, 1
        header.ContrastBolusAgentSequence = Sequence([agent])
        for group in header.PerFrameFunctionalGroupsSequence:
            group.ContrastBolusUsageSequence = Sequence([usage])

    path = write_enhanced(tmp_path / "one", voxels(), change=change)
    assert contrast_of(facts_of(path, read_header(path).header).physics).name == name


def test_the_name_of_the_examination_which_ge_writes_says_nothing_of_a_series(tmp_path):
    def named(maker, series, protocol):
        names = {"Manufacturer": maker, "SeriesDescription": series, "ProtocolName": protocol}
        (path, *_) = write_series(tmp_path / maker / (series or "none"), change=set_all(**names))
        return facts_of(path, read_header(path).header).physics.hints

    assert named("GE MEDICAL SYSTEMS", "Ax T1", "BRAIN W CONTRAST") == ("t1",)
    assert named("GE MEDICAL SYSTEMS", "", "T1 CONTRAST") == ("t1", "ce")
    assert named("SIEMENS", "MPR tra", "t1_mprage_km") == ("t1", "ce")


@pytest.mark.parametrize(
    ("maker", "series", "protocol", "elsewhere"),
    [("GE MEDICAL SYSTEMS", "Ax T1", "PITUITARY", False), ("GE MEDICAL SYSTEMS", "Ax T1", "L-SPINE", True),
     ("GE MEDICAL SYSTEMS", "Cor T1 sella", "BRAIN", True), ("SIEMENS", "Ax T1", "pituitary", True)],
)  # fmt: skip
def test_what_ge_calls_the_examination_names_no_part_of_the_head(maker, series, protocol, elsewhere):
    header = Dataset()
    header.Manufacturer, header.SeriesDescription, header.ProtocolName = maker, series, protocol
    assert is_elsewhere(header) == elsewhere


@pytest.mark.parametrize(("pixels_mm", "name"), [(0.9, "t1"), (2.6, "localiser")])
def test_a_fast_3d_image_is_a_scout_by_its_coarse_pixels_alone(tmp_path, pixels_mm, name):
    times = {"RepetitionTime": 4.1, "EchoTime": 1.5, "FlipAngle": 10.0, "InversionTime": None}
    change = set_all(ScanningSequence="GR", MRAcquisitionType="3D", **times)
    (path, *_) = write_series(tmp_path, spacing=(pixels_mm, pixels_mm), change=change)
    assert contrast_of(facts_of(path, read_header(path).header).physics).name == name


def test_a_description_in_utf_8_is_understood_also_if_the_header_does_not_say_so(tmp_path):
    (path, *_) = write_series(tmp_path, change=set_all(SeriesDescription="T1 ABCDEF"))
    path.write_bytes(path.read_bytes().replace(b"ABCDEF", "增强".encode()))
    assert facts_of(path, read_header(path).header).physics.hints == ("t1", "ce")


def test_an_enhanced_file_that_starts_with_a_phase_is_what_its_magnitude_is(tmp_path):
    def alternate(header):
        for number, frame in enumerate(header.PerFrameFunctionalGroupsSequence):
            part = Dataset()
            part.FrameType, part.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "M", "ND"], "MAGNITUDE"
            if number % 2 == 0:
                part.FrameType, part.ComplexImageComponent = ["ORIGINAL", "PRIMARY", "P", "ND"], "PHASE"
            frame.MRImageFrameTypeSequence = Sequence([part])

    path = write_enhanced(tmp_path / "IM1", voxels((4, 5, 4)), change=alternate)
    assert facts_of(path, read_header(path).header).physics.kind == ""


@pytest.mark.parametrize("sorted_by_converter", [True, False])
def test_a_converted_enhanced_file_has_its_times_in_groups(tmp_path, sorted_by_converter):
    def convert(header):
        header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = LegacyConvertedEnhancedMRImageStorage
        if sorted_by_converter:
            return
        (shared,) = header.SharedFunctionalGroupsSequence
        del shared.MRTimingAndRelatedParametersSequence, shared.MRModifierSequence, header.EchoPulseSequence
        for frame in header.PerFrameFunctionalGroupsSequence:
            del frame.MREchoSequence
        rest = Dataset()
        rest.RepetitionTime, rest.EchoTime, rest.InversionTime, rest.FlipAngle = 1800.0, 2.41, 900.0, 9.0
        rest.ScanningSequence = ["GR", "IR"]
        shared.UnassignedSharedConvertedAttributesSequence = Sequence([rest])

    path = write_enhanced(tmp_path / "IM1", voxels((4, 5, 4)), change=convert)
    physics = facts_of(path, read_header(path).header).physics
    assert (physics.tr, physics.te, physics.ti, physics.flip) == (1800, pytest.approx(2.41), 900, 9)
    assert physics.gradient


def test_reading_stops_before_the_pixels(tmp_path, monkeypatch):
    path = write_series(tmp_path, np.ones((1, 512, 512), np.int16))[0]
    amounts = []
    opened = headers.archives.opened

    class Counting:
        def __init__(self, stream):
            self.stream = stream

        def read(self, size=-1):
            content = self.stream.read(size)
            amounts.append(len(content))
            return content

        def __getattr__(self, name):
            return getattr(self.stream, name)

    from contextlib import contextmanager

    @contextmanager
    def counting(place, head):
        with opened(place, head) as stream:
            yield Counting(stream)

    monkeypatch.setattr(headers.archives, "opened", counting)
    file = read_header(path)
    assert (file.status, file.series) == (IMAGE, "1.2.3.1")
    assert 0 < sum(amounts) < 4000  # of half a megabyte


@pytest.mark.parametrize("group", [0x0011, 0x0021])
def test_what_lies_behind_long_elements_of_an_archived_file_is_found(tmp_path, group):
    def fill(header, number):
        header.private_block(group, "LONG", create=True).add_new(1, "OB", bytes(2 * headers.HEAD))

    path = write_series(tmp_path, voxels((1, 4, 4)), change=fill)[0]
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.write(path, "IM1")
    packed = tmp_path / "export.zip" / "IM1"
    file = read_header(packed)
    assert (file.status, file.series, file.apart) == (IMAGE, "1.2.3.1", False)
    assert facts_of(packed, file.header).columns == 4


def test_other_files_have_a_status(tmp_path):
    contents = {
        "text": b"hello",
        "empty": b"",
        "zeros": bytes(400),
        "pointer": b"/annex/objects/MD5E-s9--0.dcm\n",
        "image": bytes(400) + b"\1",  # an Analyze image starts in air
        "cut": b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    found = [read_header(tmp_path / name).status for name in ("text", "image", "empty", "zeros", "pointer")]
    assert found == [NOT_DICOM, NOT_DICOM, TRUNCATED, TRUNCATED, NOT_FETCHED]
    assert read_header(tmp_path / "cut").status in (DAMAGED, TRUNCATED)
    path = write_series(tmp_path / "d", voxels((1, 4, 4)))[0]
    header = open_dicom(path).header
    header.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    header.save_as(path)
    assert read_header(path).status == DIRECTORY


def test_a_quick_look_says_the_same_as_the_whole_header(tmp_path, monkeypatch):
    image = write_series(tmp_path / "a", voxels((1, 4, 4)), change=set_all(PatientID="M\u00fcller 7 "))[0]
    whole = image.read_bytes()
    contents = {
        "whole": whole,
        "pixels cut": whole[:-9],
        "without preamble": whole[132:],
        "not a file": b"hello",
        "zeros": bytes(400),
        "zeros inside": whole[:400] + bytes(len(whole) - 400),
        "without series": whole.replace(b"\x20\x00\x0e\x00", b"\x20\x00\x0f\x00"),
        **{f"cut after {size}": whole[:size] for size in range(100, len(whole), 37)},
    }
    paths = [write_enhanced(tmp_path / "enhanced", voxels((6, 5, 4))), tmp_path / "missing"]
    for name, content in contents.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    for path in paths:
        quick, slow = vars(identify(path)) | {"header": None}, vars(read_header(path)) | {"header": None}
        assert quick == slow, path.name
    monkeypatch.setattr(headers, "read_header", lambda path: pytest.fail("read by pydicom"))
    assert identify(image).patient == read_header(image).patient != ""


def test_an_enhanced_file_says_the_same_in_its_functional_groups(tmp_path):
    path = write_enhanced(tmp_path / "one", voxels((6, 5, 4)))
    facts = facts_of(path, read_header(path).header)
    assert (facts.physics.tr, facts.physics.te, facts.physics.ti, facts.physics.flip) == (1800.0, 2.41, 900.0, 9.0)
    assert facts.physics.codes == ("GR", "IR")
    assert contrast_of(facts.physics).name == "t1"


@pytest.mark.parametrize(
    ("contrast", "name"),
    [("PERFUSION", "perfusion or functional image"), ("STIR", "stir"), ("TOF", "angiogram"), ("T2", "t2"),
     ("FLUID_ATTENUATED", "flair")],
)  # fmt: skip
@pytest.mark.parametrize("place", ["image", "frame"])
def test_an_enhanced_file_names_its_contrast_by_a_code(tmp_path, contrast, name, place):
    def change(header):
        (shared,) = header.SharedFunctionalGroupsSequence
        shared.MRTimingAndRelatedParametersSequence[0].RepetitionTime = 9000.0
        shared.MRModifierSequence[0].InversionRecovery = "NO"
        del shared.MRModifierSequence[0].InversionTimes
        header.EchoPulseSequence = "SPIN"
        for frame in header.PerFrameFunctionalGroupsSequence:
            frame.MREchoSequence[0].EffectiveEchoTime = 90.0
            (kind,) = frame.MRImageFrameTypeSequence = Sequence([Dataset()])
            kind.FrameType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
            (header if place == "image" else kind).AcquisitionContrast = contrast

    path = write_enhanced(tmp_path / "one", voxels((6, 5, 4)), change=change)
    found = contrast_of(facts_of(path, read_header(path).header).physics)
    assert (found.name, found.doubt) == (name, "TI is missing" if name == "flair" else "")


@pytest.mark.parametrize(
    "said",
    [
        {"ImageType": ["ORIGINAL", "PRIMARY", "M_IR", "M", "IR"]}, {"SequenceName": "*tir2d1_16"},
        {"ScanningSequence": "SE,IR"},
    ],
)  # fmt: skip
def test_an_inversion_without_its_time_is_known_by_other_codes(tmp_path, said):
    facts = {"ScanningSequence": "SE", "RepetitionTime": 11000.0, "EchoTime": 125.0, "InversionTime": None}
    change = set_all(**(facts | said))
    path = write_series(tmp_path, voxels((1, 4, 4)), change=change)[0]
    found = contrast_of(facts_of(path, read_header(path).header).physics)
    assert (found.name, found.doubt) == ("flair", "TI is missing")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda block: block.add_new(0x13, "SL", 55), "echo-planar image"),
        (lambda block: block.add_new(0x13, "UN", b"\x37\0\0\0"), "echo-planar image"),
        (lambda block: block.add_new(0x13, "SL", 7), "t2"),  # a mixture of spin and gradient echoes
        (lambda block: block.add_new(0x03, "FL", 1000.0), "diffusion image"),
        (lambda block: block.add_new(0x03, "FL", 0.0), "t2"),
    ],
)
def test_an_echo_planar_image_of_philips_is_known_by_private_elements(tmp_path, change, name):
    def edit(header, number):
        header.Manufacturer = "Philips Medical Systems"
        change(header.private_block(0x2001, "Philips Imaging DD 001", create=True))

    (path, *_) = write_series(tmp_path, change=edit)
    assert contrast_of(facts_of(path, read_header(path).header).physics).name == name


@pytest.mark.parametrize(
    ("values", "bolus"),
    [(["DERIVED", "PRIMARY", "PERFUSION", "TTP"], True), (["DERIVED", "SECONDARY", "rCBV Basic"], True),
     (["DERIVED", "PRIMARY", "ASL", "CBF"], False), (["ORIGINAL", "PRIMARY", "M", "ND"], False)],
)  # fmt: skip
def test_a_map_of_a_perfusion_shows_that_a_contrast_agent_was_given(tmp_path, values, bolus):
    (path, *_) = write_series(tmp_path, change=set_all(ImageType=values))
    facts = facts_of(path, read_header(path).header)
    assert ("bolus" in facts.physics.hints) == bolus
    assert not (bolus and facts.derived)


@pytest.mark.parametrize(("kind", "bolus"), [("ASL", False), ("PERFUSION", True)])
def test_a_perfusion_with_labelled_spins_is_none_with_contrast_agent_whatever_it_is_called(tmp_path, kind, bolus):
    values = {"ImageType": ["ORIGINAL", "PRIMARY", kind, "NONE"], "SeriesDescription": "Perfusion_Weighted"}
    (path, *_) = write_series(tmp_path, change=set_all(**values))
    assert ("bolus" in facts_of(path, read_header(path).header).physics.hints) == bolus


def test_a_phase_image_of_ge_is_known_by_its_private_element(tmp_path):
    def phase(header, number):
        header.Manufacturer = "GE MEDICAL SYSTEMS"
        header.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 1)

    (path, *_) = write_series(tmp_path, change=phase)
    assert contrast_of(facts_of(path, read_header(path).header).physics).name == "phase image"


@pytest.mark.parametrize("names", [{"SequenceName": "epse2d1_90"}, {"PulseSequenceName": "SEEPI"}])
def test_an_echo_planar_image_without_its_code_is_known_by_the_name_of_the_sequence(tmp_path, names):
    (path, *_) = write_series(tmp_path, change=set_all(**names))
    assert contrast_of(facts_of(path, read_header(path).header).physics).name == "echo-planar image"


def test_an_enhanced_image_of_fat_is_known_by_its_frame_type(tmp_path):
    def fat(header):
        frame = Dataset()
        frame.FrameType = ["ORIGINAL", "PRIMARY", "DIXON", "FAT"]
        header.SharedFunctionalGroupsSequence[0].MRImageFrameTypeSequence = Sequence([frame])

    path = write_enhanced(tmp_path / "one", voxels(), change=fat)
    assert contrast_of(facts_of(path, read_header(path).header).physics).name == "fat image"


def test_facts_hold_numbers_and_codes_alone(tmp_path):
    change = set_all(
        SeriesDescription="Doe t2 knee", ScanningSequence=["SE", "Doe"], ImageType=["DERIVED", "PRIMARY", "Doe"]
    )
    path = write_series(tmp_path, voxels((1, 4, 4)), change=change)[0]
    facts = facts_of(path, read_header(path).header)
    assert "Doe" not in repr(facts)
    assert facts.derived and facts.physics.hints == ("t2",) and facts.physics.codes == ("SE",)
    assert math.isnan(facts.physics.ti)


def test_real_headers_are_taken_for_what_they_are(real_data):
    folder = real_data / "dicom"
    truth = {
        "siemens-trio-mixed-folder/36444280": "t2",
        "siemens-trio-mixed-folder/36747136": "t1",
        "siemens-trio-mixed-folder/36747043": "mosaic",
        "ge-signa-pd/brain_001.dcm": "pd",
        "single-slices/implicit_little.dcm": "flair",
        "siemens-dual-echo/00001.dcm": "unknown",
        "ge-3plane-localizer/i18246755.MRDC.15": "unknown",
        "siemens-mosaic-compressed/AxInt36mb/jp2k1.dcm": "mosaic",
    }
    (enhanced,) = (folder / "siemens-xa30-enhanced-t1").iterdir()
    truth[str(enhanced.relative_to(folder))] = "t1"
    found = {
        name: contrast_of(facts_of(folder / name, read_header(folder / name).header).physics).name for name in truth
    }
    assert found == truth
