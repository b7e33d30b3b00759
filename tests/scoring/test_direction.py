"""In which direction a tumour changes each contrast."""

import numpy as np
import pytest

from brain_cae.scoring.direction import directed, joint


def test_directions():
    maps = np.array([-2.0, 3.0, 0.5]).reshape(3, 1, 1, 1)
    turned = directed(maps, ["t1", "flair", "t1ce"], {"t1": "darker", "flair": "brighter", "t1ce": "both"}, centre=1.0)
    assert turned.ravel().tolist() == [2.0, 3.0, 0.5]
    assert joint(turned).item() == pytest.approx(5.5 / 3)
