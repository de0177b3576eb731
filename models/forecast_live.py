"""A forecast of one instant: the answers of ``models.forecast`` for a single row, in a fifth of its time.

The service asks for one gauge at one instant. An array of one row costs a hundred small calls, each a microsecond and
more, so here the two linear models are one product, trees are walked, and what is left is plain arithmetic. Every
step is the one that ``Forecast.of_rows`` takes, so that the service tells what was evaluated
(tests/models/test_forecast.py).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from models.forecast_core import FLOODY, LEAST_TRUSTED, LEVELS, LOW_HIGH, WIDEST, Core, Linear
from models.forecast_trees import Walk
from pantau.errors import ConfigError

__all__ = ["Said", "Speaker"]

_EDGES: tuple[float, ...] = (0.0, *LEVELS, 1.0)


class Said(NamedTuple):
    """What a core says of one row; L leads, K limits.

    Attributes:
        low, middle, high: (L,) change since now.
        reach, within: for each lead the K probabilities, see ``models.forecast.Step``.
    """

    low: list[float]
    middle: list[float]
    high: list[float]
    reach: list[tuple[float, ...]]
    within: list[tuple[float, ...]]


class Speaker:
    """A core ready to answer for one row; its numbers stand as the loops below want them."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._walk = Walk(core.forest)
        self._leads = core.forest.outputs
        self._weights = [list(row) for row in zip(*[iter(core.weights)] * self._leads, strict=True)]
        self._heights = list(zip(core.heights, core.tops, core.units, strict=True))
        self._trusted = max(FLOODY * core.tops[0] / core.units[0], LEAST_TRUSTED)
        self._largest = np.array(core.largest)
        rows = core.band_rows
        low, high = (LEVELS.index(share) for share in LOW_HIGH)
        self._bands = [(row[low], row[high]) for row in rows]
        self._chances = core.chance_rows
        self._tops = [table[-1] for table in self._chances]
        self._never = [0.0] * self._leads
        self._linear = _together(core.median, core.average)

    def say(self, row: Sequence[float], now: float, limits: Sequence[float]) -> Said:
        """What is expected of a row of features, at least as many as the core looks at.

        Args:
            now: level that the changes are added to.
            limits: ascending.
        """
        core, leads = self._core, self._leads
        x = np.array(row[: core.width])
        said = self._linear.say(x).tolist()
        linear, mean = said[:leads], said[leads:]
        remembered, around = self._walk.answer(x)
        strange = max(float((np.abs(x) / self._largest).max()), 1e-9)
        trust = min(1.0, self._trusted / strange) ** 2
        wider = min(1.0 / trust, WIDEST)
        if trust < 1.0:
            linear, mean = [trust * value for value in linear], [trust * value for value in mean]
        beyond = max([0.0, *[(row[place] - top) / unit for place, top, unit in self._heights]])
        beyond = max(min(beyond, 1.0), 1.0 - trust)
        weights = self._weights[bisect_right(core.states, max(*linear, -min(linear)))]
        low, middle, high, scales = [], [], [], []
        for lead in range(leads):
            share, memory = max(weights[lead], beyond), remembered[lead]
            between = share * linear[lead] + (1 - share) * memory
            scale = max(around[lead] + beyond * abs(linear[lead] - memory), core.floor[lead]) * wider
            under, over = self._bands[lead]
            middle.append(between)
            scales.append(scale)
            low.append(min(scale * under, 0.0) + between)
            high.append(max(scale * over, 0.0) + between)
        spreads = [
            0.5 * (scale + typical * wider)
            for scale, typical in zip(scales + scales, core.typical, strict=True)
        ]
        return Said(low, middle, high, *self._probabilities(mean, spreads, now, limits))

    def _probabilities(
        self, mean: list[float], spreads: list[float], now: float, limits: Sequence[float]
    ) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
        if not limits:
            return [()] * self._leads, [()] * self._leads
        most = max(map(_edge, self._tops, spreads, mean))
        reach, within = [], []
        for limit in limits:
            gap = limit - now
            if gap > most:
                reach.append(self._never)
                within.append(self._never)
                continue
            chances = [
                _exceeds(table, (gap - mid) / spread)
                for table, mid, spread in zip(self._chances, mean, spreads, strict=True)
            ]
            there = chances[: self._leads]
            reach.append(there)
            if gap <= 0.0:
                within.append([1.0] * self._leads)
            else:
                within.append(list(accumulate(map(max, there, chances[self._leads :]), max)))
        return list(zip(*reach, strict=True)), list(zip(*within, strict=True))


def _together(one: Linear, two: Linear) -> Linear:
    """Two linear models on the same features as one with the outputs of both."""
    if (one.mean, one.deviation) != (two.mean, two.deviation):
        raise ConfigError("forecast model: its two linear models look at different features; train again")
    width = len(one.mean) + 1
    both = np.hstack([np.array(each.coefficients).reshape(width, -1) for each in (one, two)])
    return Linear(one.mean, one.deviation, both.ravel().tolist())


def _edge(top: float, spread: float, mean: float) -> float:
    return top * spread + mean


def _exceeds(table: list[float], off: float) -> float:
    """Probability that the truth lies at least ``off`` spreads above the mean; ``table``: quantiles at ``LEVELS``."""
    if off > table[-1]:
        return 0.0
    place = bisect_left(table, off)
    if not place:
        return 1.0
    low, high = table[place - 1], table[place]
    part = (off - low) / (high - low) if high > low else 0.0
    return 1.0 - (_EDGES[place] + min(max(part, 0.0), 1.0) * (_EDGES[place + 1] - _EDGES[place]))
