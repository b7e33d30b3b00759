"""The simulated cohort: written once, then read as the RSNA-MICCAI layout in which 0 is truly healthy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SeriesLocation, check_modalities
from brain_cae.scans.sources.rsna_miccai import compare_subjects, find_subjects, locate_series, read_values
from brain_cae.vocabulary import MODALITIES


@dataclass
class Phantom:
    """Brains simulated from tissue maps and the MR signal equations, with and without a glioma.

    ``folder`` keeps the written cohorts, one per settings; ``confounding`` (0 to 1) is how strongly protocol follows
    label. ``locate`` writes the cohort unless it is complete; without ``write`` it raises DatasetError instead. The
    skull is on where ``head_shell`` draws one.
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
        """Write the cohort where it is not complete yet, then list its series."""
        # Imported here because the simulator's anatomy pulls in packages that looking at a cohort does not need.
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
        """Say what does not fit in the written cohort; a simulated cohort needs no warning about its labels."""
        return list(self._notes)
