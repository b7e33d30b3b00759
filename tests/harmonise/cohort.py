"""Simulated features: the protocol shifts and scales them, the disease shifts them, and the two are independent."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

HEALTHY = 0


def cohort(
    *, shift: float, scale: float = 1.0, effect: float = 0.0, n: int = 240, columns: int = 5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows (n, columns + 1) whose last column is the protocol number, protocols 0 and 1, labels 0 and 1."""
    rng = np.random.default_rng(seed)
    protocols, labels = np.arange(n) % 2, (np.arange(n) // 2) % 2
    features = rng.normal(size=(n, columns)) * np.where(protocols, scale, 1.0)[:, None]
    features += shift * protocols[:, None] * np.linspace(0.5, 1.5, columns)
    features += effect * labels[:, None]
    return np.column_stack([features, protocols]), protocols, labels


def auroc_of_protocol(features: np.ndarray, protocols: np.ndarray) -> float:
    """Return the AUROC of out-of-fold predictions of the protocol."""
    return _auroc(features, protocols)


def auroc_of_label(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the AUROC of out-of-fold predictions of the label."""
    return _auroc(features, labels)


def _auroc(features: np.ndarray, truth: np.ndarray) -> float:
    predicted = cross_val_predict(LogisticRegression(), features, truth, cv=5, method="predict_proba")[:, 1]
    return float(roc_auc_score(truth, predicted))
