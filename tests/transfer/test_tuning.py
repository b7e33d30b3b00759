"""The search for a classifier's parameters."""

import json
from pathlib import Path

import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from brain_cae.configuration import classifier_option, option_names
from brain_cae.errors import StorageError
from brain_cae.transfer import build_pipeline, crossfit
from brain_cae.transfer.tuning import Tuning

from ..conftest import compose_config
from .test_choices import people, pipeline

SPACE = {"n_neighbors": {"low": 1, "high": 31, "step": 2}, "weights": {"choices": ["uniform", "distance"]}}


def neighbours(count: int = 1):
    return build_pipeline(KNeighborsClassifier(count))


def test_a_search_improves_on_bad_parameters() -> None:
    features, labels = people(60, 60, shift=0.5)
    tuned = Tuning(SPACE, trials=20)(neighbours(1), features, labels.astype(bool), name="knn", seed=0)
    trials = tuned.trials
    assert len(trials) == 20 and trials["trial"].tolist() == list(range(20))
    assert json.loads(trials["parameters"][0]) == {"n_neighbors": 1, "weights": "uniform"}  # the current values first
    complete = trials[trials["state"] == "complete"]
    assert complete["auroc"].max() > trials["auroc"][0] + 0.05
    best = json.loads(complete.loc[complete["auroc"].idxmax(), "parameters"])
    assert tuned.pipeline.get_params()["classifier__n_neighbors"] == best["n_neighbors"] > 5
    assert (trials["state"] == "pruned").any()


def test_the_held_out_fold_never_reaches_the_search() -> None:
    """The parameters chosen for a fold do not depend on its held-out data."""
    features, labels = people(24, 24, shift=0.5)
    tuning = Tuning(SPACE, trials=6)
    first_run = crossfit(neighbours(), features, labels, folds=3, tuning=tuning, name="knn")
    broken, flipped = features.copy(), labels.copy()
    held_out = first_run.folds == 0
    broken.loc[held_out] = 1e6
    again = crossfit(neighbours(), broken, flipped, folds=3, tuning=tuning, name="knn")
    first = [
        trials[trials["study"] == "knn, fold 0"].drop(columns="study") for trials in (first_run.trials, again.trials)
    ]
    pd.testing.assert_frame_equal(*first)
    others = [trials[trials["study"] == "knn, fold 1"]["auroc"].tolist() for trials in (first_run.trials, again.trials)]
    assert others[0] != others[1]


@pytest.mark.parametrize("kind", ["journal", "database"])
def test_an_interrupted_search_is_resumed(kind: str, tmp_path: Path) -> None:
    features, labels = people(20, 20, shift=0.5)
    storage = str(tmp_path / "tuning.log") if kind == "journal" else f"sqlite:///{tmp_path}/tuning.db"
    first = Tuning(SPACE, trials=4, storage=storage)(neighbours(), features, labels.astype(bool), name="knn", seed=0)
    rest = Tuning(SPACE, trials=9, storage=storage)(neighbours(), features, labels.astype(bool), name="knn", seed=0)
    pd.testing.assert_frame_equal(rest.trials.iloc[:4], first.trials)
    assert len(rest.trials) == 9
    done = Tuning(SPACE, trials=9, storage=storage)(neighbours(), features, labels.astype(bool), name="knn", seed=0)
    pd.testing.assert_frame_equal(done.trials, rest.trials)
    other = Tuning(SPACE, trials=2, storage=storage)(
        neighbours(), features + 1, labels.astype(bool), name="knn", seed=0
    )
    assert len(other.trials) == 2  # other features are another search


def test_a_storage_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    features, labels = people(8, 8, shift=0.5)
    for storage in (f"sqlite:///{tmp_path}/none/tuning.db", str(tmp_path / "none" / "tuning.log"), "nonsense://x"):
        with pytest.raises(StorageError, match="storage of the tuning cannot be opened"):
            Tuning(SPACE, trials=1, storage=storage)(neighbours(), features, labels.astype(bool), name="k", seed=0)


def test_too_few_members_leave_the_parameters_as_they_are() -> None:
    features, labels = people(6, 1, shift=0.5)
    tuned = Tuning(SPACE, trials=3)(neighbours(), features, labels.astype(bool), name="knn", seed=0)
    assert tuned.trials.empty and tuned.notes[0].startswith("Not tuned: One class has a single member")
    assert tuned.pipeline.get_params()["classifier__n_neighbors"] == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", option_names("classifier"))
def test_every_space_can_be_searched(name: str) -> None:
    features, labels = people(24, 12, shift=1.0)
    classifier = classifier_option(name)
    assert classifier.tuning.trials == 0
    if not classifier.tuning.space:
        assert name == "dummy"
        return
    tuned = Tuning(classifier.tuning.space, trials=6)(pipeline(name), features, labels.astype(bool), name=name, seed=0)
    assert len(tuned.trials) == 6 and (tuned.trials["state"] == "complete").all()
    assert tuned.trials["auroc"].max() > 0.6


def test_the_search_is_configured_by_keys() -> None:
    config = compose_config("classifier.tuning.trials=7", "classifier.tuning.space.C.low=0.5")
    assert config.classifier.tuning.trials == 7
    assert config.classifier.tuning.space == {"C": {"low": 0.5, "high": 10.0, "log": True}}
