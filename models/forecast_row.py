"""Features of a forecast at one instant of a calm day: the same row as ``models.forecast_features.rows``, much sooner.

The service asks for one row at a time, and arrays of one row cost a hundred small calls. Where no gauge jumped in its
last day there is nothing to hold back and nothing to repair, so that looking up and subtracting is all that is left.
Every number is made by the same operations, so that it is the same to the last bit (tests/models/test_forecast_row.py).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from operator import sub

import numpy as np

from models.forecast_features import HOUR_MS, SPANS, Gauge, Rows, tide_block
from models.recent import Recent

__all__ = ["calm_row"]


def calm_row(at: int, gauges: Sequence[tuple[Gauge, Recent]]) -> Rows | None:
    """Features at an instant; None when a gauge has jumped, and the long way has to be gone.

    Args:
        at: instant of issue, ms; readings after it must not be in there.
        gauges: the gauge itself, then those upstream in the order the model was trained with.
    """
    if any(_jumped(recent.values, gauge.jump) for gauge, recent in gauges):
        return None
    row: list[float] = []
    missing: list[bool] = []
    now = math.nan
    for place, (gauge, recent) in enumerate(gauges):
        known = _looked_up(at, gauge, recent)
        is_missing = math.isnan(known[0])
        row += [0.0] * (len(known) + 2 * len(SPANS)) if is_missing else _block(gauge, known)
        if place:
            missing.append(is_missing)
            continue
        now = known[0]
        if gauge.tide is not None:
            row += tide_block(np.array([at], dtype=np.int64), gauge.tide, gauge.ahead_ms)[0].tolist()
    return Rows(
        np.array([row]), np.array([now]), np.array([missing], dtype=np.bool_), np.zeros(1, dtype=np.bool_)
    )


def _jumped(values: list[float], jump: float) -> bool:
    """Whether two readings after each other are further apart than a jump; any error and any jump held back is."""
    steps = list(map(sub, values[1:], values))
    return bool(steps) and (max(steps) > jump or min(steps) < -jump)


@cache
def _hourly(lags_ms: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(place for place, ms in enumerate(lags_ms) if ms % HOUR_MS == 0)


def _looked_up(at: int, gauge: Gauge, recent: Recent) -> list[float]:
    """Level at each lag, NaN where there is none."""
    times, values, tolerance = recent.times, recent.values, gauge.tolerance_ms
    found = []
    for lag in gauge.lags_ms:
        index = bisect_right(times, at - lag) - 1
        there = index >= 0 and at - lag - times[index] <= tolerance
        found.append(values[index] if there else math.nan)
    return found


def _block(gauge: Gauge, known: list[float]) -> list[float]:
    """Level, changes, distance from recent highs and lows; a gap takes the next newer value."""
    before = now = known[0]
    for place, value in enumerate(known):
        if math.isnan(value):
            known[place] = before
        before = known[place]
    row = [now - gauge.middle, *[now - value for value in known[1:]]]
    hourly = [known[place] for place in _hourly(gauge.lags_ms)]
    for span in SPANS:
        window = hourly[:span]
        row += [max(window) - now, now - min(window)]
    return row
