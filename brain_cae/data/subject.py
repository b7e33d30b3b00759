"""One prepared subject: what network and scores see of it. Its arrays may stay on disk until they are asked for."""

import io
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import nibabel
import numpy as np

from brain_cae.arrays.boxes import box_of
from brain_cae.files.atomic import whole, write_pieces
from brain_cae.reshape import NativeGrid, Shape

MAX_OFF_MM = 1e-3
"""Elements of an affine that differ by less place a voxel of a head within 1 mm."""


@dataclass(frozen=True)
class Shown:
    """What one scan shows, whatever its name says.

    Attributes:
        coverage_mm: Extent of its foreground from inferior to superior.
        looks_like: Contrast, see :func:`brain_cae.data.contrast.looks_like`; ``""`` if it cannot be told.
        evidence: The same in words.
        cut_cm2: Area in which the edge of its field of view cuts the brain, see
            :func:`brain_cae.data.contrast.cut_cm2`.
        side_ratio: How much brighter the right side is, see :func:`brain_cae.data.appearance.side_ratio`.
        alternation: How much every second slice is brighter, see :func:`brain_cae.data.appearance.alternation`.
    """

    coverage_mm: float
    looks_like: str = ""
    evidence: str = ""
    cut_cm2: float = 0.0
    alternation: float = 0.0
    side_ratio: float = 1.0


