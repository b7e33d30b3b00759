"""The space in which the same place of two brains has the same position."""

import logging
from dataclasses import replace

from brain_cae.configuration import Config
from brain_cae.stages.cohort import Cohort

log = logging.getLogger(__name__)

NO_PLACE = "no match with the template"


def with_space(config: Config, cohort: Cohort) -> Config:
    """Return the configuration with ``preprocess.space=box`` if skulls are on: heads do not match a brain.

    A run does this once, after preparation, so that its stored model names the space.
    """
    heads = bool((cohort.skull == "on").any())
    return replace(config, preprocess=replace(config.preprocess, space="box")) if heads else config


def placed(cohort: Cohort, config: Config) -> Cohort:
    """Return the prepared cohort without the subjects that have no place in the template, if one is needed.

    They are marked as refused in the report, and a caution names them.
    """
    if config.preprocess.space != "mni":
        return cohort
    lost = [name for name, subject in cohort.prepared.items() if subject.to_template is None]
    for name in lost:
        log.warning("%s is left out: %s", name, NO_PLACE)
    return cohort.without(dict.fromkeys(lost, NO_PLACE))
