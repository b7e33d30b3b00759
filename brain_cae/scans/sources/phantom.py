"""The simulated cohort, written once and then read in RSNA-MICCAI layout, where value 0 is truly healthy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import MODALITIES, SeriesLocation, check_modalities
from brain_cae.scans.sources.rsna_miccai import compare_subjects, find_subjects, locate_series, read_values


@dataclass
class Phantom:
    """Brains simulated from tissue maps and the MR signal equations, with and without a glioma.

    ``folder`` stores the cohorts, one per settings; ``confounding`` (0 to 1) is how strongly the protocol depends on
    the label. ``locate`` writes the cohort unless it is complete; without ``write`` it raises DatasetError instead.
    With ``head_shell``, scans have a skull.
    """

    folder: Path | str
    subjects: int = 160
    seed: int = 0
    confounding: float = 0.0
    abnormal_fraction: float = 1 / 3
    lesions: bool = True
    head_shell: bool = False
    dimensions: str = "protocols"
    workers: int = 1
    modalities: Sequence[str] = MODALITIES
    progress: bool = True
    write: bool = True
    name: str = field(default="phantom", init=False)
    _notes: list[str] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(self.folder)
        self.modalities = check_modalities(self.modalities)

    def locate(self) -> list[SeriesLocation]:
        """Write the cohort unless it is complete, and return its series."""
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
        )
        if not self.write and not (Path(self.folder) / settings.key() / "complete").exists():
            raise DatasetError(
                "The simulated cohort has not been written yet.",
                expected=f"{self.subjects} simulated subjects",
                found="none",
                where=str(Path(self.folder) / settings.key()),
                advice="`python train.py stop_after=import` writes and imports it.",
            )
        root = write_cohort(settings, Path(self.folder), workers=self.workers, progress=self.progress)
        subjects = find_subjects(root)
        values = read_values(root / "train_labels.csv")
        labels = {subject: "abnormal" if value else "healthy" for subject, value in values.items()}
        self._notes = compare_subjects(subjects, labels)
        return locate_series(
            root,
            subjects,
            labels,
            self.modalities,
            source=self.name,
            skull="on" if self.head_shell else "stripped",
        )

    def notes(self) -> list[str]:
        """Return mismatches of scans and labels; a simulated cohort needs no caution about its labels."""
        return list(self._notes)