class _Array:
    """An attribute that holds an array, or the ``.npy`` file from which it is read whenever it is asked for.

    Nothing that was read is kept: a cohort of any size takes the memory of the brains that are worked on. Files that
    fit into free memory stay there by the operating system's cache, and leave it when the memory is needed.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Any: ...
    @overload
    def __get__(self, instance: object, owner: type) -> np.ndarray: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        if instance is None:
            raise AttributeError(self.name)  # to `dataclass`: a field without a default
        value = instance.__dict__[self.name]
        if not isinstance(value, Path):
            return value
        array = np.load(value, allow_pickle=False)
        return array.astype(np.float32) if array.dtype == np.float16 else array

    def __set__(self, instance: object, value: np.ndarray | Path | None) -> None:
        instance.__dict__[self.name] = value


@dataclass(frozen=True)
class MaskFacts:
    """What is worth a caution in a mask of the data set.

    Attributes:
        kind: ``brain`` or ``lesion``.
        cut: Whether it holds probabilities, or labels that were interpolated, of which the lower ones do not count.
        negative: Whether it marks nothing because all of its labels are below 0.
        beside: Modality of a scan with as many voxels along each axis, if the mask is on the grid of none; else empty.
        apart_mm: Distance to the grid of that scan.
        outside: Share of the mask that lies outside: of a lesion mask, outside the brain; of a brain mask, the scan.
        volume_ml: Volume within the scan.
        plausible: Whether a brain, or the part of it that the scan can show, may have this volume; of lesions, True.
        hole_ml: Volume of the holes in a brain mask.
    """

    kind: str
    cut: bool = False
    negative: bool = False
    beside: str = ""
    apart_mm: float = 0.0
    outside: float = 0.0
    volume_ml: float = 0.0
    plausible: bool = True
    hole_ml: float = 0.0


@dataclass(frozen=True, kw_only=True)
class PreparedSubject:
    """One subject's preprocessed volumes, the input of the network and of the scores.

    The arrays cover a box of the native grid, as a rule the bounding box of the mask: four fifths of a scan are air.

    Attributes:
        subject: Name of the subject.
        volume: (C, X, Y, Z) float32, scaled intensities, 0 outside the mask; modalities in configuration order.
        mask: (X, Y, Z) boolean, foreground that every modality covers.
        affine: (4, 4), RAS+ mm, of these arrays.
        lesion: (X, Y, Z) boolean lesion mask on the same grid, or None if there is none.
        source_affine: (4, 4) affine of the reference scan as stored, for maps in the original space.
        source_shape: (3,) shape of the reference scan as stored.
        appearance: Noise, smoothness, outline, background and histogram by name, see ``appearance.py``; and
            ``<modality>_covered``, the share of the reference's foreground that each other modality covers.
        fingerprint: (512,) block means of the reference scan; empty if not computed.
        shown: What each scan shows, by modality.
        to_template: (4, 4), from places in the reference (RAS+ mm) to the same places in MNI152; None where the skull
            is on, or no match was found.
        start: Index of the first voxel of the arrays on the native grid, which is the reference scan's after
            reorientation to RAS.
        whole: Dimensions of the native grid; None: those of the arrays.
        masks: What is worth a caution in the masks of the data set.
    """

    subject: str
    volume: _Array = _Array()
    mask: _Array = _Array()
    affine: np.ndarray
    lesion: _Array = _Array()
    source_affine: np.ndarray
    source_shape: Shape
    appearance: dict[str, float] = field(default_factory=dict)
    fingerprint: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    shown: dict[str, Shown] = field(default_factory=dict)
    to_template: np.ndarray | None = None
    start: Shape = (0, 0, 0)
    whole: Shape | None = None
    masks: tuple[MaskFacts, ...] = ()

    @property
    def native_shape(self) -> Shape:
        """Native dimensions (R, A, S) in voxels, before cropping."""
        if self.whole is not None:
            return self.whole
        x, y, z = self.mask.shape
        return x, y, z

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel size in mm (R, A, S)."""
        x, y, z = nibabel.affines.voxel_sizes(self.affine)
        return float(x), float(y), float(z)

    @property
    def foreground_ml(self) -> float:
        """Volume of the foreground in mL."""
        return float(self.mask.sum() * np.prod(self.spacing) / 1000)

    @property
    def has_lesion(self) -> bool:
        """Whether a lesion mask marks a voxel of the brain."""
        lesion = self.lesion
        return lesion is not None and bool((lesion & self.mask).any())

    @property
    def grid(self) -> NativeGrid:
        """Dimensions, spacing and bounding box of the mask, as a reshape strategy needs them."""
        box = box_of(self.mask)
        x, y, z = ((first + side.start, first + side.stop) for first, side in zip(self.start, box, strict=True))
        return NativeGrid(self.native_shape, self.spacing, (x, y, z))

    def in_memory(self) -> "PreparedSubject":
        """Return the subject with its arrays in memory, for work that looks at them more than once."""
        other = copy(self)
        other.__dict__.update(volume=self.volume, mask=self.mask, lesion=self.lesion)
        return other

    def with_volume(self, volume: np.ndarray | Path, appearance: dict[str, float]) -> "PreparedSubject":
        """Return the subject with other intensities; the other arrays are not read."""
        other = copy(self)
        other.__dict__.update(volume=volume, appearance=appearance)
        return other

    def kept(self, name: str, volume: np.ndarray) -> np.ndarray | Path:
        """Store another volume of this subject next to its arrays and return the file; in memory, where those are."""
        there = vars(self)["volume"]
        if not isinstance(there, Path):
            return volume
        path = there.with_name(f"{name}.npy")
        with whole(path) as aside:
            save_array(aside, volume.astype(np.float16))
        return path

    def on_grid(self, values: np.ndarray) -> np.ndarray:
        """Return values inside the mask (..., n) as arrays (..., X, Y, Z), 0 outside."""
        mask = self.mask
        arrays = np.zeros((*values.shape[:-1], *mask.shape), values.dtype)
        arrays[..., mask] = values
        return arrays

    def on_native_grid(self, arrays: np.ndarray) -> np.ndarray:
        """Return arrays (..., X, Y, Z) on the whole native grid, 0 outside of their box."""
        whole = np.zeros((*arrays.shape[:-3], *self.native_shape), arrays.dtype)
        x, y, z = (slice(first, first + size) for first, size in zip(self.start, arrays.shape[-3:], strict=True))
        whole[..., x, y, z] = arrays
        return whole


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an ``.npy`` file. NumPy itself does not say why it could not write a file on a full disk."""
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with path.open("wb") as stream:
        write_pieces(stream, content.getbuffer())


def cropped(subject: PreparedSubject) -> PreparedSubject:
    """Return the subject with its arrays cut to the bounding box of the mask."""
    volume, mask, lesion = subject.volume, subject.mask, subject.lesion
    box = box_of(mask)
    corner = np.eye(4)
    corner[:3, 3] = first = [side.start for side in box]
    x, y, z = (int(before + more) for before, more in zip(subject.start, first, strict=True))
    other = copy(subject)
    other.__dict__.update(
        volume=np.ascontiguousarray(volume[(slice(None), *box)]),
        mask=np.ascontiguousarray(mask[box]),
        lesion=None if lesion is None else np.ascontiguousarray(lesion[box]),
        affine=subject.affine @ corner,
        start=(x, y, z),
        whole=subject.native_shape,
    )
    return other


def to_source_space(values: np.ndarray, subject: PreparedSubject) -> nibabel.Nifti1Image:
    """Return a map (X, Y, Z) on the prepared grid as NIfTI with the axes, shape and affine of the original scan."""
    back = nibabel.orientations.ornt_transform(
        nibabel.orientations.axcodes2ornt("RAS"), nibabel.io_orientation(subject.source_affine)
    )
    data = nibabel.orientations.apply_orientation(subject.on_native_grid(values), back)
    image = nibabel.Nifti1Image(np.ascontiguousarray(data, dtype=np.float32), subject.source_affine)
    image.set_sform(subject.source_affine, code="scanner")
    image.set_qform(subject.source_affine, code="scanner")
    # Some viewers and ITK place an image by its qform, which cannot hold the shear of a few affines.
    if not np.allclose(image.get_qform(), subject.source_affine, atol=MAX_OFF_MM):
        image.set_qform(None)
    return image
