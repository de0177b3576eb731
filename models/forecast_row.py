"""Features of a forecast at one instant: the same row as ``models.forecast_features.rows`` makes, much sooner.

The service asks for one row at a time, and arrays of one row cost a hundred small calls. Every number is made by the
same operations, so that it is the same to the last bit (tests/models/test_forecast_row.py). Where no gauge jumped in
its last day there is nothing to hold back and nothing to repair, and looking up and subtracting is all that is left.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from models.forecast_features import HOUR_MS, SPANS, Gauge, tide_block
from models.forecast_repair import QUICK_MS, RETURN
from models.recent import Recent

__all__ = ["Row", "Sight", "errors_in", "row_of"]


class Row(NamedTuple):
    """Features of one instant, as ``models.forecast_features.Rows`` has them of many.

    Attributes:
        x: own features first, then each upstream gauge's; 0 where a gauge is missing.
        now: own level that the forecast starts from, NaN where there is none.
        missing: whether each upstream gauge had no usable value.
        held: whether the newest own reading is a jump that was held back.
    """

    x: list[float]
    now: float
    missing: list[bool]
    held: bool


class Sight:
    """What is looked up of one gauge, worked out once."""

    __slots__ = ("_fine", "_gauge", "_lags", "_six", "_tolerance")

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._lags = gauge.lags_ms
        self._tolerance = gauge.tolerance_ms
        self._fine = self._lags.index(HOUR_MS)
        self._six = self._lags.index(6 * HOUR_MS) + 1

    def look(self, at: int, recent: Recent, *, spared: bool = False) -> tuple[list[float], bool]:
        """Level at each lag as known at an instant, NaN where there is none; and whether the newest was held back.

        Args:
            spared: water upstream rises, so that a jump upwards is believed.
        """
        if recent.steepest <= self._gauge.jump:
            return self._found(at, recent, {}, None), False
        wrong = errors_in(recent, self._gauge.jump)
        base = self._base(at, recent, wrong)
        if base is not None and spared and recent.values[bisect_right(recent.times, at) - 1] >= base:
            base = None
        known = self._found(at, recent, wrong, base)
        return known, base is not None and not math.isnan(known[0])

    def block(self, known: list[float]) -> list[float]:
        """Level, changes, distance from recent highs and lows; a gap takes the next newer value, in place."""
        before = now = known[0]
        for place, value in enumerate(known):
            if value != value:  # noqa: PLR0124 - the quickest question for NaN, asked twenty times a gauge
                known[place] = before
            else:
                before = value
        row = [now - value for value in known]
        row[0] = now - self._gauge.middle
        hourly = known[self._fine - 1 : self._fine + SPANS[-1] - 1]
        hourly[0] = now
        for span in SPANS:
            window = hourly[:span]
            row += (max(window) - now, now - min(window))
        return row

    def nothing(self) -> list[float]:
        """The block of a gauge that is missing."""
        return [0.0] * (len(self._lags) + 2 * len(SPANS))

    def tide(self, at: int) -> list[float]:
        """Features of its tide, none where it has none."""
        gauge = self._gauge
        if gauge.tide is None:
            return []
        found: list[float] = tide_block(np.array([at], dtype=np.int64), gauge.tide, gauge.ahead_ms)[
            0
        ].tolist()
        return found

    def rises(self, known: Sequence[float]) -> bool:
        """Whether it has risen within six hours as it rarely does."""
        lowest = min((value for value in known[: self._six] if not math.isnan(value)), default=math.nan)
        return self._gauge.rose > 0 and known[0] - lowest >= self._gauge.rose

    def _found(
        self, at: int, recent: Recent, wrong: Mapping[int, tuple[int, float]], base: float | None
    ) -> list[float]:
        times, values, tolerance = recent.times, recent.values, self._tolerance
        found = []
        place = newest = bisect_right(times, at)
        for lag in self._lags:
            instant = at - lag
            place = bisect_right(times, instant, 0, place)
            if not place or instant - times[place - 1] > tolerance:
                found.append(math.nan)
                continue
            value = values[place - 1]
            if wrong and (error := wrong.get(place - 1)) is not None and place + error[0] <= newest:
                value = error[1]
            found.append(value if base is None or place < newest else base)
        return found

    def _base(self, at: int, recent: Recent, wrong: Mapping[int, tuple[int, float]]) -> float | None:
        """The level to go on with while the newest reading is a jump that waits for the next; None when it is none."""
        times, values = recent.times, recent.values
        newest = bisect_right(times, at) - 1
        if newest < 1 or times[newest] - times[newest - 1] > QUICK_MS:
            return None
        base = values[newest - 1]
        if (error := wrong.get(newest - 1)) is not None and newest - 1 + error[0] <= newest:
            base = error[1]
        step = values[newest] - base
        return base if step >= self._gauge.hold_rise or -step >= self._gauge.hold_fall else None


def row_of(at: int, own: tuple[Sight, Recent], upstream: Sequence[tuple[Sight, Recent]]) -> Row:
    """Features at an instant.

    Args:
        at: instant of issue, ms; readings after it must not be in there.
        own: the gauge.
        upstream: in the order the model was trained with.
    """
    looked = [(sight, sight.look(at, recent)[0]) for sight, recent in upstream]
    rising = any(sight.rises(known) for sight, known in looked)
    known, held = own[0].look(at, own[1], spared=rising)
    now, missing = known[0], [math.isnan(there[0]) for _, there in looked]
    row = own[0].nothing() if math.isnan(now) else own[0].block(known)
    row += own[0].tide(at)
    for (sight, there), is_missing in zip(looked, missing, strict=True):
        row += sight.nothing() if is_missing else sight.block(there)
    return Row(row, now, missing, held)


def errors_in(recent: Recent, jump: float) -> dict[int, tuple[int, float]]:
    """By place: so many readings later it was known to be an error, and the level to use instead.

    The same as ``models.forecast_repair.errors``, looked for only where there is a jump.
    """
    times, values, last = recent.times, recent.values, len(recent.values) - 1
    found: dict[int, tuple[int, float]] = {}
    twice = []
    for place, (before, value) in enumerate(pairwise(values), 1):
        step = abs(value - before)
        if step <= jump or place >= last or times[place] - times[place - 1] > QUICK_MS:
            continue
        off = abs(values[place + 1] - before)
        if off <= RETURN * step:
            found[place] = (1, before)
        elif off > jump and place + 1 < last and abs(values[place + 2] - before) <= RETURN * step:
            twice.append(place)
    twice = [place for place in twice if place + 1 not in found]
    found |= {place: (2, values[place - 1]) for place in twice}
    found |= {place + 1: (1, values[place - 1]) for place in twice}
    return found
