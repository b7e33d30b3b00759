"""The simulated cohort, written once and then read in RSNA-MICCAI layout, where value 0 is truly healthy."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.keys import Between, OneOf
from brain_cae.scans.sources.base import SeriesLocation, check_modalities, some
from brain_cae.scans.sources.mask_folder import read_masks
from brain_cae.scans.sources.rsna_miccai import LABEL_TABLE, find_subjects, locate_series, match_values, read_values
from brain_cae.vocabulary import MODALITIES, LabelMeaning

# Name of the folder of a cohort, see PhantomSettings.key.
COHORT = re.compile("[0-9a-f]{16}")


@dataclass
class Phantom:
    """Brains simulated from tissue maps and the MR signal equations, with and without a glioma.

    ``root`` stores the cohorts, one per settings; ``confounding`` (0 to 1) is how strongly the protocol depends on
    the label. ``locate`` writes the cohort unless it is complete; without ``write`` it raises DatasetError instead.
    With ``head_shell``, scans have a skull. With ``misalignment_mm``, the head moves between the FLAIR and each other
    scan by up to that mean displacement, and the headers do not know it. ``left_out`` is how many subjects are not
    written because of ``limit``.
    """

    layout: ClassVar[str | None] = None

    root: str
    subjects: Annotated[int, Between(1, math.inf, "a number of subjects")] = 160
    seed: int = 0
    confounding: Annotated[float, Between(0, 1, "a share from 0 to 1")] = 0.0
    abnormal_fraction: Annotated[float, Between(0, 1, "a share from 0 to 1")] = 1 / 3
    lesions: bool = True
    head_shell: bool = False
    dimensions: Annotated[str, OneOf(("protocols", "varied"))] = "protocols"
    misalignment_mm: Annotated[float, Between(0, 50, "a length from 0 to 50 mm")] = 0.0
    anatomy: Annotated[str, OneOf(("smooth", "varied"))] = "smooth"
    workers: int = 1
    limit: int | None = None
    modalities: Sequence[str] = MODALITIES
    progress: bool = True
    write: bool = True
    name: str = field(default="phantom", init=False)
    left_out: int = field(default=0, init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        asked, self.subjects = self.subjects, min(self.subjects, self.limit or self.subjects)
        self.left_out = asked - self.subjects
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """Write the cohort unless it is complete, and return its series.

        Raises:
            ConfigurationError: ``root`` holds other things than simulated cohorts, such as scans to be read.
            DatasetError: The cohort is not complete, and nothing may be written.
        """
        self._refuse_other_data()
        # Imported here because the simulator loads packages that other data sets do not need.
        from brain_cae.phantom import PhantomSettings, write_cohort

        settings = PhantomSettings(
            subjects=self.subjects,
            seed=self.seed,
            confounding=self.confounding,
            abnormal_fraction=self.abnormal_fraction,
            lesions=self.lesions,
            head_shell=self.head_shell,
            dimensions=self.dimensions,
            misalignment_mm=self.misalignment_mm,
            anatomy=self.anatomy,
        )
        if not self.write and not (Path(self.root) / settings.key() / "complete").exists():
            raise DatasetError(
                "The simulated cohort has not been written yet.",
                expected=f"{self.subjects} simulated subjects",
                found="none",
                where=str(Path(self.root) / settings.key()),
                advice="`python train.py stop_after=import` writes and imports it.",
            )
        root = write_cohort(settings, Path(self.root), workers=self.workers, progress=self.progress)
        subjects = find_subjects(root)
        values, notes = match_values(subjects, read_values(root / LABEL_TABLE))
        masks, mask_notes = read_masks(root / "masks", subjects)
        self._notes = [*notes, *mask_notes]
        labels = {subject: "abnormal" if value else "healthy" for subject, value in values.items()}
        return locate_series(
            root,
            subjects,
            labels,
            masks,
            self.modalities,
            source=self.name,
            skull="on" if self.head_shell else "stripped",
        )

    def _refuse_other_data(self) -> None:
        root = Path(self.root)
        others = sorted(
            entry.name
            for entry in (root.iterdir() if root.is_dir() else ())
            if not entry.name.startswith(".") and not COHORT.fullmatch(entry.name)
        )
        if others:
            raise ConfigurationError(
                "dataset=phantom does not read a folder: it would write simulated brains into it, beside other data.",
                expected="a new or empty folder, or one of simulated cohorts",
                found=some(others),
                where=f"dataset.root={root}",
                advice="To read scans, say how they are arranged, such as dataset=folder, dataset=bids or "
                "dataset=dicom. To simulate brains, leave dataset.root out.",
            )

    @staticmethod
    def healthy_subjects(choice: Any, limit: int | None) -> int:
        """How many healthy brains the cohort will hold, which is known before it is written."""
        subjects = min(choice.subjects, limit or choice.subjects)
        return subjects - round(subjects * choice.abnormal_fraction)

    @property
    def meaning(self) -> LabelMeaning:
        """The truth: the cohort is simulated."""
        lesions = "simulated brains with a glioma" if self.lesions else "simulated brains, their gliomas left out"
        return LabelMeaning("simulated brains without a tumour", lesions, True)

    def notes(self) -> list[str]:
        """Return mismatches of scans and labels; a simulated cohort needs no caution about its labels."""
        return list(self._notes)
