"""Where remedies against differences between scanners act: on a cohort's images, or on a classifier's features."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from brain_cae.configuration import Config
from brain_cae.fitted_model import FittedModel
from brain_cae.harmonise import FeatureHarmoniser
from brain_cae.harmonise.combat import Combat
from brain_cae.harmonise.residualise import Residualise
from brain_cae.scans.linkage import DEFINING, log_parameters
from brain_cae.transfer.features import CARRIED

FEATURE_HARMONISERS: dict[str, type[FeatureHarmoniser]] = {"combat": Combat, "residualise": Residualise}
"""By the name of the option; its keys are their arguments."""

PARAMETERS = (*DEFINING, "flip_angle_deg")
PLANES = ("axial", "coronal", "sagittal")


def feature_step(config: Config) -> FeatureHarmoniser | None:
    """The unfitted first step of the classifier's pipeline; None where the choice does not act on features."""
    kind = FEATURE_HARMONISERS.get(config.harmonise.name)
    if kind is None:
        return None
    options: dict[str, Any] = {name: value for name, value in asdict(config.harmonise).items() if name != "name"}
    return kind(**options, carried=len(carried_names(config)))


def carried_names(config: Config) -> list[str]:
    """Columns that the step needs beside the features."""
    if config.harmonise.name == "combat":
        return [f"{CARRIED}protocol"]
    if config.harmonise.name == "residualise":
        known = [f"{modality}_{name}" for modality in config.modality.names for name in (*PARAMETERS, *PLANES)]
        return [f"{CARRIED}{name}" for name in ("field_strength_t", *known)]
    return []


def carried_columns(model: FittedModel, acquisition: pd.DataFrame, protocols: pd.Series) -> pd.DataFrame:
    """How each subject was scanned, as numbers: one row per subject, see :func:`carried_names`.

    Args:
        model: Names the protocols.
        acquisition: One row per subject.
        protocols: The protocol of each. What stands for several or none (pooled, unknown, unseen) gets -1.
    """
    names = carried_names(model.config)
    columns: dict[str, Any] = {}
    if model.config.harmonise.name == "combat":
        own = [name for name in model.protocols.names if not model.protocols.is_small(name)]
        columns[names[0]] = [own.index(name) if name in own else -1 for name in protocols]
    elif names:
        for name in (name.removeprefix(CARRIED) for name in names):
            modality, _, last = name.rpartition("_")
            if last in PLANES:
                plane = acquisition[f"{modality}_orientation"]
                columns[f"{CARRIED}{name}"] = np.where(plane == "", np.nan, plane == last)
            else:
                columns[f"{CARRIED}{name}"] = log_parameters(acquisition, [name])[:, 0]
    return pd.DataFrame(columns, index=acquisition.index, columns=names)
