"""A brain that the model has seen is found again when its voxels have changed, and other brains are not."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from brain_cae.data.appearance import fingerprint
from brain_cae.stages.lookalikes import lookalike_cautions
from brain_cae.vocabulary import Serious

MASK = np.linalg.norm(np.indices((32, 32, 32)) - 15.5, axis=0) < 14


def brains(count: int, seed: int) -> list[np.ndarray]:
    """Return smooth random brains with a common part, (32, 32, 32)."""
    fields = [
        ndimage.gaussian_filter(np.random.default_rng([seed, n]).normal(size=MASK.shape), 4) for n in range(count)
    ]
    common = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=MASK.shape), 4)
    return [4 + (common + field) / common.std() for field in fields]


@pytest.fixture
def seen() -> np.ndarray:
    return np.stack([fingerprint(brain, MASK) for brain in brains(12, 1)])


def prepared(**volumes: np.ndarray) -> dict:
    return {name: SimpleNamespace(fingerprint=fingerprint(volume, MASK)) for name, volume in volumes.items()}


def test_a_scaled_and_noisy_copy_of_a_seen_brain_is_named(seen) -> None:
    copy = 7 * brains(12, 1)[3] + np.random.default_rng(5).normal(0, 0.5, MASK.shape)
    (caution,) = lookalike_cautions(seen, prepared(copy=copy, new=brains(1, 2)[0]))
    assert isinstance(caution, Serious) and caution.subjects == {"copy"}
    assert caution.startswith("1 subject looks like a brain that the model learnt from") and caution.endswith(": copy.")


def test_new_brains_alike_each_other_and_few_brains_have_no_caution(seen) -> None:
    new = brains(2, 2)
    assert lookalike_cautions(seen, prepared(a=new[0], b=new[0], c=new[1])) == []
    assert lookalike_cautions(seen[:4], prepared(a=brains(12, 1)[0])) == []
    assert lookalike_cautions(seen[:0], prepared(a=new[0])) == []
    assert lookalike_cautions(seen, {"a": SimpleNamespace(fingerprint=np.empty(0, np.float32))}) == []
