import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brain_cae.errors import ConfigurationError
from brain_cae.reshape import Clustered

AXIAL, SAGITTAL = [(64, 80, 30)] * 6 + [(66, 80, 31)] * 2, [(30, 80, 80)] * 5


def test_dimensions_are_clustered_and_the_mode_of_a_group_is_its_target(make_grid, make_grids):
    clustered = Clustered(tolerance=0.25).fit(make_grids(AXIAL + SAGITTAL))
    assert [(g["target"], g["members"]) for g in clustered.groups()] == [([64, 80, 30], 8), ([30, 80, 80], 5)]
    assert clustered.group(make_grid((66, 80, 31))).target == (64, 80, 30)


def test_the_number_of_groups_can_be_set(make_grids):
    assert len(Clustered(groups=3).fit(make_grids(AXIAL + SAGITTAL)).groups()) == 3
    with pytest.raises(ConfigurationError, match="at most 3"):
        Clustered(groups=4).fit(make_grids(AXIAL + SAGITTAL))


def test_a_new_volume_goes_to_the_nearest_and_is_known_only_within_the_tolerance(make_grid, make_grids):
    clustered = Clustered(tolerance=0.25).fit(make_grids(AXIAL + SAGITTAL))
    near, far = clustered.group(make_grid((60, 84, 28))), clustered.group(make_grid((200, 200, 200)))
    assert near.known and near.target == (64, 80, 30)
    assert not far.known


def test_state_survives_json(make_grid, make_grids):
    clustered = Clustered(tolerance=0.25).fit(make_grids(AXIAL + SAGITTAL))
    again = Clustered(tolerance=0.25).restore(json.loads(json.dumps(clustered.state())))
    assert again.group(make_grid((31, 80, 80))) == clustered.group(make_grid((31, 80, 80)))
    assert again.groups() == clustered.groups()


@settings(max_examples=40)
@given(shapes=st.lists(st.tuples(*[st.integers(8, 200)] * 3), min_size=1, max_size=25))
def test_no_group_is_wider_than_the_tolerance(make_grid, make_grids, shapes):
    clustered = Clustered(tolerance=0.3).fit(make_grids(shapes))
    assert sum(g["members"] for g in clustered.groups()) == len(shapes)
    targets = [tuple(g["target"]) for g in clustered.groups()]
    assert set(targets) <= set(shapes)
    for shape in shapes:
        group = clustered.group(make_grid(shape))
        assert group.known
        ratio = np.log(np.asarray(shape) / np.asarray(group.target))
        assert np.abs(ratio).max() <= np.log(1.3) + 1e-9


def test_order_of_subjects_does_not_matter(make_grids):
    shapes = AXIAL + SAGITTAL
    assert Clustered().fit(make_grids(shapes)).state() == Clustered().fit(make_grids(shapes[::-1])).state()
