"""Skull strippers: deepbet, an optional package, and command-line tools that the user has installed.

Nothing is downloaded: a tool and its weights must be installed before the run starts. deepbet's package contains them.
"""

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from brain_cae.arrays.boxes import box_of
from brain_cae.errors import ConfigurationError, ScanError

DEEPBET = "deepbet"
"""Fisch et al., Computers in Biology and Medicine 179:108845, 2024; trained on T1 of healthy adults."""

INSTALL_DEEPBET = "pip install 'brain-cae[strip]'"

VERSION = 3
"""Raise this number whenever deepbet's masks change, so that stored ones are not used."""

SMALLEST_ML, LARGEST_ML = 600.0, 2300.0
"""No brain of an adult, with its fluid, is smaller or larger."""

AIR_MM = 30.0
"""Air that deepbet sees around a head, at most. It fits the whole field of view to one size: masks of four real heads
were the same, to a Dice of 0.99, with 0 to 45 mm of air on each side; with 80 mm, one of them was the head."""

COARSE_MM = 4.0
"""Distance of the voxels that tell where the head is."""

WHOLE_MM = 150.0
"""A scan that is at least this long along every axis shows the whole brain."""


@dataclass(frozen=True)
class Stripper:
    """A command-line tool: its call in a folder that holds ``scan.nii.gz``, and the mask file that it writes there.

    ``weights`` is the file, relative to the home folder, that the tool would otherwise download during a run.
    """

    command: str
    arguments: tuple[str, ...]
    mask: str
    install: str
    weights: str | None = None


STRIPPERS = {
    # Isensee et al., Human Brain Mapping 2019; training data include brains with tumours.
    "hd_bet": Stripper(
        command="hd-bet",
        arguments=("-i", "scan.nii.gz", "-o", "brain.nii.gz", "--save_bet_mask", "--no_bet_image", "-device"),
        mask="brain_bet.nii.gz",
        install="pip install hd-bet, then run hd-bet once on any scan: it downloads its weights the first time.",
        weights="hd-bet_params/release_2.0.0/fold_all/checkpoint_final.pth",
    ),
    # Hoopes et al., NeuroImage 2022; any contrast.
    "synthstrip": Stripper(
        command="mri_synthstrip",
        arguments=("-i", "scan.nii.gz", "-m", "mask.nii.gz"),
        mask="mask.nii.gz",
        install="Install FreeSurfer 7.3 or later and put its bin folder on the PATH.",
    ),
}


def deepbet_installed() -> bool:
    """Return whether the optional package deepbet is installed; it is not imported."""
    return find_spec(DEEPBET) is not None


def require_stripper(name: str, heads: Collection[str] = ()) -> None:
    """Check that a skull stripper is installed; call this before work starts.

    Args:
        name: The tool, or ``none``.
        heads: Subjects that must be stripped. Without any, deepbet is not required; the other tools always are.

    Raises:
        ConfigurationError: The tool or its weights are not installed on this machine.
    """
    if name == DEEPBET:
        if heads and not deepbet_installed():
            raise _without_deepbet(heads)
        return
    if name == "none":
        return
    tool = STRIPPERS[name]
    missing = f"no command `{tool.command}` on the PATH"
    if shutil.which(tool.command) is not None:
        if tool.weights is None or (Path.home() / tool.weights).is_file():
            return
        missing = f"`{tool.command}` without its weights: no file {Path.home() / tool.weights}"
    raise ConfigurationError(
        f"The skull stripper {name} is not installed completely.",
        expected=f"`{tool.command}` with its weights on this machine; nothing is downloaded during a run",
        found=missing,
        where="preprocess.skull_strip",
        advice=f"{tool.install} Or use preprocess.skull_strip=none.",
    )


def _without_deepbet(heads: Collection[str]) -> ConfigurationError:
    return ConfigurationError(
        "Scans with a skull must be stripped, but deepbet is not installed.",
        expected="deepbet, or a brain mask for every scan with a skull",
        found=f"{len(heads)} subjects to strip, such as {', '.join(list(heads)[:5])}",
        where="preprocess.skull_strip",
        advice=f"Install it: {INSTALL_DEEPBET}. Or provide brain masks. If the scans are stripped already, say so: "
        "dataset.skull=stripped.",
    )


def brain_mask(tool: str, scan: Path, folder: Path) -> nibabel.Nifti1Image:
    """Return the brain mask (uint8) of a scan on its grid.

    Args:
        tool: ``deepbet`` or one of ``STRIPPERS``.
        scan: NIfTI file, (X, Y, Z).
        folder: Folder for the working folder of a command-line tool.

    Raises:
        ScanError: The tool fails or returns no usable mask, or deepbet's mask has a volume that no brain has.
        ConfigurationError: deepbet is not installed.
    """
    if tool == DEEPBET:
        return _deepbet(scan)
    # Named like every temporary folder, so that it is removed after a process that was killed.
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{scan.stem}.part-") as work:
        return _call(STRIPPERS[tool], scan, Path(work))


