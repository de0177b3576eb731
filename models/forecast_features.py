"""Features of a forecast: levels of a gauge and of those upstream in, one row of numbers for each instant of issue out.

Training makes all rows at once; the service makes one as a reading comes (``models.forecast_row``), by the same
operations, so a model sees live what it has learnt. Lags are looked up by time, not by count: hourly and ten-minute
gauges, gaps and irregular times all give a row. A value counts as an error only from the reading on that showed it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from models.forecast_repair import QUICK_MS, Bools, Floats, Ints, Levels
from models.tide import Tide, fit_tide

__all__ = ["HOUR_MS", "LAGS_MS", "SPANS", "Gauge", "Rows", "gauge_of", "rows", "tide_block"]

HOUR_MS = 3_600_000
LAGS_MS = (*range(0, 12 * HOUR_MS + 1, HOUR_MS), 15 * HOUR_MS, 18 * HOUR_MS)
"""Looked up for every gauge; with the tolerance and one reading more they fit into ``Recent``'s 27 hours."""
_FINE_MS = (600_000, 1_200_000, 1_800_000)
_FINE_CADENCE_MS = 1_200_000
_LEAST_TOLERANCE_MS = 1_200_000
_MOST_TOLERANCE_MS = 4 * HOUR_MS
_ROSE_LAGS = 7
SPANS = (4, 7, 13)
"""Hourly lags over which highest and lowest level are features."""
_SINCE_MS = (HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS)
_LEAST_TIDE = 0.1


