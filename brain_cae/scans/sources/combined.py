"""Several data sets as one: each keeps its name as the source of its subjects."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SeriesLocation, Source


@dataclass
class Combined:
    """Data sets by name; subject ``a`` of part ``x`` becomes ``x-a``, so that names of two parts never meet.

    ``locate`` raises DatasetError when a part cannot be read, with the part's name.
    """

    parts: Mapping[str, Source]
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
