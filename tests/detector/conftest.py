"""A detector with an untrained network, calibrated with a few healthy brains; a brain with a lesion."""

from collections.abc import Callable

import numpy as np
import pytest

from brain_cae.data.subject import PreparedSubject
from brain_cae.detector.build import make_network, make_reshape, member_networks
from brain_cae.detector.detector import Detector
from brain_cae.scans.protocol import ProtocolGroups

from ..conftest import TINY_NETWORK, compose_config


@pytest.fixture(scope="session")
def make_detector(make_subject) -> Callable[..., Detector]:
    def make(*overrides: str, brains: int = 6) -> Detector:
        small = ["scoring.frame=[16,20,16]", *([] if "model=subspace" in overrides else TINY_NETWORK)]
        config = compose_config(*small, *overrides)
        healthy = [make_subject(f"h{seed}", seed=seed) for seed in range(brains)]
        reshape = make_reshape(config, 8).fit([subject.grid for subject in healthy])
        network = make_network(config)
        members = {name: make_network(chosen).eval() for name, chosen in member_networks(config).items()}
        detector = Detector(config, network and network.eval(), reshape, {}, ProtocolGroups(), [], members=members)
        detector.calibrate(healthy)
        return detector

    return make


@pytest.fixture
def detector(make_detector) -> Detector:
    return make_detector()


@pytest.fixture
def ill(make_subject) -> PreparedSubject:
    brain = make_subject("Jane", seed=77)
    lesion = np.zeros(brain.mask.shape, bool)
    lesion[8:16, 8:16, 6:12] = True
    object.__setattr__(brain, "lesion", lesion & brain.mask)
    return brain
