"""Simulate one person, from a number to pixels."""

from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from brain_cae.phantom.acquisition import Grid, acquire, place_grid, sample_canvas
from brain_cae.phantom.anatomy import Anatomy, Warp, brain_mask, brain_points, build_anatomy
from brain_cae.phantom.dimensions import vary_dimensions
from brain_cae.phantom.hyperintensity import add_hyperintensities
from brain_cae.phantom.lesion import Lesion, add_lesion, draw_any_lesion, draw_lesion, mass_effect, surface_depth
from brain_cae.phantom.motion import motion_of
from brain_cae.phantom.protocol import MODALITIES, Protocol, SeriesProtocol, draw_protocol
from brain_cae.phantom.settings import PhantomSettings, Stream
from brain_cae.phantom.shell import SHELL_MM, add_shell
from brain_cae.phantom.signal import TISSUES, Tissue, individual_tissues
from brain_cae.phantom.variation import VariedWarp


@dataclass(frozen=True)
class Series:
    """One series: stored pixels (slices, rows, columns) uint16, the grid in their header, and the settings."""

    modality: str
    pixels: np.ndarray
    grid: Grid
    settings: SeriesProtocol
    rescale: tuple[float, float]

    def volume(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rescaled volume (X, Y, Z) float32 with axes nearest to RAS+, and its (4, 4) affine in mm."""
        values = self.pixels.astype(np.float32) * np.float32(self.rescale[0]) + np.float32(self.rescale[1])
        return to_ras(values, self.grid)


@dataclass(frozen=True)
class Subject:
    """One simulated person.

    Args:
        number: Number of the subject, from 0.
        label: 0 = healthy, 1 = tumour (also where lesions are left out).
        age: Years.
        sex: F or M.
        year: Year of the examination.
        protocol: The scanner.
        series: Series by modality (t1, t2, flair, t1ce).
        lesion: The simulated lesion; None for a brain without.
        lesion_mask: Whole tumour on the grid of the FLAIR, (slices, rows, columns) bool.
    """

    number: int
    label: int
    age: int
    sex: str
    year: int
    protocol: Protocol
    series: dict[str, Series]
    lesion: Lesion | None
    lesion_mask: np.ndarray

    @property
    def identifier(self) -> str:
        """Return the identifier: five digits, as in RSNA-MICCAI."""
        return f"{self.number:05d}"

    def mask_volume(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the lesion mask (X, Y, Z) uint8 with axes nearest to RAS+, and its (4, 4) affine in mm."""
        return to_ras(self.lesion_mask.astype(np.uint8), self.series["flair"].grid)


@dataclass(frozen=True)
class Person:
    """Who is scanned, and on which scanner.

    Args:
        label: 0 = healthy, 1 = tumour.
        age: Years.
        sex: F or M.
        year: Year of the examination.
        protocol: The scanner.
    """

    label: int
    age: int
    sex: str
    year: int
    protocol: Protocol


def draw_person(settings: PhantomSettings, number: int) -> Person:
    """Draw a subject's age, sex and scanner; nothing is simulated.

    Args:
        settings: The cohort's settings.
        number: The subject's number, from 0 to ``settings.subjects - 1``.
    """
    label = int(settings.labels()[number])
    generator = settings.generator(number, Stream.PERSON)
    age, sex = int(np.clip(generator.normal(56, 14), 20, 88)), "FM"[int(generator.integers(2))]
    scan = settings.generator(number, Stream.PROTOCOL)
    protocol = draw_protocol(label, settings.confounding, scan)
    year = int(protocol.years[0] + scan.random() * (protocol.years[1] - protocol.years[0] + 1))
    return Person(label, age, sex, year, protocol)


def to_ras(pixels: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Turn (slices, rows, columns) into (X, Y, Z) with axes nearest to RAS+; return it with its (4, 4) affine."""
    volume, affine = pixels.transpose(2, 1, 0), grid.affine.copy()
    # By direction, not by step: a thick tilted slice can extend further along R than a pixel does.
    order = np.abs(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)).argmax(1)
    volume, affine[:3, :3] = volume.transpose(order), affine[:3, :3][:, order]
    for axis in range(3):
        if affine[axis, axis] < 0:
            volume = np.flip(volume, axis)
            affine[:3, 3] += affine[:3, axis] * (volume.shape[axis] - 1)
            affine[:3, axis] *= -1
    return np.ascontiguousarray(volume), affine


# Another number of threads sums in another order, and the rounding can change a pixel.
@threadpool_limits.wrap(limits=1)
def simulate_subject(settings: PhantomSettings, number: int, *, modalities: tuple[str, ...] = MODALITIES) -> Subject:
    """Simulate one subject in memory.

    Args:
        settings: The cohort's settings.
        number: The subject's number, from 0 to ``settings.subjects - 1``.
        modalities: Series to simulate. Each has separate random numbers, so leaving some out changes no other.
    """
    person = draw_person(settings, number)
    label, age, sex, year, protocol = person.label, person.age, person.sex, person.year, person.protocol
    anatomy, lesion, tumour = _build_brain(settings, number, age, sex, has_lesion=bool(label) and settings.lesions)
    tissue_generator = settings.generator(number, Stream.TISSUE)
    tissues = individual_tissues(protocol.field_t, tissue_generator)
    series = {m: _make_series(settings, number, m, anatomy, tissues, lesion, protocol) for m in modalities}
    reference = series.get("flair")
    mask = np.zeros((0, 0, 0), dtype=bool)
    if reference is not None:
        mask = sample_canvas(anatomy.onto_canvas(tumour), anatomy, reference.grid) > 0.5
        mask &= sample_canvas(anatomy.brain.astype(np.float32), anatomy, reference.grid) > 0.5
    return Subject(number, label, age, sex, year, protocol, series, lesion, mask)


def _build_brain(
    settings: PhantomSettings, number: int, age: int, sex: str, *, has_lesion: bool
) -> tuple[Anatomy, Lesion | None, np.ndarray]:
    margin = SHELL_MM if settings.head_shell else 4.0
    generator = settings.generator(number, Stream.ANATOMY)
    if settings.anatomy == "varied":
        warp: Warp = VariedWarp(age, sex, generator, settings.generator(number, Stream.VARIATION), margin_mm=margin)
    else:
        warp = Warp(age, sex, generator, margin_mm=margin)
    brain = brain_mask(warp)
    state = generator.bit_generator.state
    anatomy = build_anatomy(warp, brain, generator)
    lesion = None
    drawing = settings.generator(number, Stream.LESION)
    if has_lesion:
        lesion = (draw_any_lesion if settings.anatomy == "varied" else draw_lesion)(anatomy, drawing)
        near, points = brain_points(warp, brain)
        push = mass_effect(lesion, points, surface_depth(brain, warp.axes)[near])
        generator.bit_generator.state = state  # the same cortex, now pushed
        anatomy = build_anatomy(warp, brain, generator, push_mm=push)
    add_hyperintensities(anatomy, age, settings.generator(number, Stream.HYPERINTENSITY))
    tumour = np.zeros(anatomy.points.shape[1], dtype=np.float32)
    if lesion is not None:
        tumour = add_lesion(anatomy, lesion, drawing)
    if settings.head_shell:
        anatomy, tumour = add_shell(anatomy, tumour, generator)
    return anatomy, lesion, tumour


def _make_series(
    settings: PhantomSettings,
    number: int,
    modality: str,
    anatomy: Anatomy,
    tissues: dict[str, Tissue],
    lesion: Lesion | None,
    protocol: Protocol,
) -> Series:
    seed = np.random.SeedSequence((settings.seed, number, int(Stream.ACQUISITION), MODALITIES.index(modality)))
    generator = np.random.default_rng(seed)
    chosen = protocol.series[modality]
    if settings.dimensions == "varied":
        dimensions_seed = np.random.SeedSequence(
            (settings.seed, number, int(Stream.DIMENSIONS), MODALITIES.index(modality))
        )
        chosen = vary_dimensions(chosen, np.random.default_rng(dimensions_seed))
    tilt = float(np.clip(generator.standard_normal(), -2, 2)) * protocol.tilt_deg
    grid = place_grid(chosen, anatomy.brain, anatomy, tilt, generator)
    if modality == "t1ce":
        tissues = _with_contrast(tissues, lesion, protocol.field_t)
    mask = None
    if not settings.head_shell:
        mask = sample_canvas(anatomy.brain.astype(np.float32), anatomy, grid) > 0.5
    white = TISSUES[protocol.field_t]["white"]
    pixels = acquire(anatomy, tissues, white, protocol, chosen, grid, generator, mask=mask)
    motion = motion_of(settings, number, modality)
    if motion is not None:  # the pixels lie on the head as before; only the header no longer says where
        grid = replace(grid, affine=motion.affine @ grid.affine)
    return Series(modality, pixels, grid, chosen, protocol.rescale)


def _with_contrast(tissues: dict[str, Tissue], lesion: Lesion | None, field_t: float) -> dict[str, Tissue]:
    # In healthy brain the agent stays in the vessels (2-4 % of the volume); the choroid plexus has no barrier.
    concentration = {"white": 0.01, "grey": 0.025, "choroid": 0.6, "scalp": 0.1}
    concentration["rim"] = lesion.enhancement_mm if lesion else 0.0
    return tissues | {n: replace(tissues[n].enhanced(c, field_t)) for n, c in concentration.items()}
