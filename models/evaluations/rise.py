"""How early a rule for the rate of rise warns of flash floods, and how often for nothing: levels in, figures out.

Few gauges have published limits, so floods are found in the levels themselves, 30 days at a time: a **flood** is an
upward crossing of the median plus 35 % of the way to the highest level, where that way is long enough to be a flood at
all; crossings within twelve hours are one. This looks at the whole month and is done apart from the scoring, which runs
as the service's fast lane does: quality control, track, detector, its ladder, one reading after the other.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.detector import Detector, Sample
from pantau.kind import Kind
from pantau.ladder import Rung
from pantau.quality import Limits, Past, judge
from pantau.reading import Flag, Reading
from pantau.station import Station

__all__ = ["OPEN", "Alarm", "Figures", "alarms", "figures", "floods", "in_time", "plain", "steep"]

HOUR_MS = 3_600_000
MONTH_MS = 30 * 24 * HOUR_MS
SHARE = 0.35
LEAST_CM = 50.0
"""A month whose highest level is less than this above its median has no flood."""
MERGED_MS = 12 * HOUR_MS
BEFORE_MS = 12 * HOUR_MS
"""An alarm is about a flood that begins within so many hours after it began; a later flood it did not warn of."""
AFTER_MS = 12 * HOUR_MS
"""Nor is it false while the flood goes on: so long after its beginning."""


OPEN = 1 << 62
"""End of an alarm that is in force at the last reading."""


class Alarm(NamedTuple):
    """Something was in force from ``start`` to ``end``, ms; ``sure`` is when it was confirmed, None: never."""

    start: int
    end: int
    sure: int | None


class Figures(NamedTuple):
    """Counts over all gauges; leads in minutes, of the floods that were warned of before their crossing.

    Attributes:
        floods: found in the levels; ``warned``: with an alarm that began before the crossing or at its very reading.
        leads_min: one for each warned flood; 0: at the crossing itself.
        false_alarms: without a flood; ``false_sure``: those of them that were confirmed.
        months: gauge-months of 30 days watched.
        steep: true rises of 50 cm in 30 min; ``seen``: those with an alarm at most two readings later.
    """

    floods: int
    warned: int
    leads_min: list[float]
    false_alarms: int
    false_sure: int
    months: float
    steep: int
    seen: int

    def plus(self, other: "Figures") -> "Figures":
        """Both together."""
        return Figures(
            self.floods + other.floods,
            self.warned + other.warned,
            self.leads_min + other.leads_min,
            self.false_alarms + other.false_alarms,
            self.false_sure + other.false_sure,
            self.months + other.months,
            self.steep + other.steep,
            self.seen + other.seen,
        )


def floods(levels: "pd.Series[float]") -> list[int]:
    """Instants at which floods begin, ms since 1970 UTC.

    Args:
        levels: in cm, index ms since 1970 UTC, rising.
    """
    found: list[int] = []
    if not len(levels):
        return found
    month = (levels.index - levels.index[0]) // MONTH_MS
    for _, part in levels.groupby(month):
        middle, top = float(part.median()), float(_without_spikes(part).max())
        if top - middle < LEAST_CM:
            continue
        above = (part >= middle + SHARE * (top - middle)).to_numpy()
        crossings = part.index[1:][above[1:] & ~above[:-1]]
        for at in crossings.tolist():
            if not found or at - found[-1] > MERGED_MS:
                found.append(at)
    return found


def _without_spikes(levels: "pd.Series[float]") -> "pd.Series[float]":
    """The lesser of each two neighbours: a single wrong reading is no peak."""
    return pd.Series(np.minimum(levels.to_numpy()[1:], levels.to_numpy()[:-1]), index=levels.index[1:])


def alarms(detector: Detector, levels: "pd.Series[float]", station: Station, kind: Kind) -> list[Alarm]:
    """What a detector of the fast lane would have raised."""
    past, limits, rung = Past(), Limits.of(station, kind), Rung()
    state = detector.start(station, kind)

    def scores() -> Iterator[tuple[int, int, int]]:
        for at, value in zip(levels.index.tolist(), levels.tolist(), strict=True):
            reading = Reading(station.id, kind.name, value, at, at)
            pending, gap, _ = judge(past, reading, limits)
            if reading.flag == Flag.FAIL:
                continue
            if gap:
                rung.break_hold()
            answer = detector.score([Sample(reading, past.track, pending, state)])[0]
            if answer is not None:
                rung.climb(detector.ladder, answer.score, at, pending=pending)
                yield at, max(rung.severity, rung.tentative), rung.severity

    return _alarms(scores())


def plain(levels: "pd.Series[float]", limit_cm: float, window_ms: int = 1_800_000) -> list[Alarm]:
    """The bare rule without quality control: the level is so much above the lowest of the last half hour."""
    times, values = levels.index.to_numpy(), levels.to_numpy()
    first = np.searchsorted(times, times - window_ms)

    def scores() -> Iterator[tuple[int, int, int]]:
        for index, at in enumerate(times.tolist()):
            high = int(values[index] - values[first[index] : index + 1].min() >= limit_cm)
            yield at, high, high

    return _alarms(scores())


def _alarms(scores: Iterator[tuple[int, int, int]]) -> list[Alarm]:
    """Spans in which something was in force; of the pieces of one hour one alarm."""
    found: list[Alarm] = []
    open_since, sure, now = 0, None, False
    for at, told, confirmed in scores:
        if told and not now:
            open_since, sure, now = at, None, True
        if now and confirmed and sure is None:
            sure = at
        if now and not told:
            found.append(Alarm(open_since, at, sure))
            now = False
    if now:
        found.append(Alarm(open_since, OPEN, sure))
    merged: list[Alarm] = []
    for alarm in found:
        before = merged.pop() if merged and alarm.start - merged[-1].end <= HOUR_MS else None
        if before is None:
            merged.append(alarm)
        else:
            merged.append(Alarm(before.start, alarm.end, alarm.sure if before.sure is None else before.sure))
    return merged


def steep(levels: "pd.Series[float]", rise_cm: float = 50.0) -> list[Alarm]:
    """True spans of so much rise in half an hour: of each five readings the middle one counts, so no spike does."""
    values = levels.to_numpy()
    calm = values.copy()
    if len(values) > 4:
        calm[2:-2] = np.median(np.lib.stride_tricks.sliding_window_view(values, 5), axis=1)
    return plain(pd.Series(calm, index=levels.index), rise_cm)


def in_time(found: list[Alarm], rises: list[Alarm], levels: "pd.Series[float]", readings: int = 2) -> int:
    """How many steep rises had an alarm in force at most so many readings after they began."""
    times = levels.index.to_numpy()
    count = 0
    for rise in rises:
        until = int(times[min(int(np.searchsorted(times, rise.start)) + readings, len(times) - 1)])
        count += any(alarm.start <= until and alarm.end >= rise.start for alarm in found)
    return count


def figures(found: list[Alarm], levels: "pd.Series[float]") -> Figures:
    """How alarms and floods of one gauge fit together."""
    crossings, rises = floods(levels), steep(levels)
    leads: list[float] = []
    for at in crossings:
        before = [alarm.start for alarm in found if at - BEFORE_MS <= alarm.start <= at]
        if before:
            leads.append((at - before[0]) / 60_000)
    wrong = [
        alarm
        for alarm in found
        if not any(alarm.start - AFTER_MS <= at <= alarm.start + BEFORE_MS for at in crossings)
    ]
    span = int(levels.index[-1] - levels.index[0]) if len(levels) else 0
    return Figures(
        len(crossings), len(leads), leads, len(wrong), sum(alarm.sure is not None for alarm in wrong),
        span / MONTH_MS, len(rises), in_time(found, rises, levels),
    )  # fmt: skip
