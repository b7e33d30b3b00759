"""A glioma prior: in which direction does a tumour change each contrast, and how do the contrasts add up?"""

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


def joint(maps: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the joint map (…) of directed maps (C, …): their weighted sum, or their mean without weights (C, …)."""
    return maps.mean(axis=0) if weights is None else (maps * weights).sum(axis=0)


def channel_weights(covariance: np.ndarray, modalities: list[str], sign: dict[str, str]) -> np.ndarray:
    """Return the weights with which directed z-scores add up to a matched filter.

    With the covariance S of the z-scores of healthy brains and the directions d of a tumour, S⁻¹d is the sum that tells
    a brain with an equal change in every contrast best from a healthy one (Fisher's discriminant); it is scaled to the
    variance 1 in healthy brains. What two contrasts show together in healthy brains counts less than what is new in
    each. A contrast that may change in both directions has no direction: it counts as independent of the others. No
    weight is negative.

    Args:
        covariance: (C, C, …).
        modalities: Name of each channel.
        sign: ``darker``, ``brighter`` or ``both`` for each modality.

    Returns:
        (C, …) float32.
    """
    directions = np.array([{"darker": -1.0, "brighter": 1.0, "both": 0.0}[sign[name]] for name in modalities])
    turned = np.moveaxis(covariance, (0, 1), (-2, -1)) * np.outer(directions, directions)
    channels = np.arange(len(modalities))
    turned[..., channels, channels] = np.maximum(np.diagonal(covariance), 1e-3)
    ones = np.ones((*turned.shape[:-1], 1), turned.dtype)
    weights = np.maximum(np.linalg.solve(turned + 1e-3 * np.eye(len(channels), dtype=turned.dtype), ones), 0)
    variance = np.swapaxes(weights, -1, -2) @ turned @ weights
    scaled = weights / np.sqrt(np.maximum(variance, 1e-6))
    return np.moveaxis(scaled[..., 0], -1, 0).astype(np.float32)
