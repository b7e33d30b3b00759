"""Draw a page of phantom brains: a healthy and a tumour subject of each protocol in four modalities.

Run from the project's root: ``python benchmarks/phantom_page.py [--output docs/images/phantom.png]``.
"""

import argparse
import io
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from brain_cae.phantom import PhantomSettings, Subject, simulate_subject
from brain_cae.phantom.protocol import PROTOCOLS

NAMES = {"t1": "T1w", "t1ce": "T1wCE", "t2": "T2w", "flair": "FLAIR"}


def choose(settings: PhantomSettings) -> list[tuple[Subject, Subject]]:
    """Return for each protocol its first healthy subject and its first with a tumour of more than 5 mL."""
    chosen: dict[tuple[str, int], Subject] = {}
    for number in range(settings.subjects):
        subject = simulate_subject(settings, number)
        _, affine = subject.mask_volume()
        volume_ml = subject.lesion_mask.sum() * abs(np.linalg.det(affine[:3, :3])) / 1000
        if subject.label == 0 or volume_ml > 5:
            chosen.setdefault((subject.protocol.name, subject.label), subject)
        if len(chosen) == 2 * len(PROTOCOLS):
            break
    return [(chosen[p.name, 0], chosen[p.name, 1]) for p in PROTOCOLS]


def show(axes: Axes, subject: Subject, modality: str, plane: int, point: np.ndarray, *, contour: bool = False) -> None:
    """Draw the plane (0 sagittal, 1 coronal, 2 axial) through a point (RAS+ mm) of a series, in true proportions."""
    volume, affine = subject.series[modality].volume()
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    index = np.linalg.solve(affine[:3, :3], point - affine[:3, 3]).round().astype(int)[plane]
    index = int(np.clip(index, 0, volume.shape[plane] - 1))
    across, up = [axis for axis in range(3) if axis != plane]
    image = volume.take(index, plane).T
    top = np.percentile(volume[volume > 0], 99.7)
    axes.imshow(image, cmap="gray", origin="lower", aspect=spacing[up] / spacing[across], vmin=0, vmax=top)
    if contour and subject.lesion_mask.any():
        mask, _ = subject.mask_volume()
        if mask.take(index, plane).any():
            axes.contour(mask.take(index, plane).T, levels=[0.5], colors="#ff5a36", linewidths=0.9)
    axes.axis("off")


def centre(subject: Subject) -> np.ndarray:
    """Return the middle of the lesion, or a point at the level of the lateral ventricles, in RAS+ mm."""
    if not subject.lesion_mask.any():
        return np.array([18.0, 4.0, 14.0])
    mask, affine = subject.mask_volume()
    return affine[:3, :3] @ np.argwhere(mask).mean(0) + affine[:3, 3]


def draw(pairs: list[tuple[Subject, Subject]]) -> bytes:
    """Return the page as PNG."""
    figure, grid = plt.subplots(
        2 * len(pairs),
        6,
        figsize=(9.0, 3.1 * len(pairs)),
        facecolor="black",
        gridspec_kw={"wspace": 0.02, "hspace": 0.12},
    )
    for row, subject in enumerate(subject for pair in pairs for subject in pair):
        point = centre(subject)
        for column, modality in enumerate(NAMES):
            show(grid[row, column], subject, modality, 2, point, contour=modality == "flair")
        show(grid[row, 4], subject, "flair", 1, point, contour=True)
        show(grid[row, 5], subject, "flair", 0, point, contour=True)
        kind = "tumour" if subject.label else "healthy"
        text = f"{subject.protocol.name}, {kind}, {subject.age} years, {subject.sex}"
        grid[row, 0].set_title(text, color="white", fontsize=7, loc="left", pad=3)
        for column, name in enumerate([*NAMES.values(), "FLAIR coronal", "FLAIR sagittal"]):
            grid[row, column].text(0.02, 0.02, name, color="#9ad1ff", fontsize=6, transform=grid[row, column].transAxes)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=105, facecolor="black", bbox_inches="tight", pad_inches=0.08)
    plt.close(figure)
    # 128 colours are enough for grey images with a contour, and keep the page small.
    small = io.BytesIO()
    Image.open(buffer).convert("RGB").quantize(128).save(small, format="PNG", optimize=True)
    return small.getvalue()


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/images/phantom.png"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    page = draw(choose(PhantomSettings(seed=arguments.seed)))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_bytes(page)
    print(f"{arguments.output}: {len(page) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
