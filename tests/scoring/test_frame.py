import numpy as np

from brain_cae.scoring.frame import from_frame, to_frame


def ellipsoid(shape, centre, radii):
    grid = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"), axis=-1)
    return (((grid - np.asarray(centre)) / np.asarray(radii)) ** 2).sum(axis=-1) < 1


def test_the_same_position_in_two_brains_is_aligned_in_the_frame():
    small, large = (
        ellipsoid((40, 40, 30), (20, 18, 15), (9, 12, 8)),
        ellipsoid((60, 70, 24), (28, 36, 12), (22, 30, 10)),
    )
    places = []
    for mask in (small, large):
        inside = np.argwhere(mask)
        low, high = inside.min(axis=0), inside.max(axis=0)
        spot = low + 0.5 * (high - low) + np.array([0.2, -0.1, 0.1]) * (high - low)
        distance = np.linalg.norm((np.indices(mask.shape).transpose(1, 2, 3, 0) - spot) / (high - low), axis=-1)
        maps, framed = to_frame(np.exp(-((distance / 0.15) ** 2))[None], mask, (32, 32, 32))
        assert framed.mean() > 0.4
        places.append(np.argwhere(maps[0] * framed == (maps[0] * framed).max())[0])
    assert np.abs(places[0] - places[1]).max() <= 2


def test_a_smooth_map_survives_the_round_trip():
    mask = ellipsoid((40, 44, 36), (20, 22, 18), (16, 18, 14))
    waves = np.sin(np.indices(mask.shape).sum(axis=0) / 8.0)[None]
    maps, _ = to_frame(waves, mask, (40, 48, 40))
    core = ellipsoid((40, 44, 36), (20, 22, 18), (12, 14, 10))
    assert np.abs(from_frame(maps, mask)[0] - waves[0])[core].mean() < 0.05
    assert from_frame(maps, mask).shape == waves.shape
