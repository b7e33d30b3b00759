"""Every classifier with every balancing, as the configuration composes them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra.utils import instantiate

from brain_cae.configuration import conf_folder
from brain_cae.estimates import auroc
from brain_cae.transfer import abnormal_probability, build_pipeline, crossfit, fit, load_pipeline, save_pipeline

from ..conftest import compose_config

OPTIONS = {
    group: sorted(path.stem for path in (conf_folder() / group).glob("*.yaml")) for group in ("classifier", "balancing")
}


def pipeline(classifier: str, balancing: str = "none"):
    config = compose_config(f"classifier={classifier}", f"balancing={balancing}")
    sampler = config.balancing.sampler
    return build_pipeline(
        instantiate(config.classifier.estimator, _convert_="all"),
        instantiate(sampler, _convert_="all") if sampler else None,
    )


def people(healthy: int, abnormal: int, *, shift: float, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [healthy, abnormal])
    return pd.DataFrame(generator.normal(size=(len(labels), 5)) + shift * labels[:, None]), labels


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("classifier", OPTIONS["classifier"])
@pytest.mark.parametrize("balancing", OPTIONS["balancing"])
def test_every_choice_is_seeded_stored_and_better_than_chance(classifier: str, balancing: str, tmp_path: Path) -> None:
    features, labels = people(24, 12, shift=2.0)
    made = pipeline(classifier, balancing)
    first, second = (crossfit(made, features, labels, folds=3, seed=4) for _ in range(2))
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    value = auroc(labels, first.probabilities).value
    # Trees do worst with the 16 subjects that a fold leaves.
    assert value is not None and (value == 0.5 if classifier == "dummy" else value > 0.75)
    fitted, _ = fit(made, features, labels, seed=4)
    loaded = load_pipeline(save_pipeline(fitted, tmp_path / "classifier.skops"))
    np.testing.assert_allclose(abnormal_probability(loaded, features), abnormal_probability(fitted, features))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("classifier", OPTIONS["classifier"])
@pytest.mark.parametrize("balancing", OPTIONS["balancing"])
def test_very_small_classes_use_fewer_folds_with_a_note(classifier: str, balancing: str) -> None:
    features, labels = people(4, 2, shift=1.0)
    result = crossfit(pipeline(classifier, balancing), features, labels, folds=5, seed=0)
    assert any("2 folds instead of 5" in note for note in result.notes)
    if classifier == "svm":
        assert not result.defined
        assert any("single member" in note for note in result.notes)
        return
    assert result.defined
    if balancing.startswith("smote"):
        assert any("No balancing" in note for note in result.notes)


@pytest.mark.parametrize("classifier", OPTIONS["classifier"])
def test_two_small_classes_work(classifier: str) -> None:
    """Both classes have fewer members than the five inner folds of the calibration."""
    result = crossfit(pipeline(classifier), *people(5, 5, shift=1.0), folds=5, seed=0)
    assert np.isfinite(result.probabilities).all()
    if classifier == "svm":
        assert any("Calibration used 4 inner folds" in note for note in result.notes)


@pytest.mark.parametrize("classifier", OPTIONS["classifier"])
def test_constant_missing_and_empty_features_work(classifier: str) -> None:
    features, labels = people(24, 12, shift=2.0)
    features[5], features[6] = 3.0, np.nan
    features.iloc[::4, 0] = np.nan
    result = crossfit(pipeline(classifier, "smote"), features, labels, folds=3, seed=0)
    assert np.isfinite(result.probabilities).all()


@pytest.mark.parametrize("balancing", OPTIONS["balancing"])
def test_shuffled_labels_give_chance(balancing: str) -> None:
    """Balancing before the split would put copies of a subject on both sides, with an AUROC above chance."""
    values, made = [], pipeline("knn", balancing)
    for seed in range(25):
        features, labels = people(40, 14, shift=0.0, seed=seed)
        result = crossfit(made, features, labels, folds=5, seed=seed)
        values.append(auroc(labels, result.probabilities, resamples=10).value)
    # The standard error of the mean is about 0.09 / sqrt(25).
    assert abs(np.mean(values) - 0.5) < 0.06
