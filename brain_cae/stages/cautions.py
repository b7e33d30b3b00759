"""Cautions of a run: what a reader must know before the figures."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from brain_cae.configuration import Config
from brain_cae.scans.protocol import UNKNOWN
from brain_cae.scans.skulls import unlike
from brain_cae.scans.sources.base import counted
from brain_cae.scoring.guarantee import Guarantee, rate_bound
from brain_cae.stages.cohort import Cohort
from brain_cae.stages.roles import calibrating, protocols_of
from brain_cae.vocabulary import Serious

log = logging.getLogger(__name__)

RECOMMENDED = 46
MIN_CALIBRATION = 20
"""Number of healthy calibration brains: recommended, and the minimum without a caution."""

MIN_TRAINING = 20
"""Number of healthy training brains without a caution."""


DIVERGED = 3.0
"""Training loss that no network has that sees anything: intensities are divided by their median, or that of white
matter, so that the loss of an empty image is about 1."""


def brains(number: int) -> str:
    """Return a number of healthy brains in words: ``1 healthy brain``, ``3 healthy brains``."""
    return f"{number} healthy brain{'' if number == 1 else 's'}"


def serious(cautions: list[str]) -> list[str]:
    """Return the serious cautions, each once."""
    return list(dict.fromkeys(str(caution) for caution in cautions if isinstance(caution, Serious)))


def trial_cautions(config: Config, learnt: int) -> list[str]:
    """Return the serious cautions of a run that only tries the program out, or that learnt from too little.

    Args:
        config: Configuration of the run.
        learnt: Number of healthy brains that the network, or the model without one, was trained with.
    """
    cautions, network = [], config.model.network is not None
    if config.debug is not None:
        epochs = f"{config.trainer.max_epochs} epoch{'' if config.trainer.max_epochs == 1 else 's'}"
        trained = f", {epochs} of training" if network else ""
        cautions.append(
            f"This is a trial (debug={config.debug}{trained}): it shows that the program runs. Its scores, figures and "
            "verdict mean nothing."
        )
    return [*map(Serious, cautions), *training_size_cautions(config, learnt, learns="learnt")]


def training_size_cautions(config: Config, number: int, *, learns: str = "learns") -> list[str]:
    """Return the serious caution of a model that learns, or learnt, from fewer healthy brains than it should."""
    if number >= MIN_TRAINING:
        return []
    learner = "model" if config.model.network is None else "network"
    caution = (
        f"The {learner} {learns} from {brains(number)} (minimum {MIN_TRAINING}): whatever else a healthy brain may "
        "look like counts as an anomaly, and scores mean little."
    )
    return [Serious(caution)]


def protocol_cautions(config: Config, index: pd.DataFrame, splits: pd.DataFrame) -> list[str]:
    """Return the cautions for figures of a held-out protocol; empty for other splits."""
    if not config.split.holds_out_protocol:
        return []
    tested = splits.loc[splits["role"] == "test", "subject"]
    labels = index.groupby("subject")["label"].first()[tested]
    protocols = protocols_of(config, index)
    cautions = [
        f"{protocols[tested].iloc[0]} is held out: the figures are based only on its "
        f"{int((labels == 'healthy').sum())} healthy and {int((labels == 'abnormal').sum())} abnormal subjects, and "
        "the transfer classifier was trained only on other protocols, regardless of "
        f"evaluation={config.evaluation.name}."
    ]
    if unknown := int((protocols == UNKNOWN).sum()):
        cautions.append(
            f"{unknown} subjects have an unknown protocol and are not held out: some of them may have been scanned "
            "with the held-out protocol."
        )
    return cautions


def rule_of(config: Config) -> Guarantee:
    """Return the rule of a configuration that decides which brains are flagged."""
    return Guarantee(config.scoring.guarantee, config.scoring.alpha, config.scoring.confidence)


def calibration_cautions(brains: int, rule: Guarantee) -> list[str]:
    """Return the cautions for thresholds and p-values from this number of healthy calibration brains."""
    cautions = []
    if brains < MIN_CALIBRATION:
        cautions.append(
            f"Only {brains} healthy brain{' calibrates' if brains == 1 else 's calibrate'} the threshold (minimum "
            f"{MIN_CALIBRATION}, recommended {RECOMMENDED}): p-values are coarse and voxel statistics are uncertain."
        )
    if not rule.rank(brains):
        text = (
            f"No brain is flagged: scoring.guarantee={rule.kind} with scoring.alpha={rule.alpha:g} needs at least "
            f"{rule.needed()} healthy calibration brains, and there are {brains}."
        )
        average = rule if rule.kind == "average" else rule.other()
        if rank := average.rank(brains):
            text += (
                f" What scoring.guarantee=average flags is shown beside it: its rate of false alarms is "
                f"{average.expected_rate(brains):.1%} on average over hospitals, in one hospital up to "
                f"{rate_bound(rank, brains, rule.confidence):.0%}."
            )
        cautions.append(text)
    return cautions


def crossfit_cautions(config: Config) -> list[str]:
    """Return the caution for p-values of cross-fitted detectors; empty for another calibration."""
    if not config.calibration.folds:
        return []
    return [
        f"Each healthy brain calibrates with the one of {config.calibration.folds} networks that did not learn from it "
        "(cross-conformal): p-values, bounds and expected false alarms are approximations."
    ]


def training_cautions(config: Config, splits: pd.DataFrame) -> list[str]:
    """Return the cautions that apply to all that a trained model says; they are logged and stored with it."""
    cautions = [*calibration_cautions(calibrating(config, splits), rule_of(config)), *crossfit_cautions(config)]
    for caution in cautions:
        log.warning(caution)
    return cautions


def divergence_cautions(histories: Mapping[str, Sequence[float]]) -> list[str]:
    """Return the serious caution about networks that diverged; it is logged and stored with them.

    Their training loss did not fall, or is still that of no image.

    Args:
        histories: Mean training loss of each epoch, by network.
    """
    cautions = [
        Serious(
            f"The network has not learnt what healthy brains look like, and scores mean nothing: its training loss was "
            f"{losses[0]:.3g} in the first epoch and {losses[-1]:.3g} in the last ({name}); that of an empty image is "
            "about 1. Lower model.learning_rate."
        )
        for name, losses in histories.items()
        if losses and (losses[-1] > DIVERGED or (len(losses) > 1 and losses[-1] >= losses[0]))
    ]
    for caution in cautions:
        log.warning(caution)
    return list(cautions)


def cohort_cautions(config: Config, cohort: Cohort, splits: pd.DataFrame) -> list[str]:
    """Return the cautions for figures of a run's own subjects; they are logged, and do not concern new subjects."""
    cautions = protocol_cautions(config, cohort.index, splits)
    without = sorted(set(cohort.labels.index) - set(splits["subject"]))
    cautions += counted({"{subject has|subjects have} no role and {is|are} left out": without})
    cautions += _source_cautions(cohort)
    for caution in cautions:
        log.warning(caution)
    return cautions


