"""What is compared on NAB: the product's detector and five baselines, from times and values of a series to scores.

A model sees one series from its start, row by row; it gets neither labels nor the file's name, and none of them uses
the series' length, minimum or maximum before it has come so far.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pandas as pd

from models.detector import Sample
from models.detectors.novelty import DETECTOR
from models.novelty import DAY_MS, Range
from pantau.kind import Kind
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track

__all__ = ["MODELS", "Model"]

Model: TypeAlias = Callable[[Sequence[int], Sequence[float]], list[float]]
"""Times (ms, as the file has them) and values of one series to scores 0..1, one a row."""

SEED = 1
_EWMA = 0.02
"""About 50 readings of memory, the usual choice for such a chart."""
_RECENT = 0.03
_SETTLED = 20
_LATE_MS = 3_600_000
"""What stood a day before may be so much older."""


def _pantau(times: Sequence[int], values: Sequence[float]) -> list[float]:
    """The detector of the slow lane, as it runs in the service."""
    kind = Kind(name="any", label={}, unit="", units={}, low=float("-inf"), high=float("inf"), decimals=2)
    station = Station(id="any", name="any", kind=kind.name, hazard="data", group="any")
    state, track = DETECTOR.start(station, kind), Track()
    readings = (
        Reading(station.id, kind.name, value, at, at) for at, value in zip(times, values, strict=True)
    )
    answers = DETECTOR.score([Sample(reading, track, pending=False, state=state) for reading in readings])
    return [0.0 if answer is None else answer.score for answer in answers]


def _null(times: Sequence[int], values: Sequence[float]) -> list[float]:
    """Never speaks: 0 by definition."""
    del times
    return [0.0] * len(values)


def _chance(times: Sequence[int], values: Sequence[float]) -> list[float]:
    """Speaks at random, from the same seed for each series."""
    del times
    luck = random.Random(SEED)  # noqa: S311 - must repeat from a seed
    return [luck.random() for _ in values]


def _ewma_robust_z(times: Sequence[int], values: Sequence[float]) -> list[float]:
    """Distance ``z`` from a moving mean in mean absolute deviations, as z / (1 + z)."""
    del times
    mean, spread = values[0], 0.0
    scores = []
    for value in values:
        apart = abs(value - mean)
        scores.append(apart / (apart + spread) if apart else 0.0)
        mean += _EWMA * (value - mean)
        spread += _EWMA * (apart - spread)
    return scores


def _range_novelty(times: Sequence[int], values: Sequence[float]) -> list[float]:
    """Excess over the lowest and highest value so far, as a share of their distance and itself."""
    del times
    low = high = values[0]
    scores = []
    for value in values:
        excess = max(value - high, low - value, 0.0)
        scores.append(excess / (high - low + excess) if excess else 0.0)
        low, high = min(low, value), max(high, value)
    return scores


def _range_novelty_5(times: Sequence[int], values: Sequence[float]) -> list[float]:
    """The hand-set ensemble that the product's detector started from.

    Five views with equal weights (value, mean of 20, log scatter of 40 on its high side, value minus the one a day
    before, value minus a moving mean); the largest excess is told if it exceeds all of the last 100 readings, divided
    by 1 + 0.1 for each comparable one in the last 2,000.
    """
    series = pd.Series(values, dtype="float64")
    mean = series.rolling(20, min_periods=1).mean().tolist()
    scatter = series.rolling(40, min_periods=1).std(ddof=0)
    floor = 0.01 * scatter.expanding().mean() + 1e-12  # a flat line has a logarithm too
    scatters = (scatter + floor).map(math.log).tolist()
    ranges, level, yesterday = [Range() for _ in range(5)], values[0], 0
    events: list[tuple[int, float]] = []
    scores = []
    for place, (at, value) in enumerate(zip(times, values, strict=True)):
        seen = [ranges[0].excess(value), ranges[1].excess(mean[place]), ranges[2].excess(value - level)]
        if place >= _SETTLED:
            seen.append(max(0.0, ranges[3].excess(scatters[place])))
        while yesterday < place and times[yesterday + 1] <= at - DAY_MS:
            yesterday += 1
        if 0 <= at - DAY_MS - times[yesterday] <= _LATE_MS:
            seen.append(ranges[4].excess(value - values[yesterday]))
        level += _RECENT * (value - level)
        scores.append(_emit(events, place, max(map(abs, seen))))
    return scores


def _emit(events: list[tuple[int, float]], place: int, size: float) -> float:
    """Record-only emission with a penalty for repetition."""
    if not size:
        return 0.0
    while events and place - events[0][0] > 2_000:
        del events[0]
    if any(place - before < 100 and earlier >= size for before, earlier in events):
        return 0.0
    comparable = sum(earlier >= size / 2 for _, earlier in events)
    events.append((place, size))
    return size / (1 + 0.1 * comparable)


MODELS: Mapping[str, Model] = {
    "pantau": _pantau,
    "null": _null,
    "random": _chance,
    "ewma_robust_z": _ewma_robust_z,
    "range_novelty": _range_novelty,
    "range_novelty_5": _range_novelty_5,
}
"""By the names that stand in the report."""
