"""Synthetic content of a report, from random numbers with a known answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from brain_cae.estimates import auroc, average_precision, mean, paired_difference, proportion, threshold_metrics
from brain_cae.reporting.content import ReportContent, SubjectView

PROTOCOLS = ("Siemens 3.0T axial", "GE 1.5T sagittal", "Philips 3.0T axial", "GE 1.5T coronal")
ALPHA = 0.10


def build_predictions(*, healthy: int = 44, abnormal: int = 34, calibration: int = 40, seed: int = 0) -> pd.DataFrame:
    """Scores that separate the classes well, with p-values from calibration brains of the same distribution."""
    random = np.random.default_rng(seed)
    labels = ["healthy"] * calibration + ["healthy"] * healthy + ["abnormal"] * abnormal
    roles = ["validation"] * calibration + ["classifier"] * (healthy + abnormal)
    count = len(labels)
    shift = np.where(np.array(labels) == "abnormal", random.gamma(4.0, 0.6, count), 0.0)
    score = 1.6 + 0.5 * random.standard_normal(count) + shift
    reference = score[:calibration]
    p_value = np.array([(1 + (reference >= value).sum()) / (calibration + 1) for value in score])
    probability = 1 / (1 + np.exp(-(2.2 * (score - 2.6) + 0.8 * random.standard_normal(count))))
    is_calibration = np.array(roles) == "validation"
    return pd.DataFrame(
        {
            "subject": [f"{number:05d}" for number in range(count)],
            "session": "",
            "source": "phantom",
            "protocol": random.choice(PROTOCOLS, count, p=(0.4, 0.3, 0.2, 0.1)),
            "reshape_group": random.integers(0, 3, count),
            "label": labels,
            "role": roles,
            "fold": np.where(is_calibration, np.nan, random.integers(0, 5, count)),
            "score": score,
            "p_value": np.where(is_calibration, np.nan, p_value),
            "threshold": np.sort(reference)[-3],
            "flagged": p_value <= ALPHA,
            "out_of_calibration": False,
            "classifier_probability": np.where(is_calibration, np.nan, probability),
        }
    )


def build_curves(predictions: pd.DataFrame, seed: int = 1) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Labels and scores of the residual, both baselines and the classifier on the evaluated subjects."""
    rows = predictions[predictions["role"] != "validation"]
    random = np.random.default_rng(seed)
    truth = (rows["label"] == "abnormal").to_numpy().astype(int)
    score = rows["score"].to_numpy()
    return {
        "residual score": (truth, score),
        "intensity": (truth, score + 1.6 * random.standard_normal(len(rows))),
        "healthy_mean": (truth, score + 0.5 * random.standard_normal(len(rows))),
        "transfer classifier": (truth, rows["classifier_probability"].to_numpy()),
    }


def build_metrics(predictions: pd.DataFrame, curves: dict[str, Any], *, verdict: str = "clear") -> dict[str, Any]:
    """``metrics.json`` of these predictions, in its usual layout."""
    rows = predictions[predictions["role"] != "validation"]
    random = np.random.default_rng(2)

    def ranking(name: str) -> dict[str, Any]:
        labels, scores = curves[name]
        return {
            "auroc": auroc(labels, scores).to_dict(),
            "average_precision": average_precision(labels, scores).to_dict(),
        }

    def difference(name: str) -> dict[str, Any]:
        labels, scores = curves["residual score"]
        return paired_difference(labels, scores, curves[name][1], metric="auroc").to_dict()

    def overlap(middle: float) -> dict[str, Any]:
        return mean(np.clip(random.normal(middle, 0.12, 34), 0, 1)).to_dict()

    oracle = {"dice_oracle_pooled": overlap(0.72), "dice_oracle_per_subject": overlap(0.75)}
    rates = {key: value.to_dict() for key, value in threshold_metrics(rows["label"], rows["flagged"]).items()}
    compared = [
        {
            "features": features,
            "classifier": classifier,
            "auroc": overlap(middle),
            "balanced_accuracy": overlap(middle - 0.1),
        }
        for features, middle in (("residual", 0.9), ("encoder", 0.6), ("both", 0.88))
        for classifier in ("logistic", "svm")
    ]
    return {
        "schema_version": 1,
        "subjects": {"train": 56, "validation": 40, "classifier": 78, "test": 0},
        "reconstruction": {"l1": overlap(0.05), "ssim": overlap(0.9)},
        "scoring": {
            "alpha": ALPHA, "sign": {"t1": -1, "flair": 1}, "n_calibration": 40,
            "threshold": float(rows["threshold"].iloc[0]), "voxel_threshold": 2.6,
        },
        "detection": {
            **ranking("residual score"), **rates, "absolute": overlap(0.86),
            "difference": {name: difference(name) for name in ("intensity", "healthy_mean")},
            "by_volume": [
                {"low_ml": low, "high_ml": high, "n": 8,
                 "sensitivity": {"residual": proportion(found, 8).to_dict(), "intensity": proportion(2, 8).to_dict()}}
                for low, high, found in ((0.4, 2.1, 3), (2.2, 9.0, 6), (9.5, 60.0, 8))
            ],
            "by_protocol": [
                {"protocol": name, "auroc": auroc(part["label"], part["score"]).to_dict(),
                 "false_alarms": proportion(int(part["flagged"][part["label"] == "healthy"].sum()),
                                            int((part["label"] == "healthy").sum())).to_dict()}
                for name, part in rows.groupby("protocol")
            ],
        },
        "localisation": {"average_precision": overlap(0.81), "dice": overlap(0.58), **oracle},
        "baseline": {
            "intensity": {**ranking("intensity"), **oracle},
            "healthy_mean": {**ranking("healthy_mean"), **oracle, "localisation": {"average_precision": overlap(0.8)}},
        },
        "transfer": {
            "features": "both", "classifier": "logistic", **ranking("transfer classifier"),
            "balanced_accuracy": overlap(0.82), "f1": overlap(0.79), "mcc": overlap(0.65), "brier": overlap(0.11),
            "calibration_slope": {"value": 1.31, "low": 0.72, "high": 2.4, "n": 78, "n_positive": 34, "method": "fit"},
            "permutation_p": 0.002, "comparison": compared,
        },
        "reshape": {
            "strategy": "clustered", "scale_ratio": 1.14, "anisotropy_mm": 1.62, "size_spread_mm": 0.21,
            "round_trip_l1": 0.013,
            "groups": [{"dimensions": [64, 72, 56], "target": [64, 80, 64], "members": 71},
                       {"dimensions": [72, 80, 24], "target": [80, 80, 32], "members": 58}],
        },
        "audit": {
            "verdict": verdict,
            "reasons": ["Label and protocol are not associated: AUROC of metadata alone 0.52 [0.39, 0.64].",
                        "Every protocol occurs in both classes."],
            "tests": [
                {"name": "metadata_only", "value": 0.52, "low": 0.39, "high": 0.64, "p": 0.41, "verdict": "clear",
                 "sentence": "A classifier that sees only acquisition parameters does not predict the label."},
                {"name": "overlap", "value": 1.0, "low": None, "high": None, "p": None, "verdict": "clear",
                 "sentence": "All four protocols hold healthy and abnormal subjects."},
            ],
        },
        "environment": {"git": "0123abc", "seed": 0, "split_hash": "9f2c", "data_hash": "77aa",
                        "versions": {"torch": "2.13.0", "monai": "1.6.1"}},
    }  # fmt: skip


