from brain_cae.reshape import Fixed


def test_everything_goes_to_one_size(make_grid, make_grids):
    fixed = Fixed([8, 16, 24]).fit(make_grids([(1, 2, 3), (4, 5, 6)]))
    assert fixed.group(make_grid((100, 1, 7))).target == (8, 16, 24)
    assert fixed.groups()[0]["members"] == 2


def test_state_survives(make_grid, make_grids):
    fixed = Fixed([8, 16, 24]).fit(make_grids([(1, 2, 3)]))
    assert Fixed([9, 9, 9]).restore(fixed.state()).group(make_grid((5, 5, 5))) == fixed.group(make_grid((5, 5, 5)))


def test_dimensions_unlike_the_training_set_are_not_known(make_grid, make_grids):
    fixed = Fixed([8, 16, 24], tolerance=0.25).fit(make_grids([(60, 70, 30), (30, 80, 80)]))
    assert fixed.group(make_grid((66, 70, 33))).known
    assert not fixed.group(make_grid((200, 200, 200))).known
