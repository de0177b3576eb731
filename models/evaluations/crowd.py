"""How well surges of people are found: series of counts in, alarms and scores of each model out.

Real counts have no labels, so surges are invented on top of them: the counts of one to three hours, drawn from a seed,
are multiplied, or people are added at night. Each surge has its own copy of the model as it stood before it, so that
surges do not disturb each other. What alarms on the untouched series counts as false, real festivals included.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import NamedTuple, Protocol
from zlib import crc32
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["KINDS", "Model", "Plan", "Scorer", "Surge", "Trace", "episodes", "plan", "tally", "trace"]

HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS
MERGE_MS = 3 * HOUR_MS
"""Alarms closer than this are one."""
LEARN = 0.4
"""Part of a series' time that is only learnt from."""
SURGES = 200
"""Of each kind on each station."""
_FINE_MS = 1_800_000
"""What reports more often has surges of 40 to 110 minutes instead of 1 to 3 hours, as in the baselines' source."""
_DAY_HOURS, _NIGHT_HOURS = 12, 5
_DRAWS = 50
KINDS = {"x15": 1.5, "x2": 2.0, "x3": 3.0, "night": 1.0}
"""What the counts of a surge are multiplied with; at night half of the learnt 95 % quantile is added instead."""


class Scorer(Protocol):
    """One model on one sensor."""

    def judge(self, at: int, value: float) -> float:
        """Score of the next reading, then learn from it; 0 while there is nothing to say."""
        ...

    def copy(self) -> "Scorer":
        """The same with the same past, for a future of its own."""
        ...


class Model(NamedTuple):
    """A model to be judged.

    Attributes:
        start: a scorer from the learning part's times (ms) and counts, and the cadence (ms).
        threshold: scores from here on are alarms; None: set on the learning part to about one alarm a week.
    """

    name: str
    start: Callable[[Sequence[int], Sequence[float], int], Scorer]
    threshold: float | None = None


class Surge(NamedTuple):
    """People who were not there: of readings ``first`` to ``last`` (exclusive) of the series."""

    kind: str
    first: int
    last: int
    factor: float
    extra: float

    def value(self, count: float) -> float:
        """What the camera would have counted."""
        return count * self.factor + self.extra


class Plan(NamedTuple):
    """One station's test.

    Attributes:
        times: (n,) ms since 1970 UTC, rising.
        counts: (n,) persons.
        learnt: how many of them are only learnt from.
        cadence_ms: median interval of the learning part.
        weeks: of readings in the part that is judged; gaps do not count.
        surges: in order of ``first``.
    """

    station: str
    times: list[int]
    counts: list[float]
    learnt: int
    cadence_ms: int
    weeks: float
    surges: tuple[Surge, ...]


class Trace(NamedTuple):
    """What one model said on one station.

    Attributes:
        scores: (n,) of the untouched series.
        injected: of each surge of the plan, the scores of its readings.
    """

    model: str
    plan: Plan
    threshold: float
    scores: list[float]
    injected: list[list[float]]


def plan(
    station: str, series: "pd.Series[float]", zone: ZoneInfo | None, seed: int, surges: int = SURGES
) -> Plan:
    """Lay out a station's test: what is learnt from, and where surges are.

    Day is 8 to 20 and night 0 to 5 on the clocks of ``zone``; without one, day is the twelve and night the five hours
    in a row with the most and the fewest people in the learning part. A surge lies where somebody is.

    Args:
        series: index ms since 1970 UTC, rising; values are counts, negative ones are taken for 0.
        zone: time zone of the place.
        seed: of the draws; each station has its own.
        surges: of each kind.

    Raises:
        ValueError: the series has no second day.
    """
    times = [int(at) for at in series.index]
    counts = [max(float(value), 0.0) for value in series]
    learnt = bisect_left(times, times[0] + LEARN * (times[-1] - times[0])) if times else 0
    if learnt < 2 or times[-1] - times[0] < 48 * HOUR_MS:
        raise ValueError(f"it has {len(times)} readings in less than two days; give weeks of them")
    cadence = round(float(np.median(np.diff(times[:learnt]))))
    steps = np.minimum(np.diff(times[learnt:]), 3 * cadence)
    weeks = float(steps.sum() + cadence) / WEEK_MS
    draw = np.random.default_rng([seed, crc32(station.encode())])
    hours = _hours_of(times, zone)
    day, night = _day_and_night(hours[:learnt], counts[:learnt], zone)
    by_day = list(_windows(draw, times, counts, np.isin(hours, day), (learnt, cadence, surges)))
    by_night = list(_windows(draw, times, None, np.isin(hours, night), (learnt, cadence, surges)))
    half = float(np.quantile(counts[:learnt], 0.95)) / 2
    found = [Surge(k, a, b, f, 0.0) for k, f in KINDS.items() if k != "night" for a, b in by_day]
    found += [Surge("night", a, b, 1.0, half) for a, b in by_night if half]
    return Plan(
        station, times, counts, learnt, cadence, weeks, tuple(sorted(found, key=lambda surge: surge.first))
    )


