"""Who is counted by the figures of an evaluation, in which role, and with which cautions."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from brain_cae.vocabulary import ROLES


@dataclass(frozen=True, eq=False)
class Scope:
    """Subjects of an evaluation and what a reader must know of the way they were evaluated.

    Attributes:
        splits: Columns subject, role: the roles for which the stored detector was fitted.
        tested: Subjects that were tested by a detector fitted without them, whatever their role in ``splits``, as in
            a nested evaluation; None for an evaluation in which each subject has the role of ``splits``.
        min_per_class: Minimum number of subjects in each class for figures between the classes.
        cautions: Cautions beyond those of every evaluation.
        model_run: Run that the detector was loaded from; None if it has just been fitted.
        new_subjects: Whether the subjects are those of another data set than the one of the run.
    """

    splits: pd.DataFrame
    tested: pd.Index | None = None
    min_per_class: int = 1
    cautions: tuple[str, ...] = ()
    model_run: Path | None = None
    new_subjects: bool = False

    @property
    def roles(self) -> pd.Series:
        """Role of each subject (index: subject)."""
        if self.tested is not None:
            return pd.Series("test", index=self.tested)
        return self.splits.set_index("subject")["role"]

    @property
    def subjects(self) -> dict[str, int]:
        """Number of subjects in each role; tested subjects are counted in the role ``test`` and in their own."""
        counts = self.splits["role"].value_counts()
        numbers = {role: int(counts.get(role, 0)) for role in ROLES}
        return numbers if self.tested is None else numbers | {"test": len(self.tested)}
