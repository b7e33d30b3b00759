"""Unit of the times of one header or sidecar: seconds or milliseconds, decided for all of its times together.

DICOM uses milliseconds and BIDS seconds, but exporters and converters write either into both.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

TIMES = ("repetition_time_ms", "echo_time_ms", "inversion_time_ms")
INVERSION = "inversion_time_ms"
# Shortest and longest repetition, echo and inversion time of images of a brain in ms: steady-state scouts have a
# repetition time of 2 ms, FLAIR one of 16 s.
RANGES = {"repetition_time_ms": (1.0, 60_000.0), "echo_time_ms": (0.02, 1_000.0), "inversion_time_ms": (1.0, 10_000.0)}
# The shortest that a sequence allows, in ms. Shorter echoes exist in gradient echoes with a short repetition time.
SHORTEST_ECHO, SHORTEST_SPIN_ECHO, SHORTEST_INVERSION, SHORT_REPETITION = 0.3, 1.0, 11.0, 60.0
# Repetition time over echo time: 1700 in MP2RAGE, 0.5 in a reversed steady state.
SMALLEST_RATIO, LARGEST_RATIO = 0.5, 10_000.0
MILLISECONDS, SECONDS, UNKNOWN = "milliseconds", "seconds", "unknown"


@dataclass(frozen=True)
class UnitOfTimes:
    """Times in ms by column (NaN where unknown), and their ``unit``; ``unknown`` if no single unit fits all."""

    times: dict[str, float]
    unit: str


def in_milliseconds(written: Mapping[str, float], *, usual: str, sequence: str = "unknown") -> UnitOfTimes:
    """Return the times of one header in ms.

    The unit is the one in which all times are plausible; if both are, the ``usual`` one. If none is, the
    header contradicts itself and all times are unknown. 7.1, 2.9 and 450 are milliseconds; 2.3 and 0.003 are seconds;
    9000 and 0.12 are unknown. An inversion time alone may be in the other unit: 2300, 2.98 and 0.9.

    Args:
        written: Repetition, echo and inversion time as written, by column (``TIMES``); NaN if absent.
        usual: ``milliseconds`` or ``seconds``, as the format prescribes.
        sequence: SE, GRE, IR or unknown.
    """
    known = {name: value for name, value in written.items() if not math.isnan(value)}
    scales = {MILLISECONDS: 1.0, SECONDS: 1000.0}
    fitting = [
        unit
        for unit, scale in scales.items()
        if _is_plausible({name: value * scale for name, value in known.items()}, sequence)
    ]
    if not fitting and INVERSION in known:
        return _with_other_inversion(known, sequence)
    unit = usual if usual in fitting else fitting[0] if fitting else UNKNOWN
    if len(fitting) == 2 and sequence != "GRE" and known.get("echo_time_ms", math.nan) < SHORTEST_ECHO:
        unit = SECONDS if usual == SECONDS else UNKNOWN  # an echo of 90 ms, or of 0.09 ms without a slice selection
    scale = scales.get(unit, math.nan)
    return UnitOfTimes({name: round(written.get(name, math.nan) * scale, 6) for name in TIMES}, unit)


def _with_other_inversion(known: Mapping[str, float], sequence: str) -> UnitOfTimes:
    """Return times of which the inversion time is in seconds and the others in milliseconds, or the reverse."""
    scaled = [
        {name: value * (inverse if name == INVERSION else scale) for name, value in known.items()}
        for scale, inverse in ((1.0, 1000.0), (1000.0, 1.0))
    ]
    fitting = [times for times in scaled if _is_plausible(times, sequence)]
    times = fitting[0] if len(fitting) == 1 else {}
    return UnitOfTimes({name: round(times.get(name, math.nan), 6) for name in TIMES}, SECONDS if times else UNKNOWN)


def _is_plausible(times: Mapping[str, float], sequence: str) -> bool:
    if any(not RANGES[name][0] <= value <= RANGES[name][1] for name, value in times.items()):
        return False
    repetition, echo = (times.get(name, math.nan) for name in ("repetition_time_ms", "echo_time_ms"))
    if echo < SHORTEST_ECHO and (sequence in ("SE", "IR") or repetition > SHORT_REPETITION):
        return False
    if sequence == "SE" and echo < SHORTEST_SPIN_ECHO:
        return False
    if sequence == "IR" and times.get("inversion_time_ms", math.nan) < SHORTEST_INVERSION:
        return False
    return not (repetition < SMALLEST_RATIO * echo or repetition > LARGEST_RATIO * echo)
