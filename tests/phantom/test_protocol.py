import numpy as np
import pytest

from brain_cae.phantom.protocol import PROTOCOLS, draw_protocol


def _drawn(label: int, confounding: float, count: int = 2000) -> np.ndarray:
    names = [p.name for p in PROTOCOLS]
    generators = (np.random.default_rng((label, i)) for i in range(count))
    return np.array([names.index(draw_protocol(label, confounding, g).name) for g in generators])


@pytest.mark.parametrize("label", [0, 1])
def test_without_confounding_all_protocols_are_equally_likely(label: int) -> None:
    counts = np.bincount(_drawn(label, 0.0), minlength=len(PROTOCOLS))
    assert len(counts) == 4
    assert np.abs(counts - 500).max() < 4.5 * np.sqrt(2000 * 0.25 * 0.75)


def test_full_confounding_splits_the_protocols_by_label() -> None:
    assert set(_drawn(0, 1.0, 200)) == {0, 1}
    assert set(_drawn(1, 1.0, 200)) == {2, 3}


def test_half_confounding_gives_three_quarters_from_the_half_of_the_label() -> None:
    share = np.mean(_drawn(1, 0.5) >= 2)
    assert share == pytest.approx(0.75, abs=4.5 * np.sqrt(0.75 * 0.25 / 2000))


def test_every_draw_uses_the_same_number_of_random_numbers() -> None:
    after = []
    for label, confounding in [(0, 0.0), (1, 1.0)]:
        generator = np.random.default_rng(5)
        draw_protocol(label, confounding, generator)
        after.append(generator.random())
    assert after[0] == after[1]


def test_protocols_differ_in_what_an_audit_reads() -> None:
    flairs = [p.series["flair"] for p in PROTOCOLS]
    assert {f.plane for f in flairs} == {"axial", "sagittal", "coronal"}
    assert {p.field_t for p in PROTOCOLS} == {1.5, 3.0}
    for name in ("rows", "columns", "thickness_mm", "tr_ms", "te_ms", "ti_ms"):
        assert len({getattr(f, name) for f in flairs}) == 4, name
    for flair in flairs:
        assert 100_000 <= flair.rows * flair.columns * np.mean(flair.slices) <= 250_000
