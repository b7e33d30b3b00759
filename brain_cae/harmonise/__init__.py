"""Remedies against differences between scanners: one file per choice, fitted on healthy brains alone.

``spacing`` and ``histogram`` act on images, ``combat`` and ``residualise`` on the transfer classifier's features.
"""

from brain_cae.harmonise.base import PROTOCOL, Brain, FeatureHarmoniser, ImageHarmoniser
from brain_cae.harmonise.none import Unharmonised

__all__ = ["PROTOCOL", "Brain", "FeatureHarmoniser", "ImageHarmoniser", "Unharmonised"]
