"""Checks that scans with and without skull are not mixed: the network would learn the skull, not the disease."""

from collections.abc import Sequence

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SeriesLocation, agreeing


def check_skulls(locations: Sequence[SeriesLocation], *, reference: str, skull_strip: str = "none") -> list[str]:
    """Return cautions about the skull states; a scan with a brain mask counts as stripped, as in all later stages.

    Args:
        locations: The series that a source lists.
        reference: The modality whose skull state counts.
        skull_strip: The tool that strips every scan with a skull; ``none`` for no tool.

    Raises:
        DatasetError: Some scans contain the skull and others are stripped; the message names both and the options.
    """
    if skull_strip != "none":
        return []
    states: dict[str, set[tuple[str, str]]] = {}
    for one, state in _states(locations, reference):
        states.setdefault(state, set()).add((one.source, one.subject))
    if {"on", "stripped"} <= set(states):
        groups = [f"skull {state}: {_by_source(states[state])}" for state in ("on", "stripped")]
        raise DatasetError(
            "Some scans contain the skull, others are skull-stripped.",
            expected="one state for all subjects; otherwise the network separates them by the skull alone",
            found="; ".join(groups),
            where="dataset",
            advice="Strip the heads (pip install 'brain-cae[strip]', then preprocess.skull_strip=deepbet), provide "
            "brain masks for them, or exclude one of the two groups.",
        )
    if "unknown" in states and len(states) > 1:
        known = next(state for state in states if state != "unknown")
        return [
            f"The skull state is unknown for {_by_source(states['unknown'])}; for the others it is `{known}`. "
            "If the states differ, comparisons between them are meaningless: set dataset.skull."
        ]
    return []


def unlike(state: str, calibrated: Sequence[str]) -> bool:
    """Return whether a skull state differs from those of the calibration brains; False if any is unknown."""
    comparable = bool(calibrated) and "unknown" not in [*calibrated, state]
    return comparable and state not in calibrated


def with_skull(locations: Sequence[SeriesLocation], *, reference: str) -> list[str]:
    """Return the subjects whose skull is on according to the source, and which have no brain mask."""
    return sorted({one.subject for one, state in _states(locations, reference) if state == "on"})


def _states(locations: Sequence[SeriesLocation], reference: str) -> list[tuple[SeriesLocation, str]]:
    """Return the scans of the reference with their states; a mask of any scan in use serves the whole subject."""
    masked = {one.subject for one in locations if one.brain_mask is not None and one.brain_mask.is_file()}
    scans = [one for one in locations if one.files and one.modality == reference]
    return [(one, "stripped" if one.subject in masked else one.skull) for one in scans]


def _by_source(subjects: set[tuple[str, str]]) -> str:
    sources = sorted({source for source, _ in subjects})
    counts = {source: sum(1 for name, _ in subjects if name == source) for source in sources}
    return ", ".join(f"{source} ({agreeing(count, '{subject|subjects}')})" for source, count in counts.items())
