import numpy as np
from nibabel.affines import apply_affine
from nilearn import datasets
from scipy.spatial.transform import Rotation

from brain_cae.scoring.frame import from_frame, place_in_frame, to_frame


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
    back = from_frame(maps, mask)[0]
    assert back.shape == (mask.sum(),)
    assert np.abs(back - waves[0][mask])[core[mask]].mean() < 0.05


def test_the_same_place_in_the_template_has_the_same_position_whatever_the_grid():
    """Two scans of one brain, on other grids and elsewhere in the scanner, agree in the frame."""
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xyz", (12, -8, 20), degrees=True).as_matrix()
    turned[:3, 3] = (30, -15, 8)
    framed = []
    for shape, spacing, to_template in (
        ((50, 60, 52), (3.2, 3.2, 3.2), np.eye(4)),
        ((66, 80, 36), (2.4, 2.4, 4.8), turned),
    ):
        # The grid is centred on the brain of the template, as seen from this scan.
        affine = np.diag([*spacing, 1.0])
        affine[:3, 3] = np.linalg.inv(to_template)[:3] @ [0, -17, 4, 1] - np.diag(spacing) @ np.asarray(shape) / 2
        places = apply_affine(to_template @ affine, np.moveaxis(np.indices(shape), 0, -1))
        mask = (((places - [0, -17, 4]) / [65, 80, 70]) ** 2).sum(axis=-1) < 1
        waves = np.sin(places @ [0.05, 0.03, 0.04])[None]
        place = place_in_frame(affine, to_template)
        maps, inside = to_frame(waves, mask, (32, 40, 32), place)
        framed.append((maps[0], inside))
        back = from_frame(maps, mask, place)[0]
        core = (((places - [0, -17, 4]) / [55, 70, 60]) ** 2).sum(axis=-1) < 1
        assert np.abs(back - waves[0][mask])[core[mask]].mean() < 0.03
    both = framed[0][1] & framed[1][1]
    assert both.sum() > 0.95 * max(framed[0][1].sum(), framed[1][1].sum())
    assert np.abs(framed[0][0] - framed[1][0])[both].mean() < 0.03


def test_the_frame_holds_the_whole_brain_of_the_template():
    brain = datasets.load_mni152_brain_mask(resolution=2)
    places = apply_affine(place_in_frame(brain.affine, np.eye(4)), np.argwhere(np.asarray(brain.dataobj) > 0))
    assert places.min() > 0.005 and places.max() < 0.995
    assert (np.ptp(places, axis=0) > 0.85).all()
