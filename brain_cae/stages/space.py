"""The space in which the same place of two brains has the same position."""

import logging
from dataclasses import replace

from brain_cae.configuration import Config
from brain_cae.scans.sources.base import some
from brain_cae.stages.cohort import Cohort

log = logging.getLogger(__name__)


def with_space(config: Config, cohort: Cohort) -> Config:
    """Return the configuration with ``preprocess.space=box`` if skulls are on: heads do not match a brain.

    A run does this once, after preparation, so that its stored model names the space.
    """
    heads = bool((cohort.skull == "on").any())
    return replace(config, preprocess=replace(config.preprocess, space="box")) if heads else config


def placed(cohort: Cohort, config: Config) -> Cohort:
    """Return the prepared cohort with a caution about subjects that have no match with the template, if one is used.

    Their place is the box of their mask. The caution is also logged.
    """
    if config.preprocess.space != "mni":
        return cohort
    without = [name for name, subject in cohort.prepared.items() if subject.to_template is None]
    if not without:
        return cohort
    caution = (
        f"{len(without)} of {len(cohort.prepared)} subjects do not match the template ({some(without)}): their place "
        "is that of the box of their mask, and their scores, maps and p-values are rough. Look at the scans: is the "
        "brain whole, without skull, and the right way up?"
    )
    log.warning(caution)
    return replace(cohort, cautions=[*cohort.cautions, caution])
