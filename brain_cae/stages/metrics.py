"""From what is known of each subject to ``metrics.json``: every figure with its interval and its n."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from brain_cae import estimates
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings
from brain_cae.estimates import Estimate
from brain_cae.files.provenance import environment
from brain_cae.reshape.measures import size_spread_mm
from brain_cae.scoring.localisation import dice_of
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.transfer import Transfer
from brain_cae.vocabulary import ROLES

Section = dict[str, Any]


def by_subject(predictions: pd.DataFrame, findings: dict[str, Findings], probabilities: pd.DataFrame) -> pd.DataFrame:
    """The table of ``subjects.csv``: what every figure is made of, so that several runs can be averaged by subject.

    Args:
        predictions: As for :class:`Measurement`.
        findings: By subject.
        probabilities: Of ``abnormal``, one column for each arm of features, indexed by subject.

    Returns:
        Columns subject, label, role, protocol; ``score.<scorer>``, ``p_value.<scorer>``; ``probability.<arm>``;
        ``<scorer>.average_precision`` and ``<scorer>.dice`` where a lesion is known; ``reconstruction.<measure>``;
        ``reshape.<measure>``, the distortion of the reshape strategy.
    """
    rows, distortions = [], distortions_by_subject(findings)
    for name, found in findings.items():
        row: dict[str, Any] = {"subject": name, **predictions.loc[name, ["label", "role", "protocol"]]}
        row |= {f"score.{scorer}": score for scorer, score in found.scores.items()}
        row |= {f"p_value.{scorer}": p for scorer, p in found.p_values.items()}
        row |= {f"probability.{arm}": p for arm, p in probabilities.loc[name].items()}
        for scorer, local in found.localisation.items():
            row |= {f"{scorer}.average_precision": local.average_precision, f"{scorer}.dice": local.dice}
        row |= {f"reconstruction.{measure}": value for measure, value in found.reconstruction.items()}
        row |= {f"reshape.{measure}": value for measure, value in distortions[name].items()}
        rows.append(row)
    return pd.DataFrame(rows)


def distortions_by_subject(findings: dict[str, Findings]) -> dict[str, dict[str, float]]:
    """The measures of the reshape strategy; ``size_spread_mm`` tells how far a subject lies from the others."""
    spread = size_spread_mm(np.stack([e.distortion["network_spacing"] for e in findings.values()]))
    return {
        name: {key: value for key, value in e.distortion.items() if key != "network_spacing"}
        | {"size_spread_mm": float(spread[number])}
        for number, (name, e) in enumerate(findings.items())
    }


class Measurement:
    """Computes the sections of ``metrics.json``.

    Args:
        predictions: The table of ``predictions.csv``, indexed by subject, with one column of scores per scorer.
        findings: By subject.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
        min_per_class: Members that each class must have for AUROC, its differences, and average precision.
        baselines: Scores that do not look at the network.
    """

    def __init__(
        self,
        predictions: pd.DataFrame,
        findings: dict[str, Findings],
        *,
        seed: int,
        resamples: int,
        min_per_class: int = 1,
        baselines: Sequence[str] = ("intensity", "healthy_mean"),
    ) -> None:
        self.predictions = predictions
        self.findings = findings
        self.seed = seed
        self.resamples = resamples
        self.min_per_class = min_per_class
        self.baselines = list(baselines)
        scores = [str(name).removeprefix("score.") for name in predictions if str(name).startswith("score.")]
        self.others = [name for name in scores if name != "residual"]
        self.labelled = predictions[predictions["label"] != "unknown"]

    def detection(self) -> Section:
        """Residual score: AUROC, average precision, rates at the label-free threshold, differences, protocols."""
        section = self._detection("residual")
        section |= {name: self._detection(name) for name in self.others if name not in self.baselines}
        section["difference"] = {name: self._difference("residual", name) for name in self.others}
        section["false_alarms"] = self._false_alarms(self.labelled)
        section["by_protocol"] = [
            {
                "protocol": str(name),
                "n": len(rows),
                "n_positive": int((rows["label"] == "abnormal").sum()),
                "auroc": self._auroc(rows, "residual").to_dict(),
                "false_alarms": self._false_alarms(rows),
            }
            for name, rows in self.labelled.groupby("protocol")
        ]
        return section

    def baseline(self, name: str) -> Section:
        """One of the baselines, through the same code."""
        section = self._detection(name)
        section["localisation"] = self.localisation(name)
        if section["localisation"] is not None:
            for key in ("dice", "dice_oracle_pooled", "dice_oracle_per_subject"):
                section[key] = section["localisation"][key]
        return section

    def localisation(self, name: str) -> Section | None:
        """Voxel average precision and Dice, mean over subjects with a known lesion; None where there is none."""
        found = [e.localisation[name] for e in self.findings.values() if name in e.localisation]
        if not found:
            return None
        overlaps = np.stack([item.overlaps for item in found])
        return {
            "average_precision": self._mean([item.average_precision for item in found]).to_dict(),
            "dice": self._mean([item.dice for item in found]).to_dict(),
            "dice_oracle_pooled": self._pooled_dice(overlaps).to_dict(),
            "dice_oracle_per_subject": self._mean(dice_of(overlaps).max(axis=1).tolist()).to_dict(),
        }

    def reconstruction(self) -> Section:
        """Error on healthy brains that the network never saw, inside the mask, in the scan's own space."""
        healthy = self.predictions.index[self.predictions["label"] == "healthy"]
        kept = [self.findings[subject].reconstruction for subject in healthy]
        return {key: self._mean([item[key] for item in kept]).to_dict() for key in ("l1", "ssim")}

    def reshape(self, model: Detector) -> Section:
        """How much the strategy distorts, and what it costs; ``size_spread_mm`` is relative to the mean size.

        ``reconstruction`` is the mean absolute error on healthy brains in the scan's own space, which strategies with
        different grids can be compared by; ``voxels`` is what the network sees of a brain, padding included.
        """
        distortions = list(distortions_by_subject(self.findings).values())
        section: Section = {"strategy": model.config.reshape.name, "groups": model.reshape.groups()}
        for key in ("scale_ratio", "anisotropy_mm", "size_spread_mm", "round_trip_l1", "voxels"):
            section[key] = self._mean([item[key] for item in distortions]).to_dict()
        section["reconstruction"] = self.reconstruction()["l1"]
        return section | model.cost

    def _detection(self, name: str) -> Section:
        rows = self.labelled
        section = {
            "auroc": self._auroc(rows, name).to_dict(),
            "average_precision": self._scored(estimates.average_precision, rows, name).to_dict(),
        }
        flagged = rows[f"flagged.{name}"]
        if flagged.notna().all():
            rates = estimates.threshold_metrics(rows["label"], flagged.astype(bool))
            return section | {key: value.to_dict() for key, value in rates.items()}
        reason = estimates.undefined("too few calibration brains to flag anything", n=len(rows)).to_dict()
        return section | {"sensitivity": reason, "specificity": reason}

    def _auroc(self, rows: pd.DataFrame, name: str) -> Estimate:
        return self._scored(estimates.auroc, rows, name)

    def _scored(self, metric: Any, rows: pd.DataFrame, name: str) -> Estimate:
        scores = rows[f"score.{name}"]
        return metric(rows["label"], scores, seed=self.seed, resamples=self.resamples, min_per_class=self.min_per_class)

    def _difference(self, ours: str, other: str) -> dict[str, Any]:
        rows = self.labelled
        return estimates.paired_difference(
            rows["label"],
            rows[f"score.{ours}"],
            rows[f"score.{other}"],
            seed=self.seed,
            resamples=self.resamples,
            min_per_class=self.min_per_class,
        ).to_dict()

    def _false_alarms(self, rows: pd.DataFrame) -> dict[str, Any]:
        healthy = rows[rows["label"] == "healthy"]
        if healthy.empty or healthy["flagged.residual"].isna().any():
            reason = "no healthy brain" if healthy.empty else "too few calibration brains to flag anything"
            return estimates.undefined(reason).to_dict()
        return estimates.proportion(int(healthy["flagged.residual"].astype(bool).sum()), len(healthy)).to_dict()

    def _mean(self, values: list[float]) -> Estimate:
        return estimates.mean(values, seed=self.seed, resamples=self.resamples)

    def _pooled_dice(self, overlaps: np.ndarray) -> Estimate:
        """Best Dice of one threshold for all subjects, all voxels pooled; the threshold is chosen in each resample."""
        value = float(dice_of(overlaps.sum(axis=0)).max())
        method = "oracle: best threshold chosen with the lesions known; bootstrap over subjects"
        if len(overlaps) < 2:
            return Estimate(value, None, None, len(overlaps), len(overlaps), f"{method}; one subject, no interval")
        generator = np.random.default_rng(self.seed)
        counts = estimates.bootstrap_counts(generator, len(overlaps), min(self.resamples, 500))
        pooled = np.einsum("rs,sgk->rgk", counts, overlaps.astype(float), optimize=True)
        low, high = np.quantile(dice_of(pooled).max(axis=1), [0.025, 0.975])
        return Estimate(value, float(low), float(high), len(overlaps), len(overlaps), method)


