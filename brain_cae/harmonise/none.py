"""Nothing is done: differences between scanners are audited, not removed."""

import numpy as np
from numpy.typing import NDArray

from brain_cae.harmonise.base import Brain, ImageHarmoniser


class Unharmonised(ImageHarmoniser):
    """Leaves every volume as it is."""

    def apply(self, brain: Brain) -> NDArray:
        """The volume itself."""
        return np.asarray(brain.volume)
