"""Which subjects the calibration covers, and why not the others.

The promise about false alarms is one for people from where the calibration brains were scanned. Headers name scanner
and protocol, some data sets also the site. Scans of another data set whose headers name no scanner could come from
anywhere: they are covered only if their user calibrated with local brains.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from brain_cae.scans.protocol import UNKNOWN
from brain_cae.scans.skulls import unlike

if TYPE_CHECKING:
    from brain_cae.detector.detector import Detector  # needs PyTorch, which an inspection does not load
    from brain_cae.stages.cohort import Cohort

PROTOCOL, SCANNER, SITE = "protocol", "scanner not named", "site"
DIMENSIONS, SKULL = "dimensions", "skull state"


def scanner_reasons(
    protocols: pd.Series,
    sites: pd.Series,
    *,
    known_protocols: Collection[str],
    known_sites: Collection[str],
    trusted: bool,
) -> pd.Series:
    """Return why a subject was not scanned where the calibration brains were; ``""`` if nothing says so.

    Args:
        protocols: Protocol of each subject, named as the calibration names it (index: subject).
        sites: Site of each subject, ``""`` where it is not recorded.
        known_protocols: Protocols that calibrated.
        known_sites: Sites of the calibration brains; with ``""`` among them, or empty, sites are not compared.
        trusted: Whether scans that name no scanner are known to come from there: see :func:`trusted`.
    """
    comparable = bool(known_sites) and "" not in known_sites
    reasons = []
    for protocol, site in zip(protocols, sites.reindex(protocols.index).fillna(""), strict=True):
        why = []
        if protocol == UNKNOWN and not (trusted and UNKNOWN in known_protocols):
            why.append(SCANNER)
        elif protocol not in known_protocols:
            why.append(PROTOCOL)
        if comparable and site and site not in known_sites:
            why.append(SITE)
        reasons.append("; ".join(why))
    return pd.Series(reasons, index=protocols.index, dtype=object)


def trusted(dataset: Any, of_run: Any, *, local: bool) -> bool:
    """Return whether scans that name no scanner count as scanned where the calibration brains were.

    Args:
        dataset: Configuration of their data set.
        of_run: Configuration of the data set of the run.
        local: Whether the detector was calibrated with ``calibrate=``, whose brains are the user's own.
    """
    return local or _places(dataset) <= _places(of_run)


def coverage(detector: "Detector", cohort: "Cohort", known_dimensions: pd.Series) -> pd.DataFrame:
    """Return protocol and coverage of subjects.

    Args:
        detector: Calibrated detector.
        cohort: Cohort of the subjects.
        known_dimensions: Whether each subject's dimensions calibrated (index: subject).

    Returns:
        Columns protocol, reason (``""`` for a subject that the calibration covers), indexed by subject.
    """
    names = known_dimensions.index
    protocols = detector.protocols.assign(cohort.acquisition.loc[names])
    reasons = scanner_reasons(
        protocols,
        cohort.sites,
        known_protocols=detector.known_protocols,
        known_sites=detector.sites,
        trusted=trusted(cohort.dataset, detector.config.dataset, local=detector.local),
    )
    skull = cohort.skull
    for name in names:
        here = [reasons[name]] if reasons[name] else []
        here += [] if known_dimensions[name] else [DIMENSIONS]
        here += [SKULL] if unlike(skull[name], detector.skull) else []
        reasons[name] = "; ".join(here)
    return pd.DataFrame({"protocol": protocols, "reason": reasons})


def _places(dataset: Any) -> set[tuple[str, str]]:
    """Return kind and folder or table of a data set and of its parts; a simulated one has no place on disk."""
    if dataset is None:
        return set()
    if hasattr(dataset, "parts"):
        return {place for part in dataset.parts.values() for place in _places(part)}
    paths = [getattr(dataset, key, None) for key in ("root", "table")]
    return {(dataset.name, str(Path(path).resolve())) for path in paths if path} or {(dataset.name, "")}