def build_view(
    subject: str = "00096", *, label: str = "abnormal", shape: tuple[int, int, int] = (36, 44, 30)
) -> SubjectView:
    """An ellipsoid brain with ventricles, a lesion, and an anomaly map with its maximum in the lesion."""
    random = np.random.default_rng(abs(hash(shape)) % 1000 + len(subject))
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
    inside = (x / 0.85) ** 2 + (y / 0.9) ** 2 + (z / 0.85) ** 2 < 1
    ventricles = (np.abs(x) < 0.15) & (np.abs(y) < 0.35) & (np.abs(z - 0.1) < 0.2)
    blob = np.exp(-(((x - 0.4) / 0.22) ** 2 + ((y + 0.2) / 0.25) ** 2 + ((z - 0.2) / 0.25) ** 2))
    lesion = blob > 0.5
    image = inside * (1 - 0.6 * ventricles + 0.06 * random.standard_normal(shape))
    image = image + (0.7 * blob * inside if label != "healthy" else 0)
    anomaly = inside * (0.5 * random.standard_normal(shape) + (7 * blob if label != "healthy" else 1.5 * blob))
    return SubjectView(
        subject=subject, label=label, score=5.31 if label != "healthy" else 2.4, p_value=0.024, flagged=True,
        image=image.astype(np.float32), others={"t1": (inside * (1.4 - image)).astype(np.float32)}, anomaly_map=anomaly,
        lesion=lesion if label == "abnormal" else None, spacing=(4.0, 4.0, 4.5), caption="", modality="flair",
    )  # fmt: skip


def build_index(predictions: pd.DataFrame) -> pd.DataFrame:
    """One FLAIR and one T1 scan for each subject, with acquisition parameters."""
    random = np.random.default_rng(5)
    scans = [
        {
            "subject": row["subject"], "label": row["label"], "modality": modality,
            "repetition_time_ms": float(random.choice([8000, 9000, 10000])), "echo_time_ms": 120.0,
            "field_strength_t": float(random.choice([1.5, 3.0])), "manufacturer": row["protocol"].split(" ")[0],
            "spacing_slice_mm": float(random.choice([1.0, 4.0, 5.5])),
        }
        for row in predictions.to_dict("records") for modality in ("flair", "t1")
    ]  # fmt: skip
    return pd.DataFrame(scans)


def build_content(*, verdict: str = "clear", views: int = 2, **replaced: Any) -> ReportContent:
    """Complete content of one report; ``replaced`` overrides fields."""
    predictions = build_predictions()
    curves = build_curves(predictions)
    shown = [
        build_view(f"{96 + place:05d}", label="abnormal" if place % 2 == 0 else "healthy") for place in range(views)
    ]
    fields: dict[str, Any] = {
        "title": "T1 and FLAIR, clustered reshape",
        "metrics": build_metrics(predictions, curves, verdict=verdict),
        "predictions": predictions,
        "voxel_threshold": 2.6,
        "import_report": pd.DataFrame(
            {
                "subject": [f"{place:05d}" for place in range(10)], "modality": "flair", "series_hash": "",
                "status": ["imported"] * 7 + ["failed"] * 3, "path": "",
                "reason": [""] * 7 + ["gap between slices", "gap between slices", "truncated file"],
            }
        ),
        "index": build_index(predictions),
        "views": shown,
        "configuration": "seed: 0\nmodality:\n  names: [t1, flair]\n",
        "cautions": [],
        "curves": curves,
    }  # fmt: skip
    return ReportContent(**{**fields, **replaced})


@pytest.fixture(scope="session")
def make_content():
    """Return a function that builds the content of a report."""
    return build_content


@pytest.fixture(scope="session")
def make_view():
    """Return a function that builds one brain to show."""
    return build_view
