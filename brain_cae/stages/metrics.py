"""Figures of ``metrics.json`` from the findings of each subject, each with its interval and n."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from brain_cae import estimates
from brain_cae.audit import AuditResult
from brain_cae.detector.detector import Detector
from brain_cae.detector.findings import Findings
from brain_cae.estimates import Estimate
from brain_cae.reshape.measures import size_spread_mm
from brain_cae.scoring.calibration import Calibration
from brain_cae.scoring.guarantee import GUARANTEES, Guarantee, outlook, rate_bound
from brain_cae.scoring.localisation import dice_of
from brain_cae.stages.prediction import Assessment
from brain_cae.stages.records import (
    Baseline,
    Decision,
    Detection,
    Discrimination,
    Harmonisation,
    LesionDetection,
    LesionOverlap,
    Metrics,
    ProtocolDetection,
    Reconstruction,
    ReshapeCost,
    Scoring,
    VolumeDetection,
)
from brain_cae.stages.scope import Scope

UNDECIDED = "too few calibration brains to flag anything"

LESIONS_PER_PART = 5
"""Least number of lesions whose sensitivity is shown together."""
DISTORTIONS = ("scale_ratio", "anisotropy_mm", "size_spread_mm", "round_trip_l1", "voxels")
"""Measures of the reshape strategy in ``metrics.json``."""


def by_subject(predictions: pd.DataFrame, findings: dict[str, Findings], probabilities: pd.DataFrame) -> pd.DataFrame:
    """Return the table of ``subjects.csv``, the input of all figures; runs can be averaged by subject with it.

    Args:
        predictions: As for :class:`Measurement`.
        findings: Findings by subject.
        probabilities: Probabilities of ``abnormal``, one column for each feature arm, indexed by subject.

    Returns:
        Columns subject, label, role, protocol; ``score.<scorer>``, ``p_value.<scorer>``; ``probability.<arm>``;
        ``<scorer>.average_precision`` and ``<scorer>.dice`` if the lesion is known; ``reconstruction.<measure>``;
        ``reshape.<measure>``, the distortion of the reshape strategy.
    """
    rows, distortions = [], distortions_by_subject(findings)
    for name, finding in findings.items():
        row: dict[str, Any] = {"subject": name, **predictions.loc[name, ["label", "role", "protocol"]]}
        row |= {f"score.{scorer}": score for scorer, score in finding.scores.items()}
        row |= {f"p_value.{scorer}": p for scorer, p in finding.p_values.items()}
        row |= {f"probability.{arm}": p for arm, p in probabilities.loc[name].items()}
        for scorer, local in finding.localisation.items():
            row |= {f"{scorer}.average_precision": local.average_precision, f"{scorer}.dice": local.dice}
        row |= {f"reconstruction.{measure}": value for measure, value in finding.reconstruction.items()}
        row |= {f"reshape.{measure}": value for measure, value in distortions[name].items()}
        rows.append(row)
    return pd.DataFrame(rows)


def distortions_by_subject(findings: dict[str, Findings]) -> dict[str, dict[str, float]]:
    """Return the distortion measures by subject; ``size_spread_mm`` is the difference from the other subjects."""
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
        findings: Findings by subject.
        seed: Seed of the bootstrap.
        resamples: Number of bootstrap resamples.
        min_per_class: Minimum number of subjects in each class for AUROC, its differences, and average precision.
        baselines: Names of the scores that do not use the network.
        guarantee: The rule that flags.
        calibration: Scores of the calibration brains of the stored detector.
        calibrations: Calibration that decided about each subject, by subject; default: ``calibration`` about all.
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
        guarantee: Guarantee,
        calibration: Calibration,
        calibrations: Mapping[str, Calibration] | None = None,
    ) -> None:
        self.predictions = predictions
        self.findings = findings
        self.seed = seed
        self.resamples = resamples
        self.min_per_class = min_per_class
        self.baselines = list(baselines)
        self.guarantee = guarantee
        self.calibration = calibration
        self.calibrations = calibrations or dict.fromkeys(predictions.index, calibration)
        scores = [str(name).removeprefix("score.") for name in predictions if str(name).startswith("score.")]
        self.others = [name for name in scores if name != "residual"]
        self.labelled = predictions[predictions["label"] != "unknown"]

    def detection(self) -> Detection:
        """Return the section ``detection``: figures of the residual score, differences, and figures by protocol."""
        decisions = {kind: self._decision(replace(self.guarantee, kind=kind)) for kind in GUARANTEES}
        return Detection(
            residual=self.discrimination("residual"),
            others={name: self.discrimination(name) for name in self.others if name not in self.baselines},
            difference={name: self._difference("residual", name) for name in self.others},
            false_alarms=self._false_alarms(self.labelled),
            expected_false_alarms=self._expected(decisions[self.guarantee.kind]),
            decisions=decisions,
            by_protocol=[
                ProtocolDetection(
                    protocol=str(name),
                    n=len(rows),
                    n_positive=int((rows["label"] == "abnormal").sum()),
                    auroc=self._with_interval(estimates.auroc, rows, "residual"),
                    false_alarms=self._false_alarms(rows),
                )
                for name, rows in self.labelled.groupby("protocol")
            ],
            by_volume=self.by_volume(),
        )

    def by_volume(self) -> list[VolumeDetection]:
        """Return the sensitivity of every score for each quarter of the known lesions, the smallest volumes first.

        Fewer lesions than ``LESIONS_PER_PART`` in each quarter are divided into fewer parts.
        """
        known = {name: one.lesion_counts for name, one in self.findings.items() if one.lesion_counts is not None}
        volumes = pd.Series({name: counts.lesion_ml for name, counts in known.items()}, dtype=float).sort_values()
        decided = [name for name in ("residual", *self.others) if self.predictions[f"flagged.{name}"].notna().all()]
        if volumes.empty or not decided:
            return []
        count = min(4, max(1, len(volumes) // LESIONS_PER_PART))
        parts = [volumes.iloc[numbers] for numbers in np.array_split(np.arange(len(volumes)), count)]
        rows = []
        for part in parts:
            flagged = self.predictions.loc[part.index]
            found = {name: int(flagged[f"flagged.{name}"].astype(bool).sum()) for name in decided}
            shares = {name: estimates.proportion(count, len(part)) for name, count in found.items()}
            rows.append(VolumeDetection(float(part.iloc[0]), float(part.iloc[-1]), len(part), shares))
        return rows

    def baseline(self, name: str) -> Baseline:
        """Return the figures of one baseline, computed like those of the residual score."""
        return Baseline(self.discrimination(name), self.localisation(name))

    def discrimination(self, name: str) -> Discrimination:
        """Return the discrimination between the classes by this score."""
        rows = self.labelled
        rates = self._rates(f"flagged.{name}")
        return Discrimination(
            auroc=self._with_interval(estimates.auroc, rows, name),
            average_precision=self._with_interval(estimates.average_precision, rows, name),
            sensitivity=rates["sensitivity"],
            specificity=rates["specificity"],
        )

    def _rates(self, column: str) -> dict[str, Estimate]:
        """Return sensitivity and specificity of the decisions in a column; undefined if nothing could be flagged."""
        flagged = self.labelled[column]
        if flagged.notna().all():
            return estimates.threshold_metrics(self.labelled["label"], flagged.astype(bool))
        reason = estimates.undefined(UNDECIDED, n=len(flagged))
        return {"sensitivity": reason, "specificity": reason}

    def _decision(self, rule: Guarantee) -> Decision:
        """Return what a rule decides for the residual score."""
        column, brains = f"flagged_if.{rule.kind}", len(self.calibration.scores)
        threshold, rank = self.calibration.threshold(rule), rule.rank(brains)
        expected, largest = rule.alarms(*self._calibrated())
        return Decision(
            calibration_needed=rule.needed(),
            threshold=threshold if np.isfinite(threshold) else None,
            expected_rate=rule.expected_rate(brains),
            largest_rate=rate_bound(rank, brains, rule.confidence) if rank else 0.0,
            expected_alarms=expected,
            largest_alarms=largest,
            sensitivity=self._rates(column)["sensitivity"],
            false_alarms=self._false_alarms(self.labelled, column),
        )

    def _calibrated(self) -> list[tuple[int, int]]:
        """Return for each calibration the number of its brains, and of the healthy subjects that it decided about."""
        healthy = [self.calibrations[name] for name in self.labelled.index[self.labelled["label"] == "healthy"]]
        used = {id(one): one for one in healthy}
        return [(len(one.scores), sum(one is other for other in healthy)) for one in used.values()]

    def _expected(self, decision: Decision) -> Estimate:
        """Return the number of false alarms to be expected among the healthy subjects under the rule in force."""
        parts = self._calibrated()
        healthy = sum(scored for _, scored in parts)
        method = f"number of {healthy} healthy subjects; high: at most, with probability {self.guarantee.confidence:g}"
        if len(self.calibration.folds):
            method += "; cross-conformal, an approximation"
        if len(parts) > 1:
            method += f"; {len(parts)} outer folds as if independent, an approximation"
        return Estimate(decision.expected_alarms, 0.0, float(decision.largest_alarms), healthy, None, method)

    def localisation(self, name: str) -> LesionOverlap | None:
        """Return voxelwise average precision and Dice, means over subjects with a known lesion; None without any."""
        known = [finding.localisation[name] for finding in self.findings.values() if name in finding.localisation]
        if not known:
            return None
        overlaps = np.stack([item.overlaps for item in known])
        return LesionOverlap(
            average_precision=self._mean([item.average_precision for item in known]),
            dice=self._mean([item.dice for item in known]),
            dice_oracle_pooled=self._pooled_dice(overlaps),
            dice_oracle_per_subject=self._mean(dice_of(overlaps).max(axis=1).tolist()),
        )

    def found(self) -> LesionOverlap | None:
        """Return :meth:`localisation` of the residual score together with :meth:`lesions`."""
        overlap = self.localisation("residual")
        return None if overlap is None else replace(overlap, lesions=self.lesions())

    def lesions(self) -> LesionDetection | None:
        """Return how well the clusters of flagged brains find lesions; None if no lesion is known.

        Undefined if nothing could be flagged, as sensitivity is.
        """
        if self.predictions["flagged.residual"].isna().any():
            known = [finding for finding in self.findings.values() if finding.lesion_counts is not None]
            undecided = estimates.undefined(UNDECIDED, n=len(known))
            return LesionDetection(undecided, undecided, undecided) if known else None
        flagged = self.predictions["flagged.residual"].eq(True)
        sensitivity: list[float] = []
        f1: list[float] = []
        for name, finding in self.findings.items():
            counts = finding.lesion_counts
            if counts is not None:
                found, hits, clusters = (counts.found, counts.hits, counts.clusters) if flagged[name] else (0, 0, 0)
                recall, precision = found / counts.lesions, hits / max(clusters, 1)
                sensitivity.append(recall)
                f1.append(2 * recall * precision / (recall + precision) if found else 0.0)
        if not sensitivity:
            return None
        healthy = self.predictions.index[self.predictions["label"] == "healthy"]
        false = [float(len(self.findings[name].lesions)) if flagged[name] else 0.0 for name in healthy]
        false_alarms = estimates.mean_count(false, seed=self.seed, resamples=self.resamples)
        return LesionDetection(self._mean(sensitivity), self._mean(f1), false_alarms)

    def reconstruction(self) -> Reconstruction:
        """Return the reconstruction error on unseen healthy brains, inside the mask and in native space."""
        healthy = self.predictions.index[self.predictions["label"] == "healthy"]
        errors = [self.findings[subject].reconstruction for subject in healthy]
        return Reconstruction(
            l1=self._mean([error["l1"] for error in errors]), ssim=self._mean([error["ssim"] for error in errors])
        )

    def distortion(self) -> dict[str, Estimate]:
        """Return the mean over subjects of each distortion measure."""
        rows = list(distortions_by_subject(self.findings).values())
        return {name: self._mean([row[name] for row in rows]) for name in DISTORTIONS}

    def _with_interval(self, metric: Callable[..., Estimate], rows: pd.DataFrame, name: str) -> Estimate:
        scores = rows[f"score.{name}"]
        return metric(rows["label"], scores, seed=self.seed, resamples=self.resamples, min_per_class=self.min_per_class)

    def _difference(self, name: str, other: str) -> Estimate:
        rows = self.labelled
        return estimates.paired_difference(
            rows["label"],
            rows[f"score.{name}"],
            rows[f"score.{other}"],
            seed=self.seed,
            resamples=self.resamples,
            min_per_class=self.min_per_class,
        )

    def _false_alarms(self, rows: pd.DataFrame, column: str = "flagged.residual") -> Estimate:
        healthy = rows[rows["label"] == "healthy"]
        if healthy.empty or healthy[column].isna().any():
            reason = "no healthy brain" if healthy.empty else UNDECIDED
            return estimates.undefined(reason)
        return estimates.proportion(int(healthy[column].astype(bool).sum()), len(healthy))

    def _mean(self, values: list[float]) -> Estimate:
        return estimates.mean(values, seed=self.seed, resamples=self.resamples)

    def _pooled_dice(self, overlaps: np.ndarray) -> Estimate:
        """Return the best Dice of one threshold for the voxels of all subjects; each resample chooses one."""
        value = float(dice_of(overlaps.sum(axis=0)).max())
        method = "oracle: best threshold chosen with the lesions known; bootstrap over subjects"
        if len(overlaps) < 2:
            return Estimate(value, None, None, len(overlaps), len(overlaps), f"{method}; one subject, no interval")
        generator = np.random.default_rng(self.seed)
        counts = estimates.bootstrap_counts(generator, len(overlaps), min(self.resamples, 500))
        pooled = np.einsum("rs,sgk->rgk", counts, overlaps.astype(float), optimize=True)
        low, high = np.quantile(dice_of(pooled).max(axis=1), [0.025, 0.975])
        return Estimate(value, float(low), float(high), len(overlaps), len(overlaps), method)


def measure(
    detector: Detector,
    assessment: Assessment,
    audit: AuditResult,
    *,
    scope: Scope,
    environment: dict[str, Any],
) -> Metrics:
    """Return the content of ``metrics.json``.

    Args:
        detector: The stored detector, with its thresholds and costs; subjects may have been scored by other detectors.
        assessment: Assessment of the subjects used for the figures.
        audit: Result of the audit.
        scope: Which subjects are counted, and how.
        environment: Software and hardware of the run.
    """
    config, transfer = detector.config, assessment.transfer
    measurement = Measurement(
        assessment.table,
        assessment.findings,
        seed=config.seed,
        resamples=config.evaluation.resamples,
        min_per_class=scope.min_per_class,
        baselines=detector.baselines,
        guarantee=detector.guarantee,
        calibration=detector.scorers["residual"].calibration,
        calibrations={name: one.scorers["residual"].calibration for name, one in assessment.detectors.items()},
    )
    reconstruction = measurement.reconstruction()
    return Metrics(
        subjects=scope.subjects,
        reconstruction=reconstruction,
        scoring=_scoring(detector),
        detection=measurement.detection(),
        localisation=measurement.found(),
        baseline={name: measurement.baseline(name) for name in detector.baselines},
        transfer=transfer.metrics,
        reshape=ReshapeCost(
            strategy=config.reshape.name,
            groups=detector.reshape.groups(),
            distortion=measurement.distortion(),
            reconstruction=reconstruction.l1,
            cost=detector.cost,
        ),
        environment=environment,
        harmonise=Harmonisation(config.harmonise.name, len(assessment.unreached)),
        audit=audit,
    )


def _scoring(detector: Detector) -> Scoring:
    config, calibration = detector.config, detector.scorers["residual"].calibration
    threshold = calibration.threshold(detector.guarantee)
    return Scoring(
        alpha=config.scoring.alpha,
        guarantee=config.scoring.guarantee,
        confidence=config.scoring.confidence,
        calibration=detector.calibration,
        sign={name: config.scoring.sign[name] for name in config.modality.names},
        n_calibration=len(calibration.scores),
        threshold=threshold if np.isfinite(threshold) else None,
        voxel_threshold=calibration.voxel_threshold,
        outlook=outlook(len(calibration.scores), config.scoring.alpha, config.scoring.confidence),
    )
