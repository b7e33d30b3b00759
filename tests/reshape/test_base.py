from brain_cae.reshape import most_common


def test_most_common_prefers_the_larger_of_equally_common_dimensions():
    assert most_common([(2, 2, 2), (3, 3, 3), (2, 2, 2)]) == (2, 2, 2)
    assert most_common([(2, 2, 2), (3, 3, 3)]) == (3, 3, 3)