def _hours_of(times: list[int], zone: ZoneInfo | None) -> npt.NDArray[np.int64]:
    """Hour of the day of each instant, 0 to 23."""
    index = pd.to_datetime(times, unit="ms", utc=True)
    return np.asarray((index if zone is None else index.tz_convert(zone)).hour, dtype=np.int64)


def _day_and_night(
    hours: npt.NDArray[np.int64], counts: list[float], zone: ZoneInfo | None
) -> tuple[list[int], list[int]]:
    """The hours of the day in which surges begin."""
    if zone is not None:
        return list(range(8, 8 + _DAY_HOURS)), list(range(_NIGHT_HOURS))
    sums = np.bincount(hours, weights=counts, minlength=24)
    mean = sums / np.maximum(np.bincount(hours, minlength=24), 1)
    rows = {
        length: [[(h + i) % 24 for i in range(length)] for h in range(24)]
        for length in (_DAY_HOURS, _NIGHT_HOURS)
    }
    return (
        max(rows[_DAY_HOURS], key=lambda row: float(mean[row].sum())),
        min(rows[_NIGHT_HOURS], key=lambda row: float(mean[row].sum())),
    )


def _windows(
    draw: np.random.Generator,
    times: list[int],
    counts: list[float] | None,
    allowed: npt.NDArray[np.bool_],
    size: tuple[int, int, int],
) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) readings of surges; with counts, only where there is somebody at every reading."""
    learnt, cadence, wanted = size
    starts = np.flatnonzero(allowed[learnt:]) + learnt
    for _ in range(wanted * _DRAWS if len(starts) else 0):
        if not wanted:
            return
        first = int(draw.choice(starts))
        minutes = float(draw.uniform(40, 110)) if cadence < _FINE_MS else 60.0 * int(draw.integers(1, 4))
        last = bisect_left(times, times[first] + minutes * 60_000)
        if counts is None or min(counts[first:last]) > 0:
            wanted -= 1
            yield first, last


def trace(model: Model, test: Plan) -> Trace:
    """Let a model hear a station from the start, and each surge in a copy of it."""
    learnt = test.learnt
    scorer = model.start(test.times[:learnt], test.counts[:learnt], test.cadence_ms)
    scores: list[float] = []
    injected: list[list[float]] = []
    waiting = iter([*test.surges, None])
    surge = next(waiting)
    for index, (at, count) in enumerate(zip(test.times, test.counts, strict=True)):
        while surge is not None and surge.first == index:
            aside = scorer.copy()
            injected.append(
                [aside.judge(test.times[i], surge.value(test.counts[i])) for i in range(index, surge.last)]
            )
            surge = next(waiting)
        scores.append(scorer.judge(at, count))
    threshold = model.threshold
    if threshold is None:
        threshold = _once_a_week(test.times[:learnt], scores[:learnt])
    return Trace(model.name, test, threshold, scores, injected)


def episodes(times: Sequence[int]) -> int:
    """How many alarms instants (ms, rising) are, where those less than three hours apart are one."""
    return sum(1 for i, at in enumerate(times) if i == 0 or at - times[i - 1] > MERGE_MS)


def _once_a_week(times: list[int], scores: list[float]) -> float:
    """The lowest threshold with at most one alarm a week of the time in which anything was said."""
    said = [i for i, score in enumerate(scores) if score > 0]
    weeks = max(round((times[-1] - times[said[0]]) / WEEK_MS), 1) if said else 1
    low, high = 0, len(levels := sorted({scores[i] for i in said}))
    while low < high:
        middle = (low + high) // 2
        if episodes([times[i] for i in said if scores[i] >= levels[middle]]) <= weeks:
            high = middle
        else:
            low = middle + 1
    return levels[low] if low < len(levels) else np.nextafter(levels[-1], np.inf) if levels else 1.0


def tally(traces: Sequence[Trace]) -> dict[str, float]:
    """Alarms a sensor and week on the untouched readings, and the part of surges of each kind with an alarm in them."""
    alarms = sum(
        episodes(
            [
                at
                for at, s in zip(t.plan.times[t.plan.learnt :], t.scores[t.plan.learnt :], strict=True)
                if s >= t.threshold
            ]
        )
        for t in traces
    )
    weeks = sum(t.plan.weeks for t in traces)
    row = {"false_per_week": alarms / weeks if weeks else nan}
    for kind in KINDS:
        found = [
            max(scores) >= t.threshold
            for t in traces
            for surge, scores in zip(t.plan.surges, t.injected, strict=True)
            if surge.kind == kind
        ]
        row[f"recall_{kind}"] = sum(found) / len(found) if found else nan
    return row
