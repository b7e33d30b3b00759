"""New brains that look like those of the model: the same ones under another name, processed or scanned again."""

from collections.abc import Mapping

import numpy as np

from brain_cae.audit.leakage import FEW, near_duplicates
from brain_cae.data.subject import PreparedSubject
from brain_cae.scans.sources.base import counted
from brain_cae.vocabulary import Serious


def lookalike_cautions(seen: np.ndarray, prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the serious caution about subjects that look like a brain that the model learnt from.

    A hash finds the same voxels only; this also finds a brain whose intensities were scaled or filtered. Few brains in
    all tell nothing, see :func:`brain_cae.audit.leakage.leakage`.

    Args:
        seen: Fingerprints of the brains that trained or calibrated, (n, blocks).
        prepared: New subjects by name.
    """
    new = {name: one.fingerprint for name, one in prepared.items() if one.fingerprint.size}
    if not len(seen) or not new or len(seen) + len(new) < FEW:
        return []
    names, first = list(new), len(seen)
    pairs = near_duplicates(np.concatenate([seen, np.stack(list(new.values()))]))
    alike = sorted({names[j - first] for i, j, _ in pairs if i < first <= j})
    text = (
        "{subject looks|subjects look} like {a brain|brains} that the model learnt from or was calibrated with, under "
        "another name, processed otherwise, or scanned again: {its score is|their scores are} not {that|those} of "
        "{a new brain|new brains}; leave {it|them} out"
    )
    return [Serious(caution, alike) for caution in counted({text: alike})]
