"""The cache of findings, so that a fitted model does not examine the same brain twice."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings
from brain_cae.detector.lesions import Lesion
from brain_cae.files.atomic import LEFTOVER_AGE_S, remove_leftovers
from brain_cae.files.run_folder import RunFolder
from brain_cae.files.system_errors import where_allowed
from brain_cae.reshape import Group
from brain_cae.scoring.clusters import LesionCounts
from brain_cae.scoring.localisation import Localisation

VERSION = 8
"""Raise this number whenever the same model gives other findings for the same brain."""


class FindingsCache:
    """Findings on disk, keyed by the fingerprint of the model and by the content of the brain's arrays.

    They are reused when ``evaluate.py`` tries another classifier on a stored model. Anomaly maps are not stored: to
    write them, brains are examined again.

    Args:
        folder: Folder of the files, outside any run folder.
        detector: Fitted detector.
    """

    def __init__(self, folder: Path, detector: Detector) -> None:
        self.folder = RunFolder(folder / f"{VERSION}-{detector.fingerprint()}")
        remove_leftovers(self.folder.path, age_s=LEFTOVER_AGE_S)

    def load(self, subject: PreparedSubject) -> Findings | None:
        """Return the findings of this brain; None if it was not examined or its file is damaged."""
        try:
            stored = json.loads((self.folder / _name(subject)).read_text(encoding="utf-8"))
            stored["group"] = Group(**{key: _tuple(value) for key, value in stored["group"].items()})
            for values in stored["localisation"].values():
                values["overlaps"] = np.asarray(values["overlaps"])
            stored["distortion"]["network_spacing"] = np.asarray(stored["distortion"]["network_spacing"])
            stored["localisation"] = {name: Localisation(**values) for name, values in stored["localisation"].items()}
            stored["lesions"] = [
                Lesion(**{key: _tuple(value) for key, value in lesion.items()}) for lesion in stored["lesions"]
            ]
            counts = stored["lesion_counts"]
            stored["lesion_counts"] = None if counts is None else LesionCounts(**counts)
            return Findings(subject=subject.subject, **stored)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, subject: PreparedSubject, findings: Findings) -> None:
        """Store the findings of this brain, without the name of the subject; nothing in a cache that is only read."""
        content = asdict(findings)
        del content["subject"]
        text = json.dumps(content, default=lambda value: value.tolist())
        with where_allowed():
            self.folder.write(_name(subject), lambda path: path.write_text(text, encoding="utf-8"))


def _name(subject: PreparedSubject) -> str:
    # The same brain in a scan of other dimensions may belong to another reshape group.
    digest = hashlib.sha256(json.dumps([subject.start, subject.native_shape]).encode())
    for array in (subject.volume, subject.mask, subject.affine, subject.lesion, subject.to_template):
        digest.update(b"none" if array is None else f"{array.dtype}{array.shape}".encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return f"{digest.hexdigest()[:32]}.json"


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
