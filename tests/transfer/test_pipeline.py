"""Stored classifiers load unchanged, and other types are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from brain_cae.errors import ConfigurationError, RunError
from brain_cae.transfer import abnormal_probability, build_pipeline, fit, load_pipeline, save_pipeline

CLASSIFIERS = [
    LogisticRegression(),
    CalibratedClassifierCV(SVC(), ensemble=False),
    RandomForestClassifier(n_estimators=5),
    HistGradientBoostingClassifier(max_iter=5),
    KNeighborsClassifier(),
    MLPClassifier(hidden_layer_sizes=(4,), solver="lbfgs", max_iter=200, tol=1e-2),
]
BALANCING = [None, SMOTE(), RandomOverSampler(), RandomUnderSampler(), ADASYN(), BorderlineSMOTE()]


@pytest.fixture(scope="module")
def cohort() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [15, 30])
    features = pd.DataFrame(rng.normal(size=(45, 4)) + labels[:, None])
    features.iloc[2, 1] = np.nan
    return features, labels


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=lambda entry: type(entry).__name__)
@pytest.mark.parametrize("balancing", BALANCING, ids=lambda entry: type(entry).__name__)
def test_round_trip(cohort: tuple, classifier: object, balancing: object, tmp_path: Path) -> None:
    features, labels = cohort
    fitted, _ = fit(build_pipeline(classifier, balancing), features, labels, seed=1)
    loaded = load_pipeline(save_pipeline(fitted, tmp_path / "classifier.skops"))
    np.testing.assert_allclose(abnormal_probability(loaded, features), abnormal_probability(fitted, features))
    assert [path.name for path in tmp_path.iterdir()] == ["classifier.skops"]


def test_balancing_is_stored_without_the_training_subjects(cohort: tuple, tmp_path: Path) -> None:
    fitted, _ = fit(build_pipeline(LogisticRegression(), SMOTE()), *cohort)
    loaded = load_pipeline(save_pipeline(fitted, tmp_path / "classifier.skops"))
    assert isinstance(loaded.named_steps["balancing"], SMOTE)
    assert not hasattr(loaded.named_steps["balancing"], "nn_k_")


class Stranger(LogisticRegression):
    """A type that is not in the trusted list."""


def test_other_types_are_refused(cohort: tuple, tmp_path: Path) -> None:
    fitted, _ = fit(build_pipeline(Stranger()), *cohort)
    with pytest.raises(RunError, match="Stranger"):
        load_pipeline(save_pipeline(fitted, tmp_path / "classifier.skops"))


def test_damaged_missing_or_other_files_are_refused(cohort: tuple, tmp_path: Path) -> None:
    fitted, _ = fit(build_pipeline(LogisticRegression()), *cohort)
    path = save_pipeline(fitted, tmp_path / "classifier.skops")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunError, match="cannot be read"):
        load_pipeline(path)
    with pytest.raises(RunError, match="missing"):
        load_pipeline(tmp_path / "none.skops")
    skops.io.dump({"a": 1}, tmp_path / "other.skops")
    with pytest.raises(RunError, match="not a pipeline"):
        load_pipeline(tmp_path / "other.skops")


def test_classifiers_without_probabilities_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="CalibratedClassifierCV"):
        build_pipeline(SVC())
    with pytest.raises(ConfigurationError, match="balancing"):
        build_pipeline(LogisticRegression(), LogisticRegression())
