"""Who judges readings: times and values in, final flags out; ``pantau``'s own is the code of the live fast lane.

The others are what QARTOD's manual describes, with limits from the part of a series that is not scored.

Source:
    IOOS, Manual for Real-Time Quality Control of Water Level Data, v2.1 (2021), tests 4 (gross range), 6 (spike),
    7 (rate of change), 8 (flat line); tests compare these lines with ``ioos_qc``.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pantau.kinds.water_level import KIND
from pantau.quality import Limits, Past, judge, takes_ordinary
from pantau.reading import Flag, Reading
from pantau.station import Station

__all__ = [
    "MODELS",
    "Judged",
    "flat_line",
    "gross_range",
    "pantau",
    "qartod_spike",
    "qartod_step",
    "rate_of_change",
    "spike",
]

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Bools: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

RARE = 0.999
FLAT_MS = 12 * 3_600_000


class Judged(NamedTuple):
    """Of each reading.

    Attributes:
        flags: (n,) final, after revisions.
        waits: (n,) whether it was pending when it came.
        withheld: (n,) whether it was kept from the alert path: FAIL at once or in the end, or a jump that stayed
            pending for good.
        reasons: (n,) of the final flag.
    """

    flags: Ints
    waits: Bools
    withheld: Bools
    reasons: tuple[str, ...]


def pantau(times: Ints, values: Floats, start: int) -> Judged:
    """The live fast lane's judgement, from a fresh start on; nothing is known of the series but its cadence."""
    del start
    cadence = int(np.median(np.diff(times)))
    station = Station(
        id="station", name="", kind=KIND.name, hazard="flood", group="station", cadence_ms=cadence
    )
    past, limits = Past(), Limits.of(station, KIND)
    flags = np.zeros(len(times), dtype=np.int64)
    waits, failed = np.zeros(len(times), dtype=bool), np.zeros(len(times), dtype=bool)
    reasons = [""] * len(times)
    place = {int(at): index for index, at in enumerate(times)}
    for index, (at, value) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        reading = Reading(station.id, KIND.name, value, at, at)
        if not takes_ordinary(past, reading, limits):
            waits[index], _, revisions = judge(past, reading, limits)
            for revision in revisions:
                flags[place[revision.observed_at]] = revision.flag
                reasons[place[revision.observed_at]] = revision.reason
        flags[index], reasons[index] = reading.flag, reading.reason
        failed[index] = reading.flag == Flag.FAIL
    withheld = failed | (flags == Flag.FAIL) | (waits & (flags == Flag.SUSPECT))
    return Judged(flags, waits, withheld, tuple(reasons))


def qartod_step(times: Ints, values: Floats, start: int) -> Judged:
    """Rate of change above 99.9 % of the past, span of the past and half as much around it, 12 hours flat."""
    usual = float(np.quantile(np.abs(np.diff(values[:start])), RARE)) if start > 1 else np.inf
    return _flagged(rate_of_change(values, usual) | _common(times, values, start))


def qartod_spike(times: Ints, values: Floats, start: int) -> Judged:
    """Three-point spike above 99.9 % of the past instead of the rate of change."""
    off = _off(values[:start])
    usual = float(np.quantile(off, RARE)) if len(off) else np.inf
    return _flagged(spike(values, usual) | _common(times, values, start))


def _common(times: Ints, values: Floats, start: int) -> Bools:
    low, high = values[:start].min(), values[:start].max()
    half = (high - low) / 2
    return gross_range(values, low - half, high + half) | flat_line(times, values, FLAT_MS)


def _flagged(bad: Bools) -> Judged:
    """QARTOD's own words leave it to the user what a flag does; here what is flagged is not alerted on."""
    flags = np.where(bad, int(Flag.SUSPECT), int(Flag.GOOD)).astype(np.int64)
    return Judged(flags, np.zeros(len(bad), dtype=bool), bad, ("",) * len(bad))


def gross_range(values: Floats, low: float, high: float) -> Bools:
    """Outside ``low`` to ``high``."""
    return (values < low) | (values > high)


def rate_of_change(values: Floats, limit: float) -> Bools:
    """Changed by more than the limit since the reading before."""
    flags: Bools = np.r_[False, np.abs(np.diff(values)) > limit]
    return flags


def spike(values: Floats, limit: float) -> Bools:
    """Off the mean of both neighbours by more than the limit."""
    flags: Bools = np.r_[False, _off(values) > limit, False][: len(values)]
    return flags


def _off(values: Floats) -> Floats:
    return np.abs(values[1:-1] - (values[:-2] + values[2:]) / 2)


def flat_line(times: Ints, values: Floats, longest_ms: int) -> Bools:
    """Unchanged for the time given, or longer."""
    changed = np.r_[True, np.diff(values) != 0]
    since = times[np.maximum.accumulate(np.where(changed, np.arange(len(values)), 0))]
    return times - since >= longest_ms


MODELS: Mapping[str, Callable[[Ints, Floats, int], Judged]] = {
    "pantau": pantau,
    "qartod_step": qartod_step,
    "qartod_spike": qartod_spike,
}
"""By name; each gets times (ms), values (cm) and how many readings belong to the past that is not scored."""
