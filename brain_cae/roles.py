"""The roles that a configuration gives to labelled subjects, and what is to be said of them before any work."""

from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config, calibration_needed, validation_size
from brain_cae.data.splits import read_splits, stratified
from brain_cae.errors import DatasetError
from brain_cae.scans.protocol import ProtocolGroups, subject_acquisition

ADVISED = 40
FEW = 20


def draw_roles(config: Config, index: pd.DataFrame) -> pd.DataFrame:
    """Draw the roles, or read them from ``split.file``.

    Args:
        config: Its dataset is named in messages; its split, seed and ``dataset.test_only`` decide.
        index: The index of the import; its columns subject, label and source alone where protocols do not matter.

    Returns:
        Columns subject, role.

    Raises:
        DatasetError: No or too few healthy brains, or a split file that cannot be used.
    """
    subjects = index.groupby("subject")[["label", "source"]].first()
    # Sources that shall neither teach nor calibrate the autoencoder.
    tested = subjects["source"].isin(getattr(config.dataset, "test_only", []))
    labels = subjects.loc[~tested, "label"]
    healthy = int((labels == "healthy").sum())
    if healthy == 0:
        raise DatasetError(
            "There is no healthy brain to learn from.",
            expected="subjects labelled healthy",
            found=", ".join(f"{count} {label}" for label, count in labels.value_counts().items()),
            where=f"dataset={config.dataset.name}",
            advice="Add healthy brains from another set (dataset=combined). In RSNA-MICCAI every patient "
            "has a glioblastoma; dataset.healthy_value=0 reads MGMT_value 0 as healthy, which it is not.",
        )
    if config.split.file is not None:
        return read_splits(Path(config.split.file), subjects["label"])
    drawn = stratified(
        labels,
        train=config.split.train,
        validation=validation_size(healthy, config.split),
        classifier=config.split.classifier,
        seed=config.seed,
        protocols=_protocols(config, index) if config.split.name == "protocol" else None,
    )
    apart = pd.DataFrame({"subject": subjects.index[tested], "role": "test"})
    return pd.concat([drawn, apart]).sort_values("subject", ignore_index=True)


def _protocols(config: Config, index: pd.DataFrame) -> pd.Series:
    """Protocol of each subject, as the run will name it in ``predictions.csv``."""
    acquisition = subject_acquisition(index, modalities=config.modality.names, reference=config.modality.reference)
    return ProtocolGroups.fit(acquisition).assign(acquisition)


def calibration_cautions(brains: int, alpha: float) -> list[str]:
    """What must be said of p-values and thresholds that rest on so many healthy brains."""
    cautions = []
    if brains < FEW:
        cautions.append(
            f"Only {brains} healthy brains calibrate the threshold ({FEW} are the least, {ADVISED} advised): "
            "p-values are coarse and the voxel statistics uncertain."
        )
    if brains < (needed := calibration_needed(alpha)):
        cautions.append(
            f"Nothing can be flagged: the smallest p-value of {brains} healthy brains is 1/{brains + 1}; "
            f"scoring.alpha={alpha:g} needs at least {needed} of them."
        )
    return cautions
