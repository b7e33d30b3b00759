"""Several data sets as one; the name of each is the source of its subjects."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SeriesLocation, Source
from brain_cae.vocabulary import LabelMeaning

KEY = re.compile(r"(?<![\w/.@])dataset\.(?!parts\.)(?=[a-z])")
OTHER_SOURCE = re.compile(r"(?<![\w/.])dataset=(\w+) dataset\.root=")


@dataclass
class Combined:
    """Data sets by name; subject ``a`` of part ``x`` becomes ``x-a``, so that subjects of two parts never share a name.

    Parts in ``test_only`` are used neither for training nor for calibration. Each part says what its classes mean.
    ``locate`` raises DatasetError, with the name of the part, if a part cannot be read.
    """

    layout: ClassVar[str | None] = None
    meaning: ClassVar[LabelMeaning] = LabelMeaning()

    parts: dict[str, Any]
    test_only: list[str] = field(default_factory=list)
    name: str = field(default="combined", init=False)

    def locate(self) -> list[SeriesLocation]:
        """Return the series of every part."""
        return [
            replace(one, subject=f"{part}-{one.subject}", source=part)
            for part, source in self.parts.items()
            for one in _locate(part, source)
        ]

    @property
    def left_out(self) -> int:
        """How many subjects the parts did not write because of ``limit``."""
        return sum(getattr(source, "left_out", 0) for source in self.parts.values())

    def notes(self) -> list[str]:
        """Return the notes of every part, with its name in front."""
        return [f"{part}: {note}" for part, source in self.parts.items() for note in source.notes()]


def _locate(part: str, source: Source) -> list[SeriesLocation]:
    try:
        return source.locate()
    except DatasetError as error:
        # The message of the part names keys as dataset.…; here they are below dataset.parts.
        details = {
            name: text and KEY.sub(f"dataset.parts.{part}.", OTHER_SOURCE.sub(r"dataset.parts.\1.root=", text))
            for name, text in vars(error).items()
        }
        raise DatasetError(f"Part {part}: {details.pop('problem')}", **details) from error
