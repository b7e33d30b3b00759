import json

import numpy as np
import pytest
import torch

from brain_cae.reshape import Clustered, Isotropic, Modal, NativeGrid
from brain_cae.reshape.crop import Cropped
from brain_cae.reshape.network import from_network, network_shape, to_network

SMALL = NativeGrid((40, 48, 32), (2.0, 2.0, 3.0), ((5, 32), (6, 40), (2, 25)))
SAME = NativeGrid((40, 48, 32), (2.0, 2.0, 3.0), ((8, 31), (4, 44), (3, 30)))
LARGE = NativeGrid((80, 96, 30), (1.0, 1.0, 3.2), ((10, 64), (12, 80), (2, 26)))


@pytest.mark.parametrize(
    "strategy", [Clustered(), Modal(), Isotropic(spacing_mm=3.0)], ids=lambda one: type(one).__name__
)
def test_the_window_holds_every_brain_and_groups_are_those_of_the_whole_volumes(strategy):
    grids = [SMALL, SAME, LARGE]
    whole = type(strategy)(**({"spacing_mm": 3.0} if isinstance(strategy, Isotropic) else {})).fit(grids)
    cropped = Cropped(strategy, 8).fit(grids)
    for grid in grids:
        group, of_whole = cropped.group(grid), whole.group(grid)
        assert (group.name, group.size, group.known) == (of_whole.name, of_whole.size, of_whole.known)
        assert all(side % 8 == 0 for side in group.target) and network_shape(group, 8) == group.target
        volume = torch.zeros(1, *grid.shape)
        box = tuple(slice(*side) for side in grid.foreground)
        volume[(slice(None), *box)] = 1
        back = from_network(to_network(volume, group, 8), group, grid.shape)
        uncut = from_network(to_network(volume, of_whole, 8), of_whole, grid.shape)
        np.testing.assert_allclose(back[(slice(None), *box)], uncut[(slice(None), *box)], atol=1e-5)
    if not isinstance(strategy, Isotropic):
        assert cropped.group(SMALL).target == cropped.group(SAME).target
        assert np.prod(cropped.group(SMALL).target) < np.prod(whole.group(SMALL).target)


def test_a_brain_larger_than_all_training_brains_is_not_cut():
    cropped = Cropped(Clustered(), 8).fit([SMALL])
    wide = NativeGrid((40, 48, 32), (2.0, 2.0, 3.0), ((0, 40), (0, 48), (0, 32)))
    assert cropped.group(wide).target == (40, 48, 32) and cropped.group(wide).start == (0, 0, 0)
    assert cropped.group(wide).name == cropped.group(SMALL).name


def test_the_state_survives_a_round_trip():
    fitted = Cropped(Clustered(), 8).fit([SMALL, LARGE])
    again = Cropped(Clustered(), 8).restore(json.loads(json.dumps(fitted.state())))
    assert [again.group(grid) for grid in (SMALL, SAME, LARGE)] == [fitted.group(g) for g in (SMALL, SAME, LARGE)]
    assert again.groups() == fitted.groups() and fitted.groups()[0]["window"]
    again.know([(200, 200, 200)])
    assert not again.group(SMALL).known and fitted.group(SMALL).known
