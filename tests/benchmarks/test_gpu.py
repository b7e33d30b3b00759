"""The benchmark of the GPU runs on the CPU with small volumes, and its last line holds every figure."""

import json

import pytest

from .conftest import load_benchmark

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def gpu():
    """The benchmark as a module."""
    return load_benchmark("gpu")


def last_line(capsys) -> dict:
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_every_figure_is_measured_for_both_networks(gpu, capsys) -> None:
    gpu.main(["--tiny"])
    result = last_line(capsys)
    assert (result["name"], result["left_out"]) == ("gpu", [])
    figures = result["figures"]
    for network in ("cae", "subpixel"):
        for setting in figures[f"tiny.{network}.step"].values():
            assert setting["volumes_per_s"] > 0 and setting["gflop_per_volume"] > 0.1
            # The convolutions are a part of the step, so they reach a larger share of the peak.
            assert 0 < setting["step_of_peak"] < 1.5 * setting["convolutions_of_peak"]
        training = figures[f"tiny.{network}.training"]
        assert training["stable"] and training["losses"][-1] < training["losses"][0] and len(training["losses"]) == 6
        assert 0 <= training["data_wait_share"] < 1 and training["peak_memory_mib"] > 0
        scoring = figures[f"tiny.{network}.scoring"]
        assert scoring["fp32_difference_max"] < 1e-2 and scoring["bf16_difference_rms"] < 0.1
    assert (
        figures["tiny.subpixel.step"]["deterministic"]["gflop_per_volume"]
        < (figures["tiny.cae.step"]["deterministic"]["gflop_per_volume"])
    )


def test_nothing_is_started_after_the_time_limit(gpu, capsys) -> None:
    gpu.main(["--tiny", "--minutes", "0"])
    result = last_line(capsys)
    assert len(result["left_out"]) == 6 and result["ratios"] == {}
