from brain_cae.reshape import Fixed


def test_everything_goes_to_one_size():
    fixed = Fixed([8, 16, 24]).fit([(1, 2, 3), (4, 5, 6)])
    assert fixed.group((100, 1, 7)).target == (8, 16, 24)
    assert fixed.groups()[0]["members"] == 2


def test_state_survives():
    fixed = Fixed([8, 16, 24]).fit([(1, 2, 3)])
    assert Fixed([9, 9, 9]).restore(fixed.state()).group((5, 5, 5)) == fixed.group((5, 5, 5))


def test_dimensions_unlike_the_training_set_are_not_known():
    fixed = Fixed([8, 16, 24], tolerance=0.25).fit([(60, 70, 30), (30, 80, 80)])
    assert fixed.group((66, 70, 33)).known
    assert not fixed.group((200, 200, 200)).known
