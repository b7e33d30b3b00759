"""Skulls on and skulls stripped do not mix: what looks different would be the state, not the disease."""

from collections.abc import Sequence

from brain_cae.errors import DatasetError
from brain_cae.scans.sources.base import SeriesLocation


def check_skulls(locations: Sequence[SeriesLocation], *, reference: str, skull_strip: str = "none") -> list[str]:
    """Say what a reader must know of the states; a scan with a brain mask is stripped to all later stages.

    Args:
        locations: What a source found.
        reference: The modality whose brain mask counts.
        skull_strip: The tool that will strip every scan that is not stripped; ``none`` for no tool.

    Raises:
        DatasetError: Some scans have their skull and others do not; the message names both and the ways out.
    """
    if skull_strip != "none":
        return []
    states: dict[str, set[tuple[str, str]]] = {}
    for one in locations:
        if one.files and one.modality == reference:
            masked = one.brain_mask is not None and one.brain_mask.is_file()
            states.setdefault("stripped" if masked else one.skull, set()).add((one.source, one.subject))
    if {"on", "stripped"} <= set(states):
        found = [f"skull {state}: {_by_source(states[state])}" for state in ("on", "stripped")]
        raise DatasetError(
            "Some scans have their skull, others are stripped.",
            expected="one state for all subjects, since a network would tell them apart by nothing else",
            found="; ".join(found),
            where="dataset",
            advice="Strip them all with a tool that is installed (preprocess.skull_strip=hd_bet or synthstrip), give "
            "brain masks for those with a skull, or leave one of them out.",
        )
    if "unknown" in states and len(states) > 1:
        known = next(state for state in states if state != "unknown")
        return [
            f"Whether the skull is on is unknown for {_by_source(states['unknown'])}; the others are {known}. "
            "If the states differ, no figure between them means anything: say it with dataset.skull."
        ]
    return []


def _by_source(subjects: set[tuple[str, str]]) -> str:
    sources = sorted({source for source, _ in subjects})
    counts = {source: sum(1 for name, _ in subjects if name == source) for source in sources}
    return ", ".join(f"{source} ({count} subjects)" for source, count in counts.items())
