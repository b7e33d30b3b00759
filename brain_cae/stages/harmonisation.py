"""Harmonisation between scanners: of the images of a cohort, or of the features of a classifier."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import nibabel
import numpy as np
import pandas as pd

from brain_cae.configuration import Config
from brain_cae.data import appearance
from brain_cae.data.preprocess import CEILING
from brain_cae.detector.build import carried_columns, make_feature_harmoniser, make_harmoniser
from brain_cae.detector.detector import Detector
from brain_cae.harmonise import Brain, ImageHarmoniser, Unharmonised
from brain_cae.harmonise.features import PROTOCOL
from brain_cae.scans.linkage import log_parameters
from brain_cae.stages.cohort import Cohort
from brain_cae.transfer.features import CARRIED
from brain_cae.transfer.harmonised import harmonised_out_of_fold
from brain_cae.vocabulary import PLANES

VERSION = 1
"""Raise this number whenever a harmonisation gives other images for the same brains and parameters."""


def harmonise_images(config: Config, cohort: Cohort, train: list[str]) -> tuple[ImageHarmoniser, Cohort]:
    """Fit image harmonisation on the healthy brains of the role ``train``, and apply it to the whole cohort."""
    harmoniser = make_harmoniser(config)
    if not isinstance(harmoniser, Unharmonised):
        harmoniser.fit(brain for _, brain in _brains(cohort, train))
    return harmoniser, harmonised(harmoniser, cohort)


def harmonised(harmoniser: ImageHarmoniser, cohort: Cohort) -> Cohort:
    """Return the cohort with harmonised images; the input is not changed."""
    if isinstance(harmoniser, Unharmonised):
        return cohort
    learnt = json.dumps([VERSION, type(harmoniser).__qualname__, harmoniser.state()], sort_keys=True)
    name = f"harmonised_{hashlib.sha256(learnt.encode()).hexdigest()[:16]}"
    prepared = {}
    for subject, brain in _brains(cohort, list(cohort.prepared)):
        before = cohort.prepared[subject]
        volume = np.clip(harmoniser.apply(brain), 0, CEILING)
        # The audit tests histograms of the harmonised intensities, on which the network was trained.
        measured = before.appearance | appearance.histogram(volume, brain.mask, cohort.modalities)
        prepared[subject] = before.with_volume(before.kept(name, volume), measured)
    return replace(cohort, prepared=prepared)


def out_of_reach(harmoniser: ImageHarmoniser, cohort: Cohort, names: list[str]) -> list[str]:
    """Return the subjects whose images cannot be harmonised and stay unchanged."""
    if isinstance(harmoniser, Unharmonised):
        return []
    return [name for name, brain in _brains(cohort, names) if not harmoniser.reaches(brain)]


def _brains(cohort: Cohort, names: list[str]) -> Iterator[tuple[str, Brain]]:
    paths = cohort.index.set_index(["subject", "modality"])["path"]
    for name in names:
        subject = cohort.prepared[name]
        spacings = [_spacing_mm(str(paths[name, modality])) for modality in cohort.modalities]
        yield name, Brain(subject.volume, subject.mask, np.asarray(subject.spacing), np.stack(spacings))


def _spacing_mm(path: str) -> np.ndarray:
    """Return the acquired spacing (R, A, S) of a scan in mm, for a tilted scan along the nearest axes."""
    affine = nibabel.load(path).affine  # type: ignore[attr-defined]
    axes = nibabel.io_orientation(affine)[:, 0].astype(int)
    spacing = np.empty(3)
    spacing[axes] = nibabel.affines.voxel_sizes(affine)
    return spacing


def carried(detector: Detector, acquisition: pd.DataFrame, protocols: pd.Series) -> pd.DataFrame:
    """Return the acquisition as numbers, one row per subject, see :meth:`FeatureHarmoniser.carries`.

    Args:
        detector: Detector with the names of the protocols.
        acquisition: One row per subject.
        protocols: Protocol of each subject. Pooled, unknown and unseen protocols are coded as -1.
    """
    columns: dict[str, Any] = {}
    for name in carried_columns(detector.config):
        modality, _, last = name.rpartition("_")
        if name == PROTOCOL:
            large = [protocol for protocol in detector.protocols.names if not detector.protocols.is_small(protocol)]
            columns[f"{CARRIED}{name}"] = [large.index(p) if p in large else -1 for p in protocols]
        elif last in PLANES:
            plane = acquisition[f"{modality}_orientation"]
            columns[f"{CARRIED}{name}"] = np.where(plane == "", np.nan, plane == last)
        else:
            columns[f"{CARRIED}{name}"] = log_parameters(acquisition, [name])[:, 0]
    return pd.DataFrame(columns, index=acquisition.index)


def harmonised_features(
    detector: Detector, features: pd.DataFrame, labels: pd.Series, folds: pd.Series | None
) -> pd.DataFrame | None:
    """Return the features as harmonised for the classifier of each subject; None if features are not harmonised.

    Args:
        detector: Its stored harmonisation step is applied to new subjects.
        features: One feature arm with the acquisition columns, one row per subject.
        labels: ``healthy``, ``abnormal`` or ``unknown``.
        folds: Fold in which each subject was held out; None if all subjects are new.
    """
    step = make_feature_harmoniser(detector.config)
    if step is None:
        return None
    if folds is not None:
        return harmonised_out_of_fold(step, features, (labels == "healthy").to_numpy(), folds)
    if detector.classifier is None:
        return None
    harmonised_names = features.columns[: features.shape[1] - step.carried]
    transformed = detector.classifier.named_steps["harmonise"].transform(features.to_numpy(dtype=float))
    return pd.DataFrame(transformed, index=features.index, columns=harmonised_names)
