"""No harmonisation: differences between scanners are audited, not removed."""

import numpy as np
from numpy.typing import NDArray

from brain_cae.harmonise.base import Brain, ImageHarmoniser


class Unharmonised(ImageHarmoniser):
    """Leaves every volume unchanged."""

    def apply(self, brain: Brain) -> NDArray:
        """Return the volume unchanged."""
        return np.asarray(brain.volume)
