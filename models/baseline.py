"""A baseline: what a sensor's readings were like in the period a model learnt from, for the watch on drift.

A single reading says little about drift, and a season is not one. So days are looked at: the lowest value of each (the
base level, which a shifted zero moves) and how far the values went within it (which a changed scale, noise or a stuck
sensor moves), both as means over two weeks. The baseline is the band in which these means lay in training.
"""

from collections.abc import Iterable
from math import expm1, isfinite, log1p
from time import gmtime

import msgspec

__all__ = ["DAYS", "Band", "Baseline", "Days", "baseline_of", "month_of"]

DAY_MS = 86_400_000
DAYS = 14
"""Days that a mean looks back on, and that it needs before it says anything."""
_FEWEST = 6
"""Readings of a day that counts; an outage's edges are no days."""
_LEAST_SHARE, _LEAST_REACH = 0.05, 0.3
"""A band is never taken to be narrower than 5 % of what the values spanned, or 35 % of a day's span: quantised gauges
lie still."""


class Band(msgspec.Struct, array_like=True, frozen=True):
    """Lowest and highest value of a mean in training."""

    low: float
    high: float

    def beyond(self, value: float, least: float) -> float:
        """How far a value lies outside, in widths of the band; negative below it, 0 inside.

        Args:
            least: width to take where the band is narrower.
        """
        outside = value - self.high if value > self.high else min(0.0, value - self.low)
        return outside / max(self.high - self.low, least)


class Days(msgspec.Struct, array_like=True):
    """The last two weeks of one sensor by days; plain data.

    Attributes:
        day: the one under way, in days since 1970 UTC; ``low``, ``high``, ``count``: its readings so far.
        lows: lowest value of each day, in the kind's unit; forgotten after a gap of more than ``DAYS``.
        reaches: ``log(1 + highest - lowest)`` of each day, so that one flood does not outweigh a month.
    """

    day: int = 0
    low: float = 0.0
    high: float = 0.0
    count: int = 0
    lows: list[float] = msgspec.field(default_factory=list)
    reaches: list[float] = msgspec.field(default_factory=list)

    def add(self, at: int, value: float) -> bool:
        """Take a reading; whether a day has just been learnt."""
        day, closed = at // DAY_MS, False
        if day != self.day:
            closed = self._close()
            if day - self.day > DAYS:
                self.lows, self.reaches = [], []
            self.day, self.low, self.high, self.count = day, value, value, 0
        self.low, self.high = min(self.low, value), max(self.high, value)
        self.count += 1
        return closed

    @property
    def ready(self) -> bool:
        """Whether enough days are known to compare them with a baseline."""
        return len(self.lows) >= DAYS

    @property
    def base(self) -> float:
        """Mean of the daily lowest values, in the kind's unit; 0 before the first day."""
        return sum(self.lows) / (len(self.lows) or 1)

    @property
    def reach(self) -> float:
        """Mean of the daily ``reaches``; 0 before the first day."""
        return sum(self.reaches) / (len(self.reaches) or 1)

    @property
    def span(self) -> float:
        """A day's usual distance between lowest and highest value, in the kind's unit."""
        return expm1(self.reach)

    def _close(self) -> bool:
        if self.count < _FEWEST:
            return False
        self.lows.append(self.low)
        self.reaches.append(log1p(self.high - self.low))
        del self.lows[:-DAYS], self.reaches[:-DAYS]
        return True


class Baseline(msgspec.Struct, frozen=True):
    """Of one sensor.

    Attributes:
        base: band of the base level; ``reach``: band of the logarithm of a day's span.
        width: what the values spanned from their 1st to their 99th percentile.
        days: how many were learnt.
        months: of the year, 1..12, that training has seen; in others nothing is known of what is usual.
    """

    base: Band
    reach: Band
    width: float
    days: int
    months: tuple[int, ...]

    @property
    def spans(self) -> tuple[float, float]:
        """Least and greatest usual span of a day in training, in the kind's unit."""
        return expm1(self.reach.low), expm1(self.reach.high)

    def strangeness(self, days: Days) -> tuple[float, str]:
        """How far the means lie outside what training saw, in widths of its bands, and which is the worse.

        Returns:
            (0 or more, ``base`` or ``reach``); (0, "") where nothing can be said.
        """
        if not days.ready or month_of(days.day) not in self.months:
            return 0.0, ""
        found = [
            (abs(self.base.beyond(days.base, _LEAST_SHARE * self.width)), "base"),
            (abs(self.reach.beyond(days.reach, _LEAST_REACH)), "reach"),
        ]
        return max(found)


def baseline_of(readings: Iterable[tuple[int, float]]) -> Baseline | None:
    """The baseline of one sensor's history; None when it has fewer than ``2 * DAYS`` days.

    Args:
        readings: (ms since 1970 UTC, value), oldest first.
    """
    days, bases, reaches, values, months = Days(), [], [], [], set()
    for at, value in readings:
        if not isfinite(value):
            continue
        values.append(value)
        before = days.day
        if days.add(at, value) and days.ready:
            bases.append(days.base)
            reaches.append(days.reach)
            months.add(month_of(before))
    if len(bases) < DAYS:
        return None
    values.sort()
    edge = len(values) // 100
    return Baseline(
        base=Band(min(bases), max(bases)),
        reach=Band(min(reaches), max(reaches)),
        width=values[-1 - edge] - values[edge],
        days=len(bases),
        months=tuple(sorted(months)),
    )


def month_of(day: int) -> int:
    """Month 1..12 of a day counted since 1970 UTC."""
    return gmtime(day * 86_400).tm_mon
