"""Values of a DICOM header, read directly from the bytes that pydicom holds.

pydicom converts an element on access, with warnings, for every slice of a series; for the few values that place a
slice this took longer than reading the file. Malformed values count as absent.
"""

from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

# Tag and format of its bytes: text, decimal (text of numbers), short (uint16), double (float64).
TAGS = {
    "ImageType": (0x00080008, "text"),
    "SOPClassUID": (0x00080016, "text"),
    "Modality": (0x00080060, "text"),
    "ScanningSequence": (0x00180020, "text"),
    "EchoTime": (0x00180081, "decimal"),
    "EffectiveEchoTime": (0x00189082, "double"),
    "FrameType": (0x00089007, "text"),
    "ComplexImageComponent": (0x00089208, "text"),
    "DiffusionBValue": (0x00189087, "double"),
    "SeriesInstanceUID": (0x0020000E, "text"),
    "SeriesNumber": (0x00200011, "decimal"),
    "ImagePositionPatient": (0x00200032, "decimal"),
    "ImageOrientationPatient": (0x00200037, "decimal"),
    "SamplesPerPixel": (0x00280002, "short"),
    "PhotometricInterpretation": (0x00280004, "text"),
    "NumberOfFrames": (0x00280008, "decimal"),
    "Rows": (0x00280010, "short"),
    "Columns": (0x00280011, "short"),
    "PixelSpacing": (0x00280030, "decimal"),
    "BitsAllocated": (0x00280100, "short"),
    "BitsStored": (0x00280101, "short"),
    "PixelRepresentation": (0x00280103, "short"),
    "RescaleIntercept": (0x00281052, "decimal"),
    "RescaleSlope": (0x00281053, "decimal"),
    "SiemensHeaderCreator": (0x00190010, "text"),
    "SiemensBValue": (0x0019100C, "decimal"),
    "PhilipsImagingCreator": (0x20010010, "text"),
    "PhilipsBValue": (0x20011003, "double"),
    "GeParameterCreator": (0x00430010, "text"),
    "GeImageKind": (0x0043102F, "short"),
    "GeBValue": (0x00431039, "decimal"),
}
SEQUENCES = {
    "MRDiffusionSequence": 0x00189117,
    "MRImageFrameTypeSequence": 0x00189226,
    "MREchoSequence": 0x00189114,
    "PlanePositionSequence": 0x00209113,
    "PlaneOrientationSequence": 0x00209116,
    "PixelMeasuresSequence": 0x00289110,
    "PixelValueTransformationSequence": 0x00289145,
    "SharedFunctionalGroupsSequence": 0x52009229,
    "PerFrameFunctionalGroupsSequence": 0x52009230,
}
DATA = {"PixelData": 0x7FE00010, "FloatPixelData": 0x7FE00008, "DoubleFloatPixelData": 0x7FE00009}
UNDEFINED = 0xFFFFFFFF


class Elements:
    """Read-only view of one data set (a file, or an item of a sequence)."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._raw: dict[BaseTag, Any] = dict(dataset.items())

    def texts(self, name: str) -> list[str]:
        """Return the parts of a text element; empty if it is absent."""
        value = self._value(name)
        if isinstance(value, bytes):
            return [part.strip(" \0") for part in value.decode("latin-1").split("\\")] if value else []
        if value is None:
            return []
        return [str(value)] if isinstance(value, str) else [str(part) for part in value]

    def text(self, name: str) -> str:
        """Return the first part of a text element, ``""`` if it is absent."""
        return "".join(self.texts(name)[:1])

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return the numbers of an element; empty if it is absent or malformed."""
        value = self._value(name)
        if value is None:
            return ()
        try:
            if not isinstance(value, bytes):
                return tuple(map(float, value)) if hasattr(value, "__iter__") else (float(value),)
            kind = TAGS[name][1]
            if kind == "decimal":
                return tuple(map(float, value.rstrip(b" \0").split(b"\\")))
            if kind == "short":
                return (float(int.from_bytes(value[:2], "little" if self._is_little(name) else "big")),)
            number = self.dataset[TAGS[name][0]].value
            return (float(number),) if isinstance(number, float | int) else tuple(map(float, number))
        except (TypeError, ValueError, KeyError, NotImplementedError):
            return ()

    def number(self, name: str) -> float | None:
        """Return the first number of an element, None if there is none."""
        return next(iter(self.numbers(name)), None)

    def whole(self, name: str, otherwise: int) -> int:
        """Return the first number of an element as an integer, or ``otherwise``."""
        number = self.number(name)
        return int(number) if number is not None and abs(number) < 2**31 else otherwise

    def data(self) -> tuple[str, bytes] | None:
        """Return name and bytes of the pixel element (no bytes if they were left on disk); None without one."""
        for name, tag in DATA.items():
            element = self._raw.get(BaseTag(tag))
            if element is not None and (isinstance(element.value, bytes) or self._is_on_disk(element)):
                return name, element.value or b""
        return None

    def data_size(self) -> int:
        """Return the number of pixel bytes that the header declares, read or left on disk."""
        element = next((self._raw[BaseTag(tag)] for tag in DATA.values() if BaseTag(tag) in self._raw), None)
        return int(element.length) if isinstance(element, RawDataElement) else 0

    def end(self) -> int:
        """Return where the last element should end, in bytes from the start of the file; 0 if it is not declared."""
        last = next(reversed(self._raw.values()), None)
        if not isinstance(last, RawDataElement) or not self._is_on_disk(last) or last.length == UNDEFINED:
            return 0
        return int(last.value_tell + last.length)

    def has_overlay_in_pixels(self) -> bool:
        """Return whether unused bits of the pixels hold an overlay (retired, but written by older scanners)."""
        for group in range(0x6000, 0x6020, 2):
            element = self._raw.get(BaseTag((group << 16) | 0x0102))
            value = None if element is None else element.value
            if any(value) if isinstance(value, bytes) else value:
                return True
        return False

    def is_cut(self) -> bool:
        """Return whether the last element holds fewer bytes than declared: pydicom reads such files silently."""
        last = next(reversed(self._raw.values()), None)
        if not isinstance(last, RawDataElement) or last.value is None:
            return False
        return last.length != UNDEFINED and len(last.value) < last.length

    def items(self, sequence: str) -> list["Elements"]:
        """Return the items of a sequence; empty if it is absent."""
        tag = BaseTag(SEQUENCES[sequence])
        if tag not in self._raw:
            return []
        try:
            return [Elements(item) for item in self.dataset[tag].value or ()]
        except (TypeError, ValueError, AttributeError):
            return []

    @staticmethod
    def _is_on_disk(element: Any) -> bool:
        """Return whether pydicom left the element's value on disk."""
        return isinstance(element, RawDataElement) and element.value is None and element.length > 0

    def _value(self, name: str) -> Any:
        element = self._raw.get(BaseTag(TAGS[name][0]))
        return None if element is None else element.value

    def _is_little(self, name: str) -> bool:
        element = self._raw[BaseTag(TAGS[name][0])]
        return not isinstance(element, RawDataElement) or element.is_little_endian
