"""From features to a classifier: pipelines, out-of-fold predictions and metrics."""

from brain_cae.transfer.crossfit import Crossfit, crossfit, holdout
from brain_cae.transfer.features import distance_features, encoder_features, residual_features, select_arm
from brain_cae.transfer.fitting import abnormal_probability, fit, make_folds
from brain_cae.transfer.metrics import transfer_metrics
from brain_cae.transfer.permutation import permutation_p
from brain_cae.transfer.pipeline import build_pipeline, load_pipeline, save_pipeline

__all__ = [
    "Crossfit",
    "abnormal_probability",
    "build_pipeline",
    "crossfit",
    "distance_features",
    "encoder_features",
    "fit",
    "holdout",
    "load_pipeline",
    "make_folds",
    "permutation_p",
    "residual_features",
    "save_pipeline",
    "select_arm",
    "transfer_metrics",
]
