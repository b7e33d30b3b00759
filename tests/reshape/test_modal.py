import json

from brain_cae.reshape import Modal

SHAPES = [(64, 80, 30)] * 3 + [(30, 80, 80)] * 2 + [(66, 80, 31)]


def test_the_most_common_dimensions_are_the_target_of_all_volumes(make_grid, make_grids):
    modal = Modal().fit(make_grids(SHAPES))
    assert modal.groups() == [{"name": "modal", "target": [64, 80, 30], "members": 6}]
    assert modal.group(make_grid((30, 80, 80))).target == (64, 80, 30)


def test_state_survives_json_and_different_dimensions_are_unknown(make_grid, make_grids):
    modal = Modal(tolerance=0.25).fit(make_grids(SHAPES))
    again = Modal(tolerance=0.25).restore(json.loads(json.dumps(modal.state())))
    assert again.group(make_grid((66, 80, 31))) == modal.group(make_grid((66, 80, 31)))
    assert again.groups() == modal.groups()
    assert not again.group(make_grid((200, 200, 200))).known
