"""A glioma prior: in which direction does a tumour change each contrast?"""

import numpy as np


def directed(maps: np.ndarray, modalities: list[str], sign: dict[str, str], *, centre: float = 0.0) -> np.ndarray:
    """Return maps in which large values indicate a tumour.

    Args:
        maps: (C, …), for example z-scores.
        modalities: Name of each channel.
        sign: ``darker``, ``brighter`` or ``both`` for each modality.
        centre: The value that counts as unremarkable for ``both``.

    Returns:
        (C, …).
    """
    turned = [
        -channel if sign[name] == "darker" else channel if sign[name] == "brighter" else np.abs(channel - centre)
        for name, channel in zip(modalities, maps, strict=True)
    ]
    return np.stack(turned)


def joint(maps: np.ndarray) -> np.ndarray:
    """Return the joint map (…): the mean over modalities."""
    return maps.mean(axis=0)