def _deepbet(scan: Path) -> nibabel.Nifti1Image:
    if not deepbet_installed():
        raise _without_deepbet([scan.name])
    stored = nibabel.load(scan)
    image = nibabel.Nifti1Image(np.asarray(stored.dataobj, np.float32), stored.affine)  # type: ignore[attr-defined]
    box = _near_head(image)
    near = image.slicer[box]
    try:
        _, made, _ = _extraction().run(near)
    except Exception as error:
        # deepbet raises whatever its arrays raise where it sees no brain.
        raise _failed(DEEPBET, scan, f"{type(error).__name__}: {str(error)[:200]}") from error
    made = _checked(made, near, DEEPBET, scan)
    marked = np.zeros(image.shape, np.uint8)
    marked[box] = made.dataobj
    mask = nibabel.Nifti1Image(marked, image.affine)
    _check_volume(mask, scan)
    return mask


def _near_head(image: nibabel.Nifti1Image) -> tuple[slice, slice, slice]:
    """Return the part of a scan (X, Y, Z) without the air further than ``AIR_MM`` from the head."""
    # Imported here because looks at headers also import this module, and need no SciPy.
    from brain_cae.data.foreground import foreground_mask

    spacing = nibabel.affines.voxel_sizes(image.affine)
    steps = np.maximum(1, COARSE_MM // spacing).astype(int)
    some = np.asarray(image.dataobj)[tuple(slice(None, None, step) for step in steps)]
    box = box_of(foreground_mask(some, image.affine @ np.diag([*steps, 1])))
    air = np.ceil(AIR_MM / spacing).astype(int)
    x, y, z = (
        slice(max(0, int(one.start * step - more)), int(one.stop * step + more))
        for one, step, more in zip(box, steps, air, strict=True)
    )
    return x, y, z


@functools.cache
def _extraction() -> Any:
    """Return deepbet's networks, loaded once in each process."""
    # Imported here because reading headers also imports this module, and torch is slow to import.
    from deepbet import BrainExtraction

    return BrainExtraction(no_gpu=True)


def smallest_ml(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """Return the least volume (mL) of a brain, or of its part that a scan of this shape and spacing (mm) shows."""
    # A slab may lie near the vertex, where it shows only a cap: its volume grows with the square of its height.
    shown = min(1.0, float((np.asarray(shape) * spacing).min()) / WHOLE_MM)
    return SMALLEST_ML * shown**2


def _check_volume(mask: nibabel.Nifti1Image, scan: Path) -> None:
    """Check that the volume is one of a brain, or of the part of it that the scan can show.

    Raises:
        ScanError: The mask is too small or too large.
    """
    spacing = nibabel.affines.voxel_sizes(mask.affine)
    volume = float((np.asarray(mask.dataobj) > 0).sum() * np.prod(spacing) / 1000)
    low = smallest_ml(mask.shape, spacing)
    if not low <= volume <= LARGEST_ML:
        raise ScanError(
            "skull stripping failed",
            expected=f"a brain of {low:.0f} to {LARGEST_ML:.0f} mL",
            found=f"a mask of {volume:.0f} mL from {DEEPBET}",
            where=str(scan),
            advice="Look at the scan: deepbet is trained on T1 of healthy adults. Or provide a brain mask.",
        )


def _call(tool: Stripper, scan: Path, work: Path) -> nibabel.Nifti1Image:
    image = nibabel.load(scan)
    nibabel.save(image, work / "scan.nii.gz")
    arguments = list(tool.arguments)
    if arguments[-1] == "-device":
        # Imported here because reading headers also imports this module, and torch is slow to import.
        import torch

        arguments += ["cuda"] if torch.cuda.is_available() else ["cpu", "--disable_tta"]
    done = subprocess.run([tool.command, *arguments], cwd=work, capture_output=True, text=True, errors="replace")
    if done.returncode or not (work / tool.mask).is_file():
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise _failed(tool.command, scan, f"exit code {done.returncode}" + (f", {lines[-1][:200]}" if lines else ""))
    try:
        made = nibabel.load(work / tool.mask)
        return _checked(made, image, tool.command, scan)
    except ScanError:
        raise
    except Exception as error:
        # The tool wrote this file, so any error in it is an error of the tool.
        raise _failed(tool.command, scan, f"a mask that cannot be read ({type(error).__name__})") from error


def _checked(made: Any, image: Any, tool: str, scan: Path) -> nibabel.Nifti1Image:
    """Return a mask as uint8 if it lies on the grid of the scan and marks some of its voxels."""
    mask = np.asanyarray(made.dataobj) > 0
    if mask.shape != image.shape or not np.allclose(made.affine, image.affine, atol=1e-3):
        raise _failed(tool, scan, f"a mask on another grid, of shape {mask.shape}")
    if not mask.any() or mask.all():
        raise _failed(tool, scan, f"a mask that marks {int(mask.sum())} of {mask.size} voxels")
    return nibabel.Nifti1Image(mask.astype(np.uint8), image.affine)


def _failed(tool: str, scan: Path, result: str) -> ScanError:
    return ScanError(
        "skull stripping failed",
        expected=f"a brain mask from {tool}",
        found=result,
        where=str(scan),
        advice="Run the tool on this scan by hand, or provide a brain mask.",
    )
