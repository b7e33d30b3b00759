"""Several data sets as one: each keeps its name as the source of its subjects."""

import re
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SeriesLocation, Source
from brain_cae.vocabulary import LabelMeaning


@dataclass
class Combined:
    """Data sets by name; subject ``a`` of part ``x`` becomes ``x-a``, so that names of two parts never meet.

    Parts in ``test_only`` neither teach nor calibrate. What the classes mean is for each part to say. ``locate`` raises
    DatasetError when a part cannot be read, with the part's name.
    """

    layout: ClassVar[str | None] = None
    meaning: ClassVar[LabelMeaning] = LabelMeaning()

    parts: dict[str, Any]
    test_only: list[str] = field(default_factory=list)
    name: str = field(default="combined", init=False)

    def locate(self) -> list[SeriesLocation]:
        """List the series of every part."""
        return [
            replace(one, subject=f"{part}-{one.subject}", source=part)
            for part, source in self.parts.items()
            for one in _locate(part, source)
        ]

    def notes(self) -> list[str]:
        """Repeat what each part says, with its name."""
        return [f"{part}: {note}" for part, source in self.parts.items() for note in source.notes()]


def _locate(part: str, source: Source) -> list[SeriesLocation]:
    try:
        return source.locate()
    except DatasetError as error:
        # The part speaks of its own keys; here they have a longer name.
        text = re.sub(r"(?<![\w/.])dataset\.(?=[a-z])", f"dataset.parts.{part}.", str(error))
        raise DatasetError(f"Part {part}: {text}") from error
