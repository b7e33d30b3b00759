"""Kind of image in a DICOM file, and the reason if it is not an anatomical MR image.

Only coded values are used (ImageType, frame type, SOP class, photometric interpretation, b-value), never free text.
Derived images are refused for their content, not for being derived: a reformatted T1 is a T1, and converters and
compressors mark every image as derived.
"""

from collections.abc import Sequence
from functools import lru_cache

from brain_cae.errors import ScanError
from brain_cae.scans.elements import Elements
from brain_cae.scans.file import DicomFile, refuse

STORAGE = "1.2.840.10008.5.1.4.1.1."
SECONDARY_CAPTURE = f"{STORAGE}7"
MR_IMAGES = tuple(f"{STORAGE}{number}" for number in ("4", "4.1", "4.3", "4.4"))
# Objects without an image that scanners and archives store among the images, some under the UID of their series.
OBJECTS = {
    f"{STORAGE}66.": "raw data",
    f"{STORAGE}88.": "structured report",
    f"{STORAGE}11.": "presentation state",
    f"{STORAGE}4.2.": "spectroscopy",
    f"{STORAGE}104.": "encapsulated document",
}
OTHER_OBJECT = "not an image"

# Values of ImageType and FrameType (DICOM PS3.3 C.8.3.1.1.1 and C.8.13.3.1) and vendor extensions; "_" is written as
# a space. The first match gives the kind.
KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "mosaic": (
        "all slices of a time point tiled into one image",
        frozenset({"MOSAIC", "VFRAME"}),  # Siemens; United Imaging
    ),
    "localiser": ("a planning image", frozenset({"LOCALIZER", "LOCALISER", "SCOUT", "SURVEY", "POSDISP", "GSP"})),
    "screenshot": (
        "a picture of a screen or a report",
        frozenset({"SCREEN SAVE", "SCREEN SAVED", "SCREENSAVE", "SCREENSHOT", "SCREEN CAPTURE", "CSA REPORT"}),
    ),
    "projection": (
        "many slices projected onto one plane",
        frozenset(
            {
                "PROJECTION IMAGE", "MIP", "MNIP", "MINIP", "MAX IP", "MIN IP", "MAXIMUM IP", "MINIMUM IP", "MAXIMUM",
                "MINIMUM", "CSA MIP", "CSA MINIP", "CSA MNIP", "COLLAPSE", "VRT", "SSD", "VOLUME RENDERING",
            }
        ),
    ),
    "diffusion image": (
        "a diffusion-weighted image or a map computed from such images",
        frozenset(
            {
                "DIFFUSION", "DWI", "DTI", "ADC", "ADC MAP", "DADC", "EADC", "EXP ADC", "EXPONENTIAL ADC",
                "ADC UNSPECIFIED", "APPARENT DIFFUSION", "APPARENT DIFFUSION COEFFICIENT", "AVERAGE DC", "FA",
                "FA MAP", "COLFA", "FRACTIONAL ANISO", "FRACTIONAL ANISOTROPY", "DIFFUSION ANISO", "DIFFUSION ISO",
                "DIFFUSION ATTNTD", "TRACE", "TRACEW", "TRACEW ADC", "TENSOR", "TENSOR B0", "CALC BVALUE",
            }
        ),
    ),
    "perfusion or functional image": (
        "blood flow or brain activity",
        frozenset(
            {
                "PERFUSION", "ASL", "CBF", "RCBF", "RELCBF", "CBV", "RCBV", "RELCBV", "MTT", "RELMTT", "TTP", "TMAX",
                "CEREBRAL BLOOD FLOW", "CEREBRAL BLOOD VOLUME", "MEAN TRANSIT TIME", "PBP", "GBP", "FMRI", "BOLD",
                "TTEST", "T TEST", "Z SCORE", "METABOLITE MAP",
            }
        ),
    ),
    "parameter map": (
        "a computed quantity, not a contrast",
        frozenset(
            {
                "T1 MAP", "T2 MAP", "T2* MAP", "T2STAR MAP", "T2 STAR MAP", "R1 MAP", "R2 MAP", "R2* MAP",
                "R2STAR MAP", "R2 STAR MAP", "PD MAP", "RHO MAP", "B0", "B0 MAP", "B1", "B1 MAP", "FIELD MAP",
                "TEMPERATURE", "QUANTITY", "QSM", "STD DEVIATION", "FAT FRACTION", "R1", "R2", "R2*",
            }
        ),
    ),
    "subtraction image": ("a difference of two scans", frozenset({"SUB", "SUBTRACTION", "SUBTRACT"})),
    "phase image": (
        "phase, real or imaginary part, not the magnitude",
        frozenset(
            {
                "PHASE", "PHASE MAP", "REAL", "IMAGINARY", "VELOCITY", "VELOCITY MAP", "FLOW ENCODED", "P FFE", "P SE",
                "P IR", "R FFE", "R SE", "R IR", "I FFE", "I SE", "I IR",
            }
        ),
    ),
}  # fmt: skip
# Words that give the kind wherever they stand in a value: vendors add planes, models and numbers ("MIP_SAG", "rCBF
# Basic", "MULTI_QMAP"), and some cut values at 16 characters ("PROJECTION IMAG").
WORDS: dict[str, frozenset[str]] = {
    "screenshot": frozenset({"SCREEN", "REPORT", "ERROR"}),
    "projection": frozenset({"MIP", "MIPT", "MINIP", "MNIP", "PJN", "PROJECTION", "CPR"}),
    "diffusion image": frozenset({"DIFFUSION", "DWI", "ISODWI", "DTI", "ADC", "EADC", "DADC", "TRACE", "TRACEW"}),
    "perfusion or functional image": frozenset(
        {
            "PERFUSION", "ASL", "CBF", "RCBF", "RELCBF", "CBV", "RCBV", "RELCBV", "MTT", "RELMTT", "TTP", "TMAX", "OEF",
            "CMRO2", "RCMRO2", "LEAKAGE", "RLEAKAGE",
        }
    ),
    "phase image": frozenset({"VELOCITY"}),
    "parameter map": frozenset({"MAP", "QMAP", "STDDEV"}),
    "subtraction image": frozenset({"SUBTRACTION"}),
}  # fmt: skip
# Images of another kind under the UID of a series that do not change what the others are; of a diffusion series, an
# image without diffusion weighting is no anatomical scan.
SEPARABLE = frozenset(
    {"phase image", "screenshot", "projection", "parameter map", "localiser", "not MR", "colour image"}
)
# Single letters give the part of the complex signal, but only in the third value (Siemens) or fourth (Philips).
COMPLEX_LETTERS = frozenset({"P", "R", "I"})
# GE stores it as a private number: 0 magnitude, 1 phase, 2 real, 3 imaginary.
GE_COMPLEX = (1, 2, 3)
# Private elements for the b-value in older software of the vendors.
B_VALUES = ("SiemensBValue", "PhilipsBValue", "GeBValue")
REFORMATTED = frozenset({"MPR", "REFORMATTED", "CSA MPR"})
# What is expected and found, of the kinds that are not in ``KINDS`` or have another expectation.
EXPLAINED = {
    "screenshot": ("an image from the scanner", "a secondary capture"),
    "not MR": ("Modality MR", "another modality"),
    "phase image": ("a magnitude image", KINDS["phase image"][0]),
    "inverted grey scale": ("high values for bright pixels", "MONOCHROME1"),
    "colour image": ("one value per pixel", "a colour or a palette"),
}
# Echoes that one excitation reads: 3 to 15 in a mixture of spin and gradient echoes, 20 and more in an EPI.
SINGLE_SHOT = 16
# GE adds this to b-values of multi-directional series.
GE_OFFSET = 10**9
GREY = ("", "MONOCHROME2")


