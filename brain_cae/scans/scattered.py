"""Slices of one series whose files have different SeriesInstanceUIDs: some anonymisers and scanners write such."""

from collections.abc import Hashable, Iterator, Sequence

from brain_cae.scans.file import DicomFile

FEWEST = 3
UIDS = ("StudyInstanceUID", "FrameOfReferenceUID")
PHYSICS = ("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "SliceThickness", "Rows", "Columns")
CONTRAST_AGENT = 0x00180010


def join_scattered(groups: dict[str, list[DicomFile]]) -> set[str]:
    """Join the series of a single slice in ``groups`` (files by SeriesInstanceUID) that can be slices of one volume.

    These agree in series number and :func:`shared_facts`, and in the UIDs of study and frame of reference, unless these
    differ in every file as well. There must be at least three. Whether their positions are regular is left to the
    assembly.

    Returns:
        The names of the joined groups, which replace the others in ``groups``.
    """
    # By file: a name may be that of a part of a series that was divided.
    single = {id(files[0]): name for name, files in groups.items() if len(files) == 1 and is_slice(files[0])}
    joined = set()
    for files in _alike([groups[name][0] for name in single.values()]):
        names = [single[id(file)] for file in files]
        for name in names:
            del groups[name]
        groups[names[0]] = files
        joined.add(names[0])
    return joined


def have_repeated_numbers(files: Sequence[DicomFile]) -> bool:
    """Return whether an instance number occurs twice, so that the files come from several series."""
    numbers = [number for file in files if (number := file.elements.number("InstanceNumber")) is not None]
    return len(set(numbers)) < len(numbers)


def is_slice(file: DicomFile) -> bool:
    """Return whether a file is one classic slice with pixels."""
    return file.elements.has_pixels() and file.elements.whole("NumberOfFrames", 1) == 1


def shared_facts(file: DicomFile) -> tuple[Hashable, ...]:
    """Return what all slices of one volume have in common, besides identifiers: geometry, kind of image and physics."""
    elements = file.elements
    return (
        *(elements.text(name) for name in ("Modality", "SOPClassUID", "Manufacturer")),
        *(tuple(elements.texts(name)) for name in ("ImageType", "ScanningSequence")),
        *(elements.number(name) for name in PHYSICS),
        elements.plain(CONTRAST_AGENT),
        tuple(round(number, 3) for number in elements.lengths("ImageOrientationPatient", 6)),
        tuple(round(number, 4) for number in elements.lengths("PixelSpacing", 2)),
    )


def _alike(files: list[DicomFile]) -> Iterator[list[DicomFile]]:
    named = [name for name in UIDS if len({file.elements.text(name) for file in files}) < len(files)]
    clusters: dict[tuple, list[DicomFile]] = {}
    for file in files:
        identifiers = (*(file.elements.text(name) for name in named), file.elements.number("SeriesNumber"))
        clusters.setdefault((*identifiers, *shared_facts(file)), []).append(file)
    yield from (cluster for cluster in clusters.values() if len(cluster) >= FEWEST)
