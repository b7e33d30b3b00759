import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from brain_cae.phantom.protocol import PROTOCOLS
from brain_cae.phantom.signal import (
    TISSUES,
    Tissue,
    inversion_recovery,
    spin_echo,
    spoiled_gradient_echo,
)


def test_spin_echo_by_hand() -> None:
    # TE 0, TR = T1 ln 2: half of the magnetisation is back.
    assert spin_echo(Tissue(1000, 80, 0.8), tr_ms=1000 * np.log(2), te_ms=0) == pytest.approx(0.4)
    assert spin_echo(Tissue(1000, 80, 1.0), tr_ms=1e6, te_ms=80) == pytest.approx(np.exp(-1))


def test_spoiled_gradient_echo_is_largest_at_the_ernst_angle() -> None:
    tissue, tr = Tissue(900, 70, 1.0), 20.0
    ernst = np.rad2deg(np.arccos(np.exp(-tr / 900)))
    best = spoiled_gradient_echo(tissue, tr_ms=tr, te_ms=0, flip_angle_deg=ernst)
    assert best > spoiled_gradient_echo(tissue, tr_ms=tr, te_ms=0, flip_angle_deg=ernst + 2)
    assert best > spoiled_gradient_echo(tissue, tr_ms=tr, te_ms=0, flip_angle_deg=ernst - 2)
    full = spoiled_gradient_echo(tissue, tr_ms=1e7, te_ms=0, flip_angle_deg=90)
    assert full == pytest.approx(1.0)


@given(t1=st.floats(200, 5000), tr=st.floats(1000, 12000))
def test_the_signal_changes_its_sign_where_a_tissue_is_nulled(t1: float, tr: float) -> None:
    null = t1 * np.log(2 / (1 + np.exp(-tr / t1)))
    tissue = Tissue(t1, 100, 1.0)
    assert inversion_recovery(tissue, tr_ms=tr, te_ms=50, ti_ms=null) == pytest.approx(0, abs=1e-9)
    assert inversion_recovery(tissue, tr_ms=tr, te_ms=50, ti_ms=null * 0.9) < 0
    assert inversion_recovery(tissue, tr_ms=tr, te_ms=50, ti_ms=null * 1.1) > 0


def test_contrast_agent_shortens_t1_by_its_relaxivity() -> None:
    enhanced = Tissue(1000, 100, 1.0).enhanced(1.0, 3.0)
    assert 1000 / enhanced.t1_ms == pytest.approx(1.0 + 3.7)
    assert 1000 / enhanced.t2_ms == pytest.approx(10.0 + 5.2)
    assert Tissue(1000, 100, 1.0).enhanced(0.0, 1.5) == Tissue(1000, 100, 1.0)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda p: p.name)
def test_every_protocol_has_the_contrast_of_its_name(protocol) -> None:
    tissues = TISSUES[protocol.field_t]
    signal = {m: {n: abs(s.signal(t)) for n, t in tissues.items()} for m, s in protocol.series.items()}
    t1, t2, flair = signal["t1"], signal["t2"], signal["flair"]
    assert t1["white"] > 1.1 * t1["grey"] > 1.1 * t1["fluid"]
    assert t2["fluid"] > 1.5 * t2["grey"] > 1.5 * t2["white"]
    assert flair["oedema"] > 1.3 * flair["grey"] > 1.3 * flair["white"]
    assert flair["fluid"] < 0.25 * flair["white"]  # fluid is dark in every FLAIR
    assert flair["hyperintensity"] > 1.2 * flair["grey"]
