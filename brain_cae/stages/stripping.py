"""Skull stripping of a run: the choice of the tool, and one skull state for all subjects."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from brain_cae.configuration import Config
from brain_cae.data.strippers import DEEPBET, INSTALL_DEEPBET, deepbet_installed, require_stripper
from brain_cae.data.subject import PreparedSubject
from brain_cae.errors import DatasetError
from brain_cae.scans.skulls import with_skull
from brain_cae.scans.sources.base import SeriesLocation, agreeing, counted, some
from brain_cae.vocabulary import Serious

log = logging.getLogger(__name__)

CERTAIN_HEAD_ML = 2600.0
"""A foreground as large as that is no brain: 16 scans of heads have 2.7 to 5.1 litres, 160 simulated brains at most
2.44, some of them in thick slices."""

AUTO = "auto"


def with_stripper(config: Config) -> Config:
    """Return the configuration with ``preprocess.skull_strip=auto`` replaced by ``deepbet`` or, without it, ``none``.

    A run does this once, before work starts, so that its stored model names the tool.
    """
    if config.preprocess.skull_strip != AUTO:
        return config
    chosen = DEEPBET if deepbet_installed() else "none"
    return replace(config, preprocess=replace(config.preprocess, skull_strip=chosen))


def require_for_heads(config: Config, locations: Sequence[SeriesLocation]) -> None:
    """Check that deepbet, if it is the configured tool, is installed where it is needed.

    Args:
        config: Configuration of the run.
        locations: The series that a source lists. A scan of unknown state may need deepbet as well; its voxels tell.

    Raises:
        ConfigurationError: A scan with a skull has no brain mask, and deepbet is not installed.
    """
    if config.preprocess.skull_strip == DEEPBET:
        require_stripper(DEEPBET, with_skull(locations, reference=config.modality.reference))


def refuse_mixed_skulls(skull: pd.Series) -> None:
    """Check that prepared subjects do not mix heads and stripped brains (index: subject); unknown states are allowed.

    Raises:
        DatasetError: The skull is on in some subjects and stripped in others; both are named.
    """
    groups = {state: list(skull.index[skull == state]) for state in ("on", "stripped")}
    if all(groups.values()):
        raise DatasetError(
            "The skull is on in some subjects and stripped in others.",
            expected="one state for all subjects; otherwise differences between them are due to the skull",
            found="; ".join(f"{state} in {len(names)}: {some(names)}" for state, names in groups.items()),
            where="dataset",
            advice=f"Strip the heads ({INSTALL_DEEPBET}, then preprocess.skull_strip=deepbet) or provide brain masks. "
            "If a state is wrong, set it: dataset.skull, or the column skull of a table.",
        )


def head_cautions(skull: pd.Series) -> list[str]:
    """Return the caution about subjects whose skull is on and stays on (index: subject); it is also logged."""
    heads = list(skull.index[skull == "on"])
    if not heads:
        return []
    count = agreeing(len(heads), "{subject|subjects}")
    caution = (
        f"The skull is on in {count} ({some(heads)}), and the whole head counts as brain: scores, maps "
        f"and p-values of heads are rough. Strip the skulls ({INSTALL_DEEPBET}, then train with "
        "preprocess.skull_strip=deepbet), or provide brain masks."
    )
    log.warning(caution)
    return [caution]


def false_skull_cautions(skull: pd.Series, prepared: Mapping[str, PreparedSubject]) -> list[str]:
    """Return the caution about subjects that count as stripped but are as large as a head; it is also logged.

    Args:
        skull: Skull state of each subject (index: subject).
        prepared: Prepared subjects by name. Brain masks of the data set have a caution of their own.
    """
    large = {
        name: f"{one.foreground_ml:.0f} mL"
        for name, one in prepared.items()
        if skull.get(name) == "stripped"
        and one.foreground_ml >= CERTAIN_HEAD_ML
        and not any(mask.kind == "brain" for mask in one.masks)
    }
    text = (
        f"{{subject counts|subjects count}} as stripped but {{is|are}} larger than any brain ({CERTAIN_HEAD_ML:.0f} "
        "mL): the whole head counts as brain, and scores and maps are meaningless. Leave it to the scans with "
        "dataset.skull=unknown"
    )
    cautions: list[str] = []
    for caution in counted({text: [f"{name} ({size})" for name, size in large.items()]}):
        log.warning(caution)
        cautions.append(Serious(caution, large))
    return cautions
