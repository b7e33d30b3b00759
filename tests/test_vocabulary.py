import re
from pathlib import Path

import numpy as np
import pytest

from brain_cae.configuration.options import option_names, read_option
from brain_cae.phantom import protocol
from brain_cae.phantom.acquisition import _DIRECTIONS
from brain_cae.scans.geometry import plane_of
from brain_cae.scans.sources.base import SPELLINGS
from brain_cae.vocabulary import CLASSES, HEALTHY_ROLES, LABELS, MODALITIES, PLANES, ROLES, SKULL_STATES, UNSEEN_ROLES

PACKAGE = Path(__file__).parents[1] / "brain_cae"
LISTS = (MODALITIES, CLASSES, LABELS, ROLES, HEALTHY_ROLES, UNSEEN_ROLES, SKULL_STATES, PLANES)


def test_the_phantom_simulates_every_modality_in_the_order_that_its_random_numbers_depend_on():
    assert protocol.MODALITIES == ("flair", "t1", "t1ce", "t2")
    assert set(protocol.MODALITIES) == set(MODALITIES)
    assert all(set(one.series) == set(MODALITIES) for one in protocol.PROTOCOLS)
    assert set(_DIRECTIONS) == set(PLANES)


def test_every_modality_has_a_spelling_and_an_option():
    assert set(SPELLINGS.values()) == set(MODALITIES)
    chosen = {name for option in option_names("modality") for name in read_option("modality", option)["names"]}
    assert chosen == set(MODALITIES)


def test_training_and_validation_subjects_are_not_unseen():
    assert HEALTHY_ROLES == ("train", "validation")
    assert UNSEEN_ROLES == ("classifier", "test")
    assert set(HEALTHY_ROLES) | set(UNSEEN_ROLES) == set(ROLES)


@pytest.mark.parametrize("axis", range(3))
def test_planes_are_in_the_order_of_their_normals(axis):
    assert plane_of(np.eye(3)[axis]) == ("sagittal", "coronal", "axial")[axis] == PLANES[axis]


def test_no_other_module_repeats_these_lists():
    """Exceptions: the phantom, whose random numbers depend on its order, and `Literal` types, which need literals."""
    written = {tuple(sorted(words)) for words in LISTS}
    tuples = re.compile(r"(Literal)?[\[(](\s*\"\w+\"(?:,\s*\"\w+\")+),?\s*[\])]")
    repeated = [
        f"{path.relative_to(PACKAGE)}: {match[2]}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "vocabulary.py" and path.parent.name != "phantom"
        for match in tuples.finditer(path.read_text(encoding="utf-8"))
        if not match[1] and tuple(sorted(re.findall(r"\w+", match[2]))) in written
    ]
    assert repeated == []
