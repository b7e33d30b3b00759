"""The classifier's pipeline: harmonisation, imputer, scaler, balancing and classifier, always fitted together."""

from pathlib import Path
from typing import Any, Final

import pandas as pd
import skops.io
from imblearn.pipeline import Pipeline
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from brain_cae.errors import ConfigurationError, RunError
from brain_cae.files.atomic import whole
from brain_cae.harmonise.features import FeatureHarmoniser

# Types that a stored classifier may contain beyond those that skops trusts. The list is fixed: any other type could
# run code on loading, so it is refused.
TRUSTED_TYPES: Final = (
    "brain_cae.harmonise.combat.Combat",
    "brain_cae.harmonise.residualise.Residualise",
    "imblearn.combine._smote_enn.SMOTEENN",
    "imblearn.combine._smote_tomek.SMOTETomek",
    "imblearn.over_sampling._adasyn.ADASYN",
    "imblearn.over_sampling._random_over_sampler.RandomOverSampler",
    "imblearn.over_sampling._smote.base.SMOTE",
    "imblearn.over_sampling._smote.filter.BorderlineSMOTE",
    "imblearn.over_sampling._smote.filter.SVMSMOTE",
    "imblearn.pipeline.Pipeline",
    "imblearn.under_sampling._prototype_selection._edited_nearest_neighbours.EditedNearestNeighbours",
    "imblearn.under_sampling._prototype_selection._nearmiss.NearMiss",
    "imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler",
    "imblearn.under_sampling._prototype_selection._tomek_links.TomekLinks",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
)


def build_pipeline(
    classifier: Any, balancing: Any | None = None, *, harmonise: FeatureHarmoniser | None = None, impute: bool = True
) -> Pipeline:
    """Return an unfitted pipeline of harmonisation (optional), imputer, scaler, balancing (optional) and classifier.

    Balancing (imbalanced-learn's resampling) acts only on the training part, because it is a step of the pipeline.
    For the same reason, harmonisation is fitted only on the healthy subjects of the training part.

    Args:
        classifier: An unfitted scikit-learn classifier with ``predict_proba``.
        balancing: An unfitted imbalanced-learn sampler with ``fit_resample``.
        harmonise: An unfitted step that removes the carried columns from the features.
        impute: Whether missing features are replaced by the training median.

    Raises:
        ConfigurationError: Classifier or balancing has the wrong type.
    """
    if not hasattr(classifier, "predict_proba"):
        raise ConfigurationError(
            "The classifier does not predict probabilities.",
            expected="a scikit-learn classifier with predict_proba",
            found=type(classifier).__name__,
            where="classifier",
            advice="Wrap it in sklearn.calibration.CalibratedClassifierCV.",
        )
    if balancing is not None and not hasattr(balancing, "fit_resample"):
        raise ConfigurationError(
            "The balancing cannot resample.",
            expected="an imbalanced-learn sampler with fit_resample",
            found=type(balancing).__name__,
            where="balancing",
        )
    steps: list[tuple[str, Any]] = [] if harmonise is None else [("harmonise", harmonise)]
    if impute:
        steps.append(("imputer", SimpleImputer(strategy="median", keep_empty_features=True)))
    steps.append(("scaler", StandardScaler()))
    if balancing is not None:
        steps.append(("balancing", balancing))
    return Pipeline([*steps, ("classifier", classifier)])


def count_unreached(fitted: Pipeline, features: pd.DataFrame) -> int:
    """Return how many subjects the harmonisation step leaves unchanged; 0 without such a step."""
    step = fitted.named_steps.get("harmonise")
    return 0 if step is None else int((~step.reached(features.to_numpy(dtype=float))).sum())


def harmonise_notes(pipeline: Pipeline, unreached: int, predicted: int) -> list[str]:
    """Return the note on subjects that the harmonisation step leaves unchanged, if there are any."""
    step = pipeline.named_steps.get("harmonise")
    if step is None or not unreached:
        return []
    return [f"{type(step).__name__} left {unreached} of {predicted} subjects unchanged: {step.unreached}."]


def is_fitted(estimator: Any) -> bool:
    """Return whether the estimator, or any step of a pipeline, is fitted."""
    steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else [estimator]
    return any(_step_is_fitted(step) for step in steps if step not in (None, "passthrough"))


def save_pipeline(pipeline: Pipeline, path: Path | str) -> Path:
    """Write a fitted pipeline with skops, atomically; nothing is pickled."""
    target = Path(path)
    # A fitted balancing step keeps the training subjects' features and is not used for prediction: store it unfitted.
    steps = [
        (name, clone(step) if name == "balancing" and step != "passthrough" else step) for name, step in pipeline.steps
    ]
    with whole(target) as aside:
        skops.io.dump(Pipeline(steps), aside)
    return target


def load_pipeline(path: Path | str, extensions: tuple[str, ...] = ()) -> Pipeline:
    """Load a pipeline written by :func:`save_pipeline`.

    Args:
        path: The file.
        extensions: Prefixes of further types that may be loaded: packages that the caller trusts.

    Raises:
        RunError: The file is missing, damaged, or contains a type that is not in the fixed list.
    """
    file = Path(path)
    if not file.is_file():
        raise RunError("The stored classifier is missing.", expected="a .skops file", where=str(file))
    try:
        types = skops.io.get_untrusted_types(file=file)
        trusted = [*TRUSTED_TYPES, *(name for name in types if extensions and name.startswith(extensions))]
        untrusted = set(types) - set(trusted)
        if not untrusted:
            loaded = skops.io.load(file, trusted=trusted)
    except Exception as error:  # skops and zipfile raise many exception types for a damaged file
        raise RunError(
            "The stored classifier cannot be read.",
            expected="a .skops file as written by this program",
            found=f"{type(error).__name__}: {error}".splitlines()[0],
            where=str(file),
        ) from error
    if untrusted:
        raise RunError(
            "The stored classifier contains types that this program does not load.",
            expected="a pipeline of scikit-learn and imbalanced-learn",
            found=", ".join(sorted(untrusted)),
            where=str(file),
            advice="Use a run folder that this program wrote.",
        )
    if not isinstance(loaded, Pipeline):
        raise RunError(
            "The stored classifier is not a pipeline.",
            expected="Pipeline",
            found=type(loaded).__name__,
            where=str(file),
        )
    return loaded


def _step_is_fitted(step: Any) -> bool:
    try:
        check_is_fitted(step)
    except (NotFittedError, TypeError):
        return False
    # Stateless estimators count as fitted in scikit-learn although they have no fitted attributes.
    return any(name.endswith("_") and not name.startswith("_") for name in vars(step))