class Gauge(msgspec.Struct, frozen=True):
    """What a model knows of one gauge's readings, learnt in training.

    Attributes:
        cadence_ms: median interval.
        middle: median level.
        jump: smallest step that may be an error.
        hold_rise, hold_fall: a step of at least this size is held back for one reading.
        rose: a rise over six hours that is rare (1 in 200 readings).
        tide, ahead_ms: where a tide explains the level; the leads for which its change is a feature.
    """

    cadence_ms: int
    middle: float
    jump: float
    hold_rise: float
    hold_fall: float
    rose: float
    tide: Tide | None = None
    ahead_ms: tuple[int, ...] = ()

    @property
    def tolerance_ms(self) -> int:
        """A value older than this does not speak for an instant."""
        return min(max(self.cadence_ms * 5 // 4, _LEAST_TOLERANCE_MS), _MOST_TOLERANCE_MS)

    @property
    def lags_ms(self) -> tuple[int, ...]:
        """Lags looked up for it, ascending."""
        fine = _FINE_MS if self.cadence_ms <= _FINE_CADENCE_MS else ()
        return (LAGS_MS[0], *fine, *LAGS_MS[1:])

    @property
    def width(self) -> int:
        """Number of its features."""
        return len(self.lags_ms) + 2 * len(SPANS) + (len(_SINCE_MS) + len(self.ahead_ms) if self.tide else 0)


class Rows(NamedTuple):
    """Features of many instants.

    Attributes:
        x: (n, width) float64; own features first, then each upstream gauge's; 0 where a gauge is missing.
        now: (n,) own level that the forecast starts from, NaN where there is none.
        missing: (n, upstream) whether an upstream gauge had no usable value.
        held: (n,) whether the newest own reading is a jump that was held back.
    """

    x: Floats
    now: Floats
    missing: Bools
    held: Bools


def gauge_of(series: Levels, jump: float, ahead_ms: tuple[int, ...] = ()) -> Gauge:
    """Learn what is usual of a gauge's readings; its tide too, where leads are given and it explains a tenth."""
    times, values = series.times, series.level
    gaps = np.diff(times)
    cadence = int(np.median(gaps)) if len(gaps) else HOUR_MS
    kept = np.where(series.after > 0, series.instead, values)
    six = np.searchsorted(times, times - 6 * HOUR_MS, side="right") - 1
    rise = (kept - kept[np.maximum(six, 0)])[six >= 0]
    hold_rise, hold_fall = _hold(series, jump, up=True), _hold(series, jump, up=False)
    rose = float(np.quantile(rise, 0.995)) if len(rise) else 0.0
    tide = fit_tide(times, kept) if ahead_ms else None
    if tide is not None and tide.explained < _LEAST_TIDE:
        tide = None
    return Gauge(
        cadence, float(np.median(kept)), jump, hold_rise, hold_fall, rose, tide, ahead_ms if tide else ()
    )


def _hold(series: Levels, jump: float, *, up: bool) -> float:
    """Size from which on more jumps of this direction were errors than true."""
    steps = np.diff(series.level) * (1 if up else -1)
    good = series.after[:-1] == 0  # the way back from an error is no jump
    sizes, wrong = steps[good & (steps > jump)], (series.after[1:] > 0)[good & (steps > jump)]
    true = sizes[~wrong]
    most = (
        1.5 * float(true.max())
        if len(true)
        else max(2.0 * jump, 1.5 * float(max(steps.max(initial=0.0), 0.0)))
    )
    for size in sorted(sizes[wrong]):
        beyond = sizes >= size
        if wrong[beyond].sum() > (~wrong[beyond]).sum():
            return min(float(size), most)
    return most


def rows(
    at: Ints,
    own: tuple[Gauge, Levels],
    upstream: Sequence[tuple[Gauge, Levels]],
) -> Rows:
    """Features as they could be known at each instant.

    Args:
        at: (n,) instants of issue, ms.
        own: the gauge.
        upstream: in the order the model was trained with.
    """
    looked = [_looked_up(at, gauge, series) for gauge, series in upstream]
    rising = np.zeros(len(at), dtype=np.bool_)
    for (gauge, _), (values, _held) in zip(upstream, looked, strict=True):
        lowest = np.fmin.reduce(values[:, : gauge.lags_ms.index(6 * HOUR_MS) + 1], axis=1)
        with np.errstate(invalid="ignore"):
            rising |= (values[:, 0] - lowest >= gauge.rose) & (gauge.rose > 0)
    mine, held = _looked_up(at, *own, spared=rising)
    blocks = [_block(own[0], mine)[0]]
    if own[0].tide is not None:
        blocks.append(tide_block(at, own[0].tide, own[0].ahead_ms))
    missing = np.zeros((len(at), len(upstream)), dtype=np.bool_)
    for index, ((gauge, _), (values, _held)) in enumerate(zip(upstream, looked, strict=True)):
        block, missing[:, index] = _block(gauge, values)
        blocks.append(block)
    return Rows(np.concatenate(blocks, axis=1), mine[:, 0], missing, held)


def _looked_up(at: Ints, gauge: Gauge, series: Levels, spared: Bools | None = None) -> tuple[Floats, Bools]:
    """(n, lags) values as known at each instant, NaN where there is none; and whether the newest was held back."""
    lags = np.array(gauge.lags_ms, dtype=np.int64)
    times, values = series.times, series.level
    if len(times) == 0:
        return np.full((len(at), len(lags)), np.nan), np.zeros(len(at), dtype=np.bool_)
    instants = at[:, None] - lags[None, :]
    index = np.searchsorted(times, instants, side="right") - 1
    there = index >= 0
    index = np.maximum(index, 0)
    there &= instants - times[index] <= gauge.tolerance_ms
    newest, found = index[:, :1], values[index]
    if series.after.any():
        known = (series.after[index] > 0) & (index + series.after[index] <= newest)
        found = np.where(known, series.instead[index], found)
    held, base = _held_back(newest[:, 0], gauge, series)
    if spared is not None:
        held &= ~spared | (values[newest[:, 0]] < base)
    if held.any():
        found = np.where(held[:, None] & (index == newest), base[:, None], found)
    return np.where(there, found, np.nan), held & there[:, 0]


def _held_back(newest: Ints, gauge: Gauge, series: Levels) -> tuple[Bools, Floats]:
    """Whether the newest reading is a jump that is more likely an error than true; the level before it."""
    before = np.maximum(newest - 1, 0)
    base = np.where(
        (series.after[before] > 0) & (before + series.after[before] <= newest),
        series.instead[before],
        series.level[before],
    )
    step = series.level[newest] - base
    quick = series.times[newest] - series.times[before] <= QUICK_MS
    held: Bools = (newest > 0) & quick & ((step >= gauge.hold_rise) | (-step >= gauge.hold_fall))
    return held, base


def _block(gauge: Gauge, values: Floats) -> tuple[Floats, Bools]:
    """(n, width) features of one gauge: level, changes, distance from recent highs and lows; whether it is missing."""
    missing = np.isnan(values[:, 0])
    filled = values
    if np.isnan(values).any():
        filled = values.copy()
        for lag in range(1, filled.shape[1]):  # a gap takes the next newer value: "no change since"
            gap = np.isnan(filled[:, lag])
            filled[gap, lag] = filled[gap, lag - 1]
    now = filled[:, :1]
    hourly = [lag for lag, ms in enumerate(gauge.lags_ms) if ms % HOUR_MS == 0]
    parts = [now - gauge.middle, now - filled[:, 1:]]
    for span in SPANS:
        window = filled[:, hourly[:span]]
        parts += [window.max(axis=1, keepdims=True) - now, now - window.min(axis=1, keepdims=True)]
    block = np.concatenate(parts, axis=1)
    block[missing] = 0.0
    return block, missing


def tide_block(at: Ints, tide: Tide, ahead_ms: tuple[int, ...]) -> Floats:
    """(n, width) changes of the tide: since some hours, and until each lead."""
    steps = np.array((*(-since for since in _SINCE_MS), *ahead_ms), dtype=np.int64)
    changes: Floats = tide.at(at[:, None] + steps[None, :]) - tide.at(at)[:, None]
    return changes
