"""Strategies for feeding volumes of different dimensions to one network: one strategy per file."""

from brain_cae.reshape.base import (
    Group,
    NativeGrid,
    Reshape,
    Shape,
    most_common,
)
from brain_cae.reshape.clustered import Clustered
from brain_cae.reshape.fixed import Fixed
from brain_cae.reshape.isotropic import Isotropic
from brain_cae.reshape.modal import Modal

__all__ = [
    "Clustered",
    "Fixed",
    "Group",
    "Isotropic",
    "Modal",
    "NativeGrid",
    "Reshape",
    "Shape",
    "most_common",
]
