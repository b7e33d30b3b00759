"""Brain masks for scans with a skull, from a skull stripper that the user has installed.

Nothing is downloaded: the tool and its weights must be installed before the run starts.
"""

import logging
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd

from brain_cae.errors import ConfigurationError, ScanError
from brain_cae.files.atomic import whole
from brain_cae.progress import track

log = logging.getLogger(__name__)


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


def require_stripper(name: str) -> None:
    """Check that a skull stripper is installed; call this before work starts.

    Raises:
        ConfigurationError: The tool or its weights are not installed on this machine.
    """
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


@dataclass(frozen=True)
class BrainMasks:
    """Masks from one tool (``none``: no tool), one file per stored scan, in a folder that all runs share."""

    folder: Path
    tool: str
    reference: str

    def complete(self, index: pd.DataFrame, *, progress: bool) -> tuple[pd.DataFrame, dict[str, str]]:
        """Add a brain mask for every reference scan that has none and still shows the skull.

        Args:
            index: Rows of the index; not modified.
            progress: Draw a progress bar if the output is a terminal.

        Returns:
            The index with ``brain_mask_path`` filled in, and the subjects without a mask with the reason. ``skull`` is
            ``stripped`` for every subject with a mask, since no later stage uses voxels outside it.
        """
        index, refused = index.copy(), {}
        rows = index.index[index["modality"] == self.reference]
        if self.tool != "none":
            with_skull = index.loc[rows].query("brain_mask_path == '' and skull != 'stripped'")
            bare = list(with_skull.index)
            for row in track(bare, "strip skulls", bar=progress):
                try:
                    index.at[row, "brain_mask_path"] = str(self._mask_of(Path(str(index.at[row, "path"]))))
                except ScanError as error:
                    refused[str(index.at[row, "subject"])] = error.reason
                    log.warning("%s is left out: %s", index.at[row, "subject"], error)
        masked = index.loc[rows].query("brain_mask_path != ''")["subject"]
        index.loc[index["subject"].isin(masked), "skull"] = "stripped"
        return index, refused

    def _mask_of(self, scan: Path) -> Path:
        # The file name of a stored scan is a hash of its voxels and affine.
        target = (self.folder / f"{scan.stem}_{self.tool}.nii.gz").absolute()
        if not target.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as work:
                mask = _strip(STRIPPERS[self.tool], scan, Path(work))
            with whole(target) as aside:
                nibabel.save(mask, aside)
        return target


def _strip(tool: Stripper, scan: Path, work: Path) -> nibabel.Nifti1Image:
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
        raise _failed(tool, scan, f"exit code {done.returncode}" + (f", {lines[-1][:200]}" if lines else ""))
    try:
        made = nibabel.load(work / tool.mask)
        mask = np.asanyarray(made.dataobj) > 0  # type: ignore[attr-defined]
    except Exception as error:
        # The tool wrote this file, so any error in it is an error of the tool.
        raise _failed(tool, scan, f"a mask that cannot be read ({type(error).__name__})") from error
    if mask.shape != image.shape or not np.allclose(made.affine, image.affine, atol=1e-3):  # type: ignore[attr-defined]
        raise _failed(tool, scan, f"a mask on another grid, of shape {mask.shape}")
    if not mask.any() or mask.all():
        raise _failed(tool, scan, f"a mask that marks {int(mask.sum())} of {mask.size} voxels")
    return nibabel.Nifti1Image(mask.astype(np.uint8), image.affine)  # type: ignore[attr-defined]


def _failed(tool: Stripper, scan: Path, result: str) -> ScanError:
    return ScanError(
        "skull stripping failed",
        expected=f"a brain mask from {tool.command}",
        found=result,
        where=str(scan),
        advice="Run the tool on this scan by hand, or provide a brain mask.",
    )
