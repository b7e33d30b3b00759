"""The roles that a configuration gives to labelled subjects, and what is to be said of them before any work."""

from pathlib import Path

import pandas as pd

from brain_cae.configuration import Config, LeaveProtocolOut, calibration_needed, validation_size
from brain_cae.data.splits import leave_protocol_out, read_splits, stratified
from brain_cae.errors import ConfigurationError, DatasetError
from brain_cae.scans.protocol import MINIMUM, UNKNOWN, ProtocolGroups, as_typed, subject_acquisition

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
        ConfigurationError: ``split.protocol`` names no protocol.
        DatasetError: No or too few healthy brains, no protocol to hold out, or a split file that cannot be used.
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
    if isinstance(config.split, LeaveProtocolOut):
        protocols = _protocols(config, index)
        held_out = _held_out(config.split.protocol, labels, protocols)
        return leave_protocol_out(
            labels,
            protocols,
            held_out,
            train=config.split.train,
            validation=validation_size(int(((labels == "healthy") & (protocols != held_out)).sum()), config.split),
            seed=config.seed,
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


def _held_out(typed: str | None, labels: pd.Series, protocols: pd.Series) -> str:
    """The protocol that was typed.

    Raises:
        ConfigurationError: None was, or it names none of them; all are listed with their members.
        DatasetError: The headers tell no protocols apart.
    """
    members = pd.crosstab(protocols, labels).drop(index=UNKNOWN, errors="ignore")
    members = members.reindex(columns=["healthy", "abnormal"], fill_value=0)
    if members.empty:
        raise DatasetError(
            "No protocol can be held out: the headers say nothing of scanners.",
            expected="manufacturer, field strength, TR or TE in the headers, or in the sidecars of dataset=bids",
            found=f"{len(protocols)} subjects of unknown protocol",
            where="split=leave_protocol_out",
            advice="Use split=stratified, or import DICOM.",
        )
    found = [name for name in members.index if name == typed]
    found = found or [name for name in members.index if as_typed(name) == as_typed(typed or "")]
    if len(found) == 1:
        return found[0]
    listed = members.loc[members.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    raise ConfigurationError(
        "`split.protocol` names no protocol of these subjects." if typed else "`split.protocol` has no value.",
        expected=" | ".join(
            f"{as_typed(str(n))} ({r.healthy} healthy, {r.abnormal} abnormal)" for n, r in listed.iterrows()
        ),
        found=typed,
        where="split.protocol",
        advice=f"Give one of them, or several to a sweep: -m split.protocol=a,b. Protocols of fewer than {MINIMUM} "
        "subjects are held out together.",
    )


def protocol_cautions(config: Config, index: pd.DataFrame, splits: pd.DataFrame) -> list[str]:
    """What must be said of figures that count a held-out protocol alone."""
    if not isinstance(config.split, LeaveProtocolOut):
        return []
    tested = splits.loc[splits["role"] == "test", "subject"]
    labels = index.groupby("subject")["label"].first()[tested]
    protocols = _protocols(config, index)
    cautions = [
        f"{protocols[tested].iloc[0]} is held out: figures count its {int((labels == 'healthy').sum())} healthy and "
        f"{int((labels == 'abnormal').sum())} abnormal subjects alone, and the transfer classifier has learnt from "
        f"other protocols alone, whatever evaluation={config.evaluation.name} says."
    ]
    if unknown := int((protocols == UNKNOWN).sum()):
        cautions.append(
            f"{unknown} subjects whose headers name no protocol are among the others: some may have been scanned as "
            "those that are held out."
        )
    return cautions


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
