"""Brain masks for scans with a skull, by a skull stripper that the user has installed.

Nothing is downloaded here: a tool, or the weights that it needs, is there before the run or the run does not start.
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
    """A command-line tool: how it is called in a folder with ``scan.nii.gz``, and the mask that it leaves there.

    ``weights`` (below the home folder) is what the tool would otherwise fetch by itself in the middle of a run.
    """

    command: str
    arguments: tuple[str, ...]
    mask: str
    install: str
    weights: str | None = None


STRIPPERS = {
    # Isensee et al., Human Brain Mapping 2019; trained on brains with tumours too.
    "hd_bet": Stripper(
        command="hd-bet",
        arguments=("-i", "scan.nii.gz", "-o", "brain.nii.gz", "--save_bet_mask", "--no_bet_image", "-device"),
        mask="brain_bet.nii.gz",
        install="pip install hd-bet, then run hd-bet once on any scan: it fetches its weights the first time.",
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
    """To be called before work starts.

    Raises:
        ConfigurationError: The tool, or the weights that it needs, is not on this machine.
    """
    if name == "none":
        return
    tool = STRIPPERS[name]
    found = f"no command `{tool.command}` on the PATH"
    if shutil.which(tool.command) is not None:
        if tool.weights is None or (Path.home() / tool.weights).is_file():
            return
        found = f"`{tool.command}` without its weights: no file {Path.home() / tool.weights}"
    raise ConfigurationError(
        f"The skull stripper {name} is not ready.",
        expected=f"`{tool.command}` on this machine; nothing is downloaded in the middle of a run",
        found=found,
        where="preprocess.skull_strip",
        advice=f"{tool.install} Or preprocess.skull_strip=none.",
    )


@dataclass(frozen=True)
class BrainMasks:
    """The masks of one tool (``none``: no tool) in a folder that all runs share, one per stored scan."""

    folder: Path
    tool: str
    reference: str

    def complete(self, index: pd.DataFrame, *, progress: bool) -> tuple[pd.DataFrame, dict[str, str]]:
        """Fill in a brain mask for every scan of the reference that has none and is not stripped.

        Args:
            index: Rows of the index; left as it is.
            progress: Draw a progress bar if this is a terminal.

        Returns:
            The index with ``brain_mask_path`` filled in and ``skull`` ``stripped`` for every subject with a mask: no
            later stage sees anything outside of it; and the subjects that got none, with the reason.
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
        # The stored scan's name is the hash of its content, position included.
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
        # Looking at a cohort's headers comes this way as well, and takes a second without it.
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
        # Whatever is wrong with the file, it is the tool's.
        raise _failed(tool, scan, f"a mask that cannot be read ({type(error).__name__})") from error
    if mask.shape != image.shape or not np.allclose(made.affine, image.affine, atol=1e-3):  # type: ignore[attr-defined]
        raise _failed(tool, scan, f"a mask on another grid, of shape {mask.shape}")
    if not mask.any() or mask.all():
        raise _failed(tool, scan, f"a mask of {int(mask.sum())} of {mask.size} voxels")
    return nibabel.Nifti1Image(mask.astype(np.uint8), image.affine)  # type: ignore[attr-defined]


def _failed(tool: Stripper, scan: Path, found: str) -> ScanError:
    return ScanError(
        "skull stripping failed",
        expected=f"a brain mask by {tool.command}",
        found=found,
        where=str(scan),
        advice="Run the tool on the scan by hand, or give a brain mask of your own.",
    )