def object_of(file: DicomFile) -> str:
    """Return what a file without pixels is, by its SOP class; ``""`` for an image, even if it lost its pixels."""
    if file.elements.has_pixels() or file.sop_class in MR_IMAGES:
        return ""
    if not file.sop_class:
        return "" if file.elements.text("Modality") in ("", "MR") else OTHER_OBJECT
    # Compared with a trailing dot, since other classes start with the same digits.
    name = f"{file.sop_class}."
    known = next((kind for start, kind in OBJECTS.items() if name.startswith(start)), "")
    return known or ("" if file.elements.whole("Rows", 0) else OTHER_OBJECT)


def check_kind(file: DicomFile, groups: Sequence[Elements] = ()) -> None:
    """Raise ScanError if the file, or one of its frames, is not an anatomical MR image.

    Args:
        file: The file.
        groups: Functional groups of an enhanced file, shared ones first; each frame may have another kind.

    Raises:
        ScanError: screenshot, not MR, colour image, inverted grey scale, or a reason of ``KINDS``.
    """
    kind = next(filter(None, (kind_of_image(file), *(kind_of_frame([group]) for group in groups))), "")
    if kind:
        raise refuse_kind(file, kind)


def refuse_kind(file: DicomFile, kind: str) -> ScanError:
    """Return the error for an image of this kind."""
    anatomical = "an anatomical image of the brain"
    return refuse(file, kind, *EXPLAINED.get(kind, (anatomical, KINDS[kind][0] if kind in KINDS else kind)))