SCHEMA_VERSION = 1


def metrics_of(
    model: Detector,
    table: pd.DataFrame,
    findings: dict[str, Findings],
    chosen: Transfer,
    splits: pd.DataFrame,
    cohort: Cohort,
    min_per_class: int,
) -> dict[str, Any]:
    """The content of ``metrics.json``, but for the audit and what the run itself adds."""
    config = model.config
    measure = Measurement(
        table,
        findings,
        seed=config.seed,
        resamples=config.evaluation.resamples,
        min_per_class=min_per_class,
        baselines=model.baselines,
    )
    counts = splits["role"].value_counts()
    calibration = model.scorers["residual"].calibration
    threshold = calibration.threshold(config.scoring.alpha)
    return {
        "schema_version": SCHEMA_VERSION,
        "subjects": {role: int(counts.get(role, 0)) for role in ROLES},
        "reconstruction": measure.reconstruction(),
        "scoring": {
            "alpha": config.scoring.alpha,
            "sign": {name: config.scoring.sign[name] for name in config.modality.names},
            "n_calibration": len(calibration.scores),
            "threshold": threshold if np.isfinite(threshold) else None,
            "voxel_threshold": calibration.voxel_threshold,
        },
        "detection": measure.detection(),
        "localisation": measure.localisation("residual"),
        "baseline": {name: measure.baseline(name) for name in model.baselines},
        "transfer": chosen.metrics,
        "reshape": measure.reshape(model),
        "environment": environment(config.seed, splits, cohort.index),
    }