def _source_cautions(cohort: Cohort) -> list[str]:
    """Return a caution if several sources have one class each."""
    subjects = cohort.index.groupby("subject")[["label", "source"]].first()
    known = subjects[subjects["label"] != "unknown"]
    if known["source"].nunique() < 2 or (known.groupby("source")["label"].nunique() > 1).any():
        return []
    return [
        "No source has both classes: label equals source, and no audit can separate disease from scanner. Figures "
        "between the classes are not evidence; maps, localisation and false alarms on healthy brains are."
    ]


def skull_cautions(calibrated: Sequence[str], skull: pd.Series) -> list[str]:
    """Return the cautions for subjects whose skull state differs from those of the calibration brains.

    Args:
        calibrated: States of the calibration brains.
        skull: State of each subject (index: subject).
    """
    state = " or ".join(calibrated)
    others = skull[[unlike(one, calibrated) for one in skull]]
    cautions: list[str] = []
    if len(others):
        cautions.append(
            Serious(
                f"In {len(others)} of these subjects the skull is {' or '.join(sorted(set(others)))}, but in "
                f"the calibration brains it is {state}: their scores and p-values are meaningless. Use the same skull "
                "state for both.",
                others.index.astype(str),
            )
        )
    unknown = int((skull == "unknown").sum())
    if unknown and calibrated and "unknown" not in calibrated:
        cautions.append(
            f"The skull state of {unknown} of these subjects is unknown; in the calibration brains the skull is "
            f"{state}. Scores are comparable only between scans with the same skull state."
        )
    return cautions


def out_of_calibration_cautions(reasons: pd.Series) -> list[str]:
    """Return the caution for subjects that the calibration does not cover (index: subject; ``""``: covered).

    It is serious if it covers none of them.

    See :mod:`brain_cae.stages.coverage`.
    """
    outside = reasons[reasons != ""]
    if outside.empty:
        return []
    counts = outside.str.split("; ").explode().value_counts(sort=False)
    counted = ", ".join(f"{reason} ({count})" for reason, count in counts.items())
    caution = (
        f"Nothing is promised about false alarms for {len(outside)} of {len(reasons)} subjects: nothing shows that "
        f"their scans are like those of the calibration brains. They are marked out_of_calibration: {counted}. "
        "Calibrate with healthy brains from the same scanner: calibrate=<folder of local healthy scans>."
    )
    return [Serious(caution) if len(outside) == len(reasons) else caution]


def harmonise_cautions(unreached: list[str], evaluated: int) -> list[str]:
    """Return the caution for subjects whose images could not be harmonised; empty if there are none."""
    if not unreached:
        return []
    return [
        f"The images of {len(unreached)} of {evaluated} subjects have a coarser resolution than the healthy training "
        f"brains and could not be harmonised: {', '.join(unreached[:5])}."
    ]


def nested_cautions(table: pd.DataFrame) -> list[str]:
    """Return the caution for a nested evaluation; ``table`` has the outer fold of each subject in ``fold``."""
    return [
        f"All figures come from {table['fold'].nunique()} outer folds, each with a model of its own, stored in "
        "outer/. Thresholds, groups and costs are those of the stored model, which the figures do not evaluate."
    ]
