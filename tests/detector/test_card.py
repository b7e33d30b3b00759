"""A card has the figures of the run with their intervals, roles as numbers, and names nobody."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from brain_cae.detector.card import card_of, card_text

ESTIMATE = {"value": 0.91, "low": 0.8, "high": 0.97, "n": 40, "n_positive": 20, "method": "bootstrap"}


@pytest.fixture(scope="module")
def detector(make_detector):
    return make_detector(brains=3)


@pytest.fixture
def card(detector, tmp_path):
    metrics = {
        "subjects": {"train": 10, "validation": 9, "classifier": 8, "test": 7},
        "scoring": {"alpha": 0.1, "guarantee": "probable", "confidence": 0.95},
        "detection": {"auroc": ESTIMATE, "by_protocol": [{"protocol": "St Mary's"}]},
        "baseline": {"intensity": {"auroc": ESTIMATE | {"value": 0.5}}},
        "audit": {
            "verdict": "at risk",
            "reasons": ["St Mary's scanned all patients."],
            "classifier": None,
            "figures": [{"figure": "Detection", "standing": "not shown", "keys": ["detection", "baseline"]}],
            "tests": [{"name": "overlap", "verdict": "no concern", "value": 0.7, "sentence": "St Mary's"}],
        },
        "environment": {"split_hash": "abc", "data_hash": "def", "seed": 0, "git": "1234", "model_run": "/home/roe"},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return card_of(detector, tmp_path)


def test_the_card_has_figures_verdict_and_promise(card, detector) -> None:
    assert card["data"] == {
        "dataset": "phantom", "subjects": {"train": 10, "validation": 9, "classifier": 8, "test": 7},
        "split_hash": "abc", "data_hash": "def",
    }  # fmt: skip
    assert card["figures"]["detection"] == {"auroc": ESTIMATE}
    assert card["audit"]["verdict"] == "at risk" and card["audit"]["tests"][0]["value"] == 0.7
    assert card["calibration"]["brains"] == 3 and card["calibration"]["flags"] is False
    text = card_text(card)
    assert "| detection auroc | 0.910 | 0.800 | 0.970 | 40 | not shown |" in text
    assert "none: no brain is flagged" in text and "**Verdict: at risk**" in text


def test_the_card_names_neither_sites_nor_folders(card) -> None:
    assert "Mary" not in json.dumps(card) + card_text(card) and "/home" not in json.dumps(card)


def test_text_from_files_is_neither_html_nor_an_image(detector, tmp_path) -> None:
    hostile = replace(detector, cautions=["<script>x</script> ![](http://x)"])
    text = card_text(card_of(hostile, tmp_path))
    assert r"\<script>" in text and r"!\[](" in text


def test_a_run_without_figures_says_so_and_counts_its_roles(detector, tmp_path) -> None:
    pd.DataFrame({"subject": ["a", "b"], "role": ["train", "train"]}).to_csv(tmp_path / "splits.csv", index=False)
    card = card_of(detector, tmp_path)
    assert card["data"]["subjects"]["train"] == 2 and card["figures"] is None
    assert "The run was not evaluated." in card_text(card)
