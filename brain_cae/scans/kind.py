"""Kind of image in a DICOM file, and the reason if it is not an anatomical MR image.

Only coded values are used (ImageType, frame type, SOP class, photometric interpretation, b-value), never free text.
Derived images are refused for their content, not for being derived: a reformatted T1 is a T1, and converters and
compressors mark every image as derived.
"""

from collections.abc import Sequence

from brain_cae.scans.elements import Elements
from brain_cae.scans.file import DicomFile, refuse

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

# Values of ImageType and FrameType (DICOM PS3.3 C.8.3.1.1.1 and C.8.13.3.1) and vendor extensions; "_" is written as
# a space. The first match gives the kind.
KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "mosaic": (
        "all slices of a time point tiled into one image",
        frozenset({"MOSAIC", "VFRAME"}),  # Siemens; United Imaging
    ),
    "localiser": ("a planning image", frozenset({"LOCALIZER", "LOCALISER", "SCOUT", "SURVEY"})),
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
                "TEMPERATURE", "QUANTITY", "QSM", "STD DEVIATION", "FAT FRACTION",
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
# Single letters give the part of the complex signal, but only in the third value (Siemens) or fourth (Philips).
COMPLEX_LETTERS = frozenset({"P", "R", "I"})
# GE stores it as a private number: 0 magnitude, 1 phase, 2 real, 3 imaginary.
GE_COMPLEX = (1, 2, 3)
# Private elements for the b-value in older software of the vendors: element, creator of its private block.
B_VALUES = {
    "SiemensBValue": ("SiemensHeaderCreator", "SIEMENS MR HEADER"),
    "PhilipsBValue": ("PhilipsImagingCreator", "Philips Imaging DD 001"),
    "GeBValue": ("GeParameterCreator", "GEMS_PARM_01"),
}
# GE adds this to b-values of multi-directional series.
GE_OFFSET = 10**9
GREY = ("", "MONOCHROME2")


def check_kind(file: DicomFile, groups: Sequence[Elements] = ()) -> None:
    """Raise ScanError if the file is not an anatomical MR image.

    Args:
        file: The file.
        groups: Functional groups of an enhanced file, shared ones first; each frame may have another kind.

    Raises:
        ScanError: screenshot, not MR, colour image, inverted grey scale, or a reason of ``KINDS``.
    """
    elements = file.elements
    # Compared with a trailing dot, since other classes start with the same digits.
    if f"{elements.text('SOPClassUID')}.".startswith(f"{SECONDARY_CAPTURE}."):
        raise refuse(file, "screenshot", "an image from the scanner", "a secondary capture")
    modality = elements.text("Modality")
    if modality and modality != "MR":
        raise refuse(file, "not MR", "Modality MR", "another modality")
    frames = [item for group in groups for item in group.items("MRImageFrameTypeSequence")]
    for place, name in ((elements, "ImageType"), *((frame, "FrameType") for frame in frames)):
        kind = kind_of(place.texts(name))
        if kind:
            raise refuse(file, kind, "an anatomical image of the brain", KINDS[kind][0])
    diffusion = [item for group in groups for item in group.items("MRDiffusionSequence")]
    b_values = [place.number("DiffusionBValue") or 0.0 for place in (elements, *diffusion)]
    if max(*b_values, _private_b_value(elements)) > 0:
        raise refuse(file, "diffusion image", "an anatomical image of the brain", KINDS["diffusion image"][0])
    if _complex_part(elements) or any(_complex_part(frame) for frame in frames):
        raise refuse(file, "phase image", "a magnitude image", KINDS["phase image"][0])
    _check_colour(file)


def kind_of(image_type: Sequence[str]) -> str:
    """Return the kind, a key of ``KINDS``, from the values of ImageType; ``""`` for an anatomical image."""
    values = [" ".join(value.upper().replace("_", " ").split()) for value in image_type]
    for name, (_, known) in KINDS.items():
        if not known.isdisjoint(values):
            return name
    return "phase image" if not COMPLEX_LETTERS.isdisjoint(values[2:4]) else ""


def is_derived(file: DicomFile) -> bool:
    """Return whether the image was computed from others (reformatted, filtered, converted) after acquisition."""
    return file.elements.text("ImageType").upper() == "DERIVED"


def _check_colour(file: DicomFile) -> None:
    elements = file.elements
    photometric = elements.text("PhotometricInterpretation")
    if photometric == "MONOCHROME1":
        raise refuse(file, "inverted grey scale", "high values for bright pixels", "MONOCHROME1")
    if elements.whole("SamplesPerPixel", 1) != 1 or photometric not in GREY:
        raise refuse(file, "colour image", "one value per pixel", "a colour or a palette")


def _private_b_value(elements: Elements) -> float:
    # Only for echo-planar sequences: in others, GE uses its element for something else.
    if "EP" not in elements.texts("ScanningSequence"):
        return 0.0
    values = (
        elements.number(name) or 0.0 for name, (creator, owner) in B_VALUES.items() if elements.text(creator) == owner
    )
    return max((value % GE_OFFSET for value in values), default=0.0)


def _complex_part(elements: Elements) -> bool:
    if elements.text("ComplexImageComponent").upper() in ("PHASE", "REAL", "IMAGINARY"):
        return True
    return elements.text("GeParameterCreator") == "GEMS_PARM_01" and elements.whole("GeImageKind", 0) in GE_COMPLEX
