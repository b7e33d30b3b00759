"""The model as one file that another hospital can score with, see :mod:`brain_cae.detector.bundle`."""

from pathlib import Path

from brain_cae.detector.bundle import pack
from brain_cae.exports import Export

OF = "model"


def export(work: Export) -> list[Path]:
    """Write ``export/model.zip``, or the file that the user named."""
    path = work.target or work.folder / "export" / "model.zip"
    pack(work.detector, work.run, path)
    return [path]
