"""Harmonisation of differences between scanners: one file per method, fitted on healthy brains only.

``spacing`` and ``histogram`` change images, ``combat`` and ``residualise`` change the transfer classifier's features.
"""

from brain_cae.harmonise.base import Brain, ImageHarmoniser
from brain_cae.harmonise.none import Unharmonised

__all__ = ["Brain", "ImageHarmoniser", "Unharmonised"]