def kind_of_image(file: DicomFile) -> str:
    """Return why a file is not an anatomical MR image: a key of ``KINDS`` or ``EXPLAINED``; ``""`` if it is one."""
    elements = file.elements
    if f"{elements.text('SOPClassUID')}.".startswith(f"{SECONDARY_CAPTURE}."):
        return "screenshot"
    if elements.text("Modality").upper() not in ("", "MR"):
        return "not MR"
    kind = kind_of(elements.texts("ImageType")) or kind_of(elements.texts("AcquisitionContrast"))
    if kind:
        return kind
    if max(elements.number("DiffusionBValue") or 0.0, _private_b_value(elements)) > 0:
        return "diffusion image"
    return "phase image" if _complex_part(elements) else _colour(elements)


def kind_of_frame(places: Sequence[Elements]) -> str:
    """Return the kind of a frame of an enhanced file, a key of ``KINDS``; ``""`` if it is anatomical.

    Args:
        places: The functional groups of the frame, then those shared by all.
    """
    types = [item for place in places for item in place.items("MRImageFrameTypeSequence")[:1]][:1]
    coded = [item.texts(name) for item in types for name in ("FrameType", "AcquisitionContrast")]
    coded += _siemens_types(places)
    kind = next(filter(None, map(kind_of, coded)), "")
    if kind:
        return kind
    diffusion = [item for place in places for item in place.items("MRDiffusionSequence")]
    if any((item.number("DiffusionBValue") or 0.0) > 0 for item in diffusion):
        return "diffusion image"
    return "phase image" if any(map(_complex_part, types)) else ""


def frame_types(groups: Sequence[Elements]) -> list[list[str]]:
    """Return the values of FrameType in functional groups of an enhanced file, whose ImageType is of all frames."""
    written = [item.texts("FrameType") for group in groups for item in group.items("MRImageFrameTypeSequence")]
    return [*written, *_siemens_types(groups)]


def _siemens_types(groups: Sequence[Elements]) -> list[list[str]]:
    """Return the values that stood in ImageType before, as Siemens writes them into enhanced files of XA software."""
    items = (item for group in groups for item in group.items("SiemensFrameSequence"))
    return [texts for item in items if (texts := item.texts("SiemensImageTypeText"))]


def kind_of(image_type: Sequence[str]) -> str:
    """Return the kind, a key of ``KINDS``, from the values of ImageType; ``""`` for an anatomical image."""
    return _kind_of(tuple(image_type))


@lru_cache(maxsize=1024)
def _kind_of(image_type: tuple[str, ...]) -> str:
    values = [" ".join(value.upper().replace("_", " ").split()) for value in image_type]
    for name, (_, known) in KINDS.items():
        if not known.isdisjoint(values):
            return name
    words = {word for value in values for word in value.split()}
    for name, telling in WORDS.items():
        if not telling.isdisjoint(words):
            return name
    return "phase image" if not COMPLEX_LETTERS.isdisjoint(values[2:4]) else ""


def is_derived(file: DicomFile) -> bool:
    """Return whether the image was computed from others (reformatted, filtered, converted) after acquisition.

    Its first value says so, or the second: a secondary image is made after the examination of the patient, as some
    programs mark reformatted images alone (DICOM PS3.3 C.7.6.1.1.2). Others mark them by a later value only.
    """
    values = [value.upper() for value in file.elements.texts("ImageType")]
    return values[:1] == ["DERIVED"] or values[1:2] == ["SECONDARY"] or not REFORMATTED.isdisjoint(values[2:])


def is_single_shot(elements: Elements) -> bool:
    """Return whether Philips's element says that one excitation reads a whole image, as in echo-planar imaging.

    Their ScanningSequence is SE or GR also for diffusion and function. Sequences that mix echoes (GRASE) read a few.
    """
    return (elements.number("PhilipsEpiFactor") or 0.0) >= SINGLE_SHOT


def is_echo_planar(elements: Elements) -> bool:
    """Return whether a classic header names echo-planar imaging, by its code or the element of Philips."""
    return "EP" in elements.texts("ScanningSequence") or is_single_shot(elements)


def _colour(elements: Elements) -> str:
    photometric = elements.text("PhotometricInterpretation")
    if photometric == "MONOCHROME1":
        return "inverted grey scale"
    return "colour image" if elements.whole("SamplesPerPixel", 1) != 1 or photometric not in GREY else ""


def _private_b_value(elements: Elements) -> float:
    # In other sequences than echo-planar ones, GE uses its element for something else. Philips writes no code for them.
    planar = "EP" in elements.texts("ScanningSequence")
    values = (elements.number(name) or 0.0 for name in B_VALUES if planar or name != "GeBValue")
    return max((value % GE_OFFSET for value in values), default=0.0)


def _complex_part(elements: Elements) -> bool:
    if elements.text("ComplexImageComponent").upper() in ("PHASE", "REAL", "IMAGINARY"):
        return True
    return elements.whole("GeImageKind", 0) in GE_COMPLEX
