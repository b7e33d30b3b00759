"""How volumes of different dimensions reach one network: one strategy per file."""

from brain_cae.reshape.base import Group, Reshape, Shape, from_network, most_common, to_network
from brain_cae.reshape.clustered import Clustered
from brain_cae.reshape.fixed import Fixed

__all__ = ["Clustered", "Fixed", "Group", "Reshape", "Shape", "from_network", "most_common", "to_network"]
