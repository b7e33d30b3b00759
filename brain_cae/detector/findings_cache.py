"""The store of findings: what a fitted model has found of a brain is not computed twice."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from brain_cae.data.preprocess import PreparedSubject
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings
from brain_cae.files.run_folder import RunFolder
from brain_cae.reshape import Group
from brain_cae.scoring.localisation import Localisation

VERSION = 1
"""Raised whenever an examination finds something else in the same brain with the same model."""


class FindingsCache:
    """Examinations on disk, keyed by everything that a model reads of itself and by the content of the brain's arrays.

    Another classifier on a stored model takes them from here. Anomaly maps are not kept: where they are to be written,
    brains are examined again.

    Args:
        folder: Where the files lie; outside of any run's folder.
        model: Fitted.
    """

    def __init__(self, folder: Path, model: Detector) -> None:
        self.folder = RunFolder(folder / f"{VERSION}-{model.fingerprint()}")

    def load(self, subject: PreparedSubject) -> Findings | None:
        """What was found of this brain; None where it was not examined, or where its file is damaged."""
        try:
            stored = json.loads((self.folder / _name(subject)).read_text(encoding="utf-8"))
            stored["group"] = Group(**{key: _tuple(value) for key, value in stored["group"].items()})
            for own in stored["localisation"].values():
                own["overlaps"] = np.asarray(own["overlaps"])
            stored["distortion"]["network_spacing"] = np.asarray(stored["distortion"]["network_spacing"])
            stored["localisation"] = {name: Localisation(**own) for name, own in stored["localisation"].items()}
            return Findings(subject=subject.subject, **stored)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, subject: PreparedSubject, found: Findings) -> None:
        """Store what was found of this brain; its name is not in the file."""
        content = asdict(found)
        del content["subject"]
        text = json.dumps(content, default=lambda value: value.tolist())
        self.folder.write(_name(subject), lambda path: path.write_text(text, encoding="utf-8"))


def _name(subject: PreparedSubject) -> str:
    digest = hashlib.sha256()
    for array in (subject.volume, subject.mask, subject.affine, subject.lesion):
        digest.update(b"none" if array is None else f"{array.dtype}{array.shape}".encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return f"{digest.hexdigest()[:32]}.json"


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
