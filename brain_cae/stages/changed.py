"""What has changed in the data set of a run since its training: subjects that are gone, other labels, other scans."""

import pandas as pd

from brain_cae.scans.sources.base import counted
from brain_cae.vocabulary import HEALTHY_ROLES, UNSEEN_ROLES, Serious


def with_other_scans(before: pd.DataFrame, index: pd.DataFrame) -> set[str]:
    """Return the subjects of which a scan has other voxels than before, by the indices of then and of today."""
    both = index.merge(before, on=["subject", "modality"], suffixes=("", "_before"))
    return set(both.loc[both["series_hash"] != both["series_hash_before"], "subject"])


def changed_cautions(before: pd.DataFrame | None, index: pd.DataFrame, roles: pd.Series) -> list[str]:
    """Return the cautions about subjects of a run whose scans or labels are not those of its training.

    Args:
        before: Index of the run with subject, modality, label and series_hash; None if it is not stored.
        index: Index of the same subjects today.
        roles: Role of each subject in the run (index: subject).
    """
    unseen = roles.index[roles.isin(UNSEEN_ROLES)]
    gone = sorted(set(unseen) - set(index["subject"]))
    serious = {
        "{subject|subjects} of the run {has|have} no scans that can be used any more and {is|are} missing in all "
        "figures": gone,
    }
    plain = {}
    if before is not None:
        both = index.merge(before, on=["subject", "modality"], suffixes=("", "_before"))
        relabelled = both[both["label"] != both["label_before"]]
        learnt = relabelled["subject"].map(roles).isin(HEALTHY_ROLES) & (relabelled["label"] == "abnormal")
        serious[
            "{brain|brains} that the model learnt from or was calibrated with as healthy {is|are} labelled abnormal "
            "now; train again"
        ] = _names(relabelled[learnt])
        plain = {
            "{subject has|subjects have} another label than when the model was trained": _names(relabelled[~learnt]),
            "{subject has|subjects have} other scans than when the model was trained": sorted(
                with_other_scans(before, index) & set(unseen)
            ),
        }
    return [*(Serious(caution) for caution in counted(serious)), *counted(plain)]


def _names(rows: pd.DataFrame) -> list[str]:
    return sorted(set(rows["subject"]))
