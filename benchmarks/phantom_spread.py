"""How much healthy brains differ at the same place, by spatial frequency: real heads beside the phantom's.

The real heads are the elderly of docs/real-heads.md: ``<data>/nifti/nichart-demo/{t1,fl}``, T1 and FLAIR with skull.
Both are prepared as a run does it (aligned, stripped, divided by the median, brought into the frame of MNI152), both
are scanned by two scanners, and the spread is taken within a scanner. The phantom's people have the age of the real
ones, from 55 years on. Run from the project's root: ``python benchmarks/phantom_spread.py ../shared/data``.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae.data.preprocess import prepare_subject
from brain_cae.data.registration import align
from brain_cae.data.strippers import DEEPBET, brain_mask, deepbet_installed
from brain_cae.data.subject import PreparedSubject
from brain_cae.phantom import PhantomSettings, simulate_subject
from brain_cae.phantom.settings import ANATOMIES
from brain_cae.phantom.subject import draw_person
from brain_cae.scoring.frame import TEMPLATE_BOX, place_in_frame, to_frame

MODALITIES = ("t1", "flair")
VOXEL_MM = 2.0
FRAME = tuple(int(side) for side in (TEMPLATE_BOX[1] - TEMPLATE_BOX[0]) / VOXEL_MM)
WIDTHS_MM = (4.0, 8.0, 16.0, 32.0)
"""Full widths at half maximum of the Gaussians; the maps between two of them are a band."""

BANDS = ("4-8 mm", "8-16 mm", "16-32 mm", "> 32 mm")
SCANNERS = ("axial-3t", "sagittal-3t")
"""Those of the phantom with a T1 of about 2.5 mm in all directions, as fine as the real one after smoothing."""

SAME_PERSON = 0.6
YOUNGEST = 55
SEED = 501


@dataclass(frozen=True)
class Brain:
    """A brain in the frame of MNI152: scanner, maps by band (modality, band, X, Y, Z) and where they are valid."""

    scanner: str
    bands: np.ndarray
    mask: np.ndarray


def in_bands(prepared: PreparedSubject, scanner: str) -> Brain:
    """Return a prepared subject in the frame, smoothed inside the mask and split into bands that sum to the whole."""
    if prepared.to_template is None:
        raise ValueError(f"{prepared.subject} has no place in the template.")
    place = place_in_frame(prepared.affine, prepared.to_template)
    maps, mask = to_frame(prepared.volume, prepared.mask, FRAME, place)
    sigmas = np.array(WIDTHS_MM) / np.sqrt(8 * np.log(2)) / VOXEL_MM
    inside = mask.astype(np.float32)
    weights = [np.maximum(ndimage.gaussian_filter(inside, sigma), 1e-3) for sigma in sigmas]
    bands = []
    for one in maps:
        smooth = [ndimage.gaussian_filter(one * inside, s) / w for s, w in zip(sigmas, weights, strict=True)]
        bands.append([*(fine - coarse for fine, coarse in pairwise(smooth)), smooth[-1]])
    return Brain(scanner, np.array(bands, np.float32), mask)


def prepare(subject: str, paths: dict[str, Path], mask: Path | None = None, **choices) -> PreparedSubject:
    """Prepare one subject as a run does, with the FLAIR as the reference; the mask lies on the T1."""
    rows = [
        {
            "subject": subject,
            "modality": modality,
            "path": str(path),
            "brain_mask_path": str(mask) if mask and modality == "t1" else "",
            "lesion_mask_path": "",
            "skull": "stripped",
        }
        for modality, path in paths.items()
    ]
    return prepare_subject(
        pd.DataFrame(rows), modalities=list(MODALITIES), reference="flair", scaling="median", **choices
    )


def real_brains(data: Path, work: Path) -> Iterator[Brain]:
    """Align, strip and prepare the heads; two scans belong to one scanner if their FLAIR has the same dimensions."""
    for scan in sorted((data / "nifti" / "nichart-demo" / "t1").glob("*_T1.nii.gz")):
        subject = scan.name.removesuffix("_T1.nii.gz")
        paths = {"t1": scan, "flair": data / "nifti" / "nichart-demo" / "fl" / f"{subject}_FL.nii.gz"}
        t1, flair = (nibabel.load(path) for path in paths.values())
        mask = work / f"{subject}.nii.gz"
        nibabel.save(brain_mask(DEEPBET, scan, work), mask)
        prepared = prepare(subject, paths, mask, alignments={"t1": align(flair, t1)})
        yield in_bands(prepared, "x".join(map(str, sorted(flair.shape))))


def one_each(brains: Iterable[Brain]) -> list[Brain]:
    """Leave out the second scan of a person: its finest T1 map repeats the first (0.87; other pairs: 0.20 to 0.38)."""
    kept: list[Brain] = []
    for brain in brains:
        for other in kept:
            both = brain.mask & other.mask
            if np.corrcoef(brain.bands[0, 0][both], other.bands[0, 0][both])[0, 1] > SAME_PERSON:
                break
        else:
            kept.append(brain)
    return kept


def simulated_brains(anatomy: str, counts: dict[str, int], seed: int, work: Path) -> Iterator[Brain]:
    """Simulate healthy people of the same age; ``counts`` is their number by scanner."""
    settings = PhantomSettings(subjects=9999, seed=seed, abnormal_fraction=0.0, anatomy=anatomy)
    missing = dict(counts)
    for number in range(settings.subjects):
        person = draw_person(settings, number)
        name = person.protocol.name
        if person.age < YOUNGEST or not missing.get(name):
            continue
        missing[name] -= 1
        subject = simulate_subject(settings, number, modalities=MODALITIES)
        paths = {}
        for modality in MODALITIES:
            paths[modality] = work / f"{modality}.nii"
            nibabel.save(nibabel.Nifti1Image(*subject.series[modality].volume()), paths[modality])
        yield in_bands(prepare(subject.identifier, paths), name)
        if not any(missing.values()):
            return


def spread(brains: list[Brain], where: np.ndarray) -> np.ndarray:
    """Return the standard deviation within a scanner, root mean square over places: (modality, band)."""
    scanners = sorted({brain.scanner for brain in brains})
    squares, free = 0.0, 0
    for scanner in scanners:
        maps = np.stack([brain.bands[..., where] for brain in brains if brain.scanner == scanner])
        squares = squares + ((maps - maps.mean(0)) ** 2).sum(0)
        free += len(maps) - 1
    return np.sqrt((squares / free).mean(-1))


def contrast(brains: list[Brain], where: np.ndarray) -> np.ndarray:
    """Return the standard deviation over places of one brain, smoothed by 4 mm, the mean over brains: (modality,)."""
    return np.mean([brain.bands.sum(1)[..., where].std(-1) for brain in brains], axis=0)


def explained(brains: list[Brain], where: np.ndarray) -> np.ndarray:
    """Return the share of a left-out brain's variance that a PCA of the others explains: (modality, band + 1).

    The left-out brain is compared with the mean of its scanner without it; all components of the others are used. The
    last column is the sum of all bands, the map smoothed by 4 mm.
    """
    shares = []
    for left in range(len(brains)):
        others = brains[:left] + brains[left + 1 :]
        means = {
            scanner: np.mean([b.bands for b in others if b.scanner == scanner], axis=0)[..., where]
            for scanner in {b.scanner for b in brains}
        }
        rest = np.stack([b.bands[..., where] - means[b.scanner] for b in others], axis=2)
        one = brains[left].bands[..., where] - means[brains[left].scanner]
        rest = np.concatenate([rest, rest.sum(1, keepdims=True)], axis=1)
        one = np.concatenate([one, one.sum(1, keepdims=True)], axis=1)
        shares.append([[_share(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(rest, one, strict=True)])
    return np.mean(shares, axis=0)


def _share(others: np.ndarray, one: np.ndarray) -> float:
    """Return the share of the energy of ``one`` (N,) in the space that ``others`` (brains, N) span."""
    values, vectors = np.linalg.eigh((others @ others.T).astype(np.float64))
    kept = values > 1e-6 * values[-1]
    onto = vectors[:, kept].T @ (others @ one).astype(np.float64)
    return float((onto**2 / values[kept]).sum() / (one.astype(np.float64) ** 2).sum())


def measure(cohorts: dict[str, list[list[Brain]]]) -> dict[str, dict[str, float]]:
    """Return spread and explained share of each cohort, the mean over its draws, at the places all brains have."""
    where = np.logical_and.reduce([b.mask for draws in cohorts.values() for draw in draws for b in draw])
    figures: dict[str, dict[str, float]] = {}
    for name, draws in cohorts.items():
        sizes = np.sqrt(np.mean([spread(draw, where) ** 2 for draw in draws], axis=0))
        shares = np.mean([explained(draw, where) for draw in draws], axis=0)
        figures[name] = {}
        contrasts = np.mean([contrast(draw, where) for draw in draws], axis=0)
        for i, modality in enumerate(MODALITIES):
            figures[name][f"{modality} contrast"] = float(contrasts[i])
            figures[name] |= {f"{modality} spread {b}": float(sizes[i, j]) for j, b in enumerate(BANDS)}
            figures[name] |= {f"{modality} explained {b}": float(shares[i, j]) for j, b in enumerate((*BANDS, "all"))}
    return figures


def main() -> None:
    """Print the figures of the real heads and of each anatomy, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="folder with nifti/")
    parser.add_argument("--anatomy", nargs="+", choices=ANATOMIES, default=list(ANATOMIES))
    parser.add_argument("--draws", type=int, default=3, help="simulated cohorts to average")
    arguments = parser.parse_args()
    missing = None
    if not (arguments.data / "nifti" / "nichart-demo").is_dir():
        missing = f"no folder {arguments.data / 'nifti' / 'nichart-demo'} with real heads"
    elif not deepbet_installed():
        missing = "deepbet is not installed: pip install 'brain-cae[strip]'"
    if missing:
        print(f"Skipped: {missing}.")
        print(json.dumps({"name": "phantom_spread", "ratios": {}, "skipped": missing}))
        return
    with tempfile.TemporaryDirectory() as work:
        real = one_each(real_brains(arguments.data, Path(work)))
        sizes = [count for _, count in Counter(brain.scanner for brain in real).most_common()]
        counts = dict(zip(SCANNERS, sizes, strict=True))
        cohorts = {"real": [real]}
        for anatomy in arguments.anatomy:
            cohorts[anatomy] = [
                list(simulated_brains(anatomy, counts, SEED + draw, Path(work))) for draw in range(arguments.draws)
            ]
    figures = measure(cohorts)
    print(f"{len(real)} real heads; {arguments.draws} draws of as many simulated ones")
    print(f"{'figure':28s}" + "".join(f"{name:>10s}" for name in figures))
    for figure in figures["real"]:
        print(f"{figure:28s}" + "".join(f"{values[figure]:10.3f}" for values in figures.values()))
    print(json.dumps({"name": "phantom_spread", "ratios": {}, "figures": figures}))


if __name__ == "__main__":
    main()
