"""The heart of a forecast: rows of features in, medians, scales and means of the changes ahead out.

Three models look at the same row. A forest remembers what followed similar hours. A linear model for the median
follows the water beyond everything that was seen. The two make the middle and the band: within what was seen their
shares are the ones that were best on weeks not learnt from, beyond it the linear one takes over, and far beyond
everything stays as it is. A linear model for the mean, fitted with more weight on lively hours, carries the
probabilities: it is measured to be the best of the three at yes or no.
"""

from functools import cached_property
from typing import NamedTuple

import msgspec
import numpy as np

from models.forecast_repair import Floats
from models.forecast_trees import Forest, Grove

__all__ = ["FLOODY", "LEAST_TRUSTED", "LEVELS", "LOW_HIGH", "WIDEST", "Answer", "Core", "Linear"]

LEVELS = tuple(round(0.005 * step, 3) for step in (1, 2, 4, *range(10, 191, 5), 196, 198, 199))
"""Probabilities at which a distribution of errors is kept."""
_EDGES = np.array((0.0, *LEVELS, 1.0))
_CHUNK = 2_000
LOW_HIGH = (0.05, 0.95)
"""Probabilities that the level stays below the band's edges."""
WIDEST = 2.0
FLOODY, LEAST_TRUSTED = 0.5, 1.2
"""A feature may be so many times as large as ever in training before the models are believed less: half the height of
the highest level in standard deviations. One that has seen floods (5 to 11 of them) may go far; one that had only seen
two quiet weeks (1.8) was four times as far off as "it stays" in a flood without this (docs/models.md, "Forecasts")."""


class Answer(NamedTuple):
    """What a core says of n rows and L leads.

    Attributes:
        middle, scale: (n, L) median of the change until each lead, and how far the truth is usually off.
        mean, spread: (n, 2L) mean of the change until each lead, then of the largest change on the way; likewise.
    """

    middle: Floats
    scale: Floats
    mean: Floats
    spread: Floats


class Linear(msgspec.Struct, frozen=True, dict=True):
    """A linear model on standardised features; ``coefficients`` is (width + 1) x outputs, flat, the constant last."""

    mean: list[float]
    deviation: list[float]
    coefficients: list[float]

    @cached_property
    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        mean = np.array(self.mean)
        return mean, np.array(self.deviation), np.array(self.coefficients).reshape(len(mean) + 1, -1)

    def say(self, x: Floats) -> Floats:
        """(n, outputs) what it says of (n, width) features."""
        mean, deviation, coefficients = self._arrays
        said: Floats = (x - mean) / deviation @ coefficients[:-1] + coefficients[-1]
        return said


class Core(msgspec.Struct, frozen=True, dict=True):
    """One fitted core for L leads.

    Attributes:
        width: number of features it looks at, the first ones of a row.
        median: linear model with L outputs.
        average: linear model with 2L outputs.
        forest: with L outputs.
        weights: (3 x L), flat: share of the linear median in quiet, lively and extreme states.
        states: a largest predicted change beyond these is lively, extreme.
        heights, tops, units: features that are levels, the highest each was in training, and its deviation.
        largest: (width,) largest absolute value of each feature in training.
        floor: (L,) least scale.
        typical: (2L,) usual error of the mean in lively states.
        band: (L x len(LEVELS)), flat: quantiles of (truth - middle) / scale on weeks not learnt from.
        chance: (2L x len(LEVELS)), flat: of (truth - mean) / spread.
    """

    width: int
    median: Linear
    average: Linear
    forest: Forest
    weights: list[float]
    states: tuple[float, float]
    heights: list[int]
    tops: list[float]
    units: list[float]
    largest: list[float]
    floor: list[float]
    typical: list[float]
    band: list[float]
    chance: list[float]

    @cached_property
    def _grove(self) -> Grove:
        return Grove(self.forest)

    @cached_property
    def _arrays(self) -> tuple[Floats, ...]:
        """Weights, states, tops, units, largest, floor and typical, each as an array."""
        return (
            np.array(self.weights).reshape(3, -1), np.array(self.states), np.array(self.tops), np.array(self.units),
            np.array(self.largest), np.array(self.floor), np.array(self.typical),
        )  # fmt: skip

    @property
    def band_rows(self) -> list[list[float]]:
        """``band`` by lead."""
        found: list[list[float]] = self._band.tolist()
        return found

    @property
    def chance_rows(self) -> list[list[float]]:
        """``chance`` by output, each ascending."""
        found: list[list[float]] = self._chance.tolist()
        return found

    @cached_property
    def _band(self) -> Floats:
        return np.array(self.band).reshape(-1, len(LEVELS))

    @cached_property
    def _chance(self) -> Floats:
        return np.maximum.accumulate(np.array(self.chance).reshape(-1, len(LEVELS)), axis=1)

    def answer(self, x: Floats) -> Answer:
        """What it says of (n, width or more) features."""
        mine = x[:, : self.width]
        return self.blend(mine, self.median.say(mine), self.average.say(mine), self._grove.answer(mine))

    def blend(self, x: Floats, linear: Floats, mean: Floats, remembered: tuple[Floats, Floats]) -> Answer:
        """The answers of its parts as one."""
        weights, states, tops, units, largest, floor, typical = self._arrays
        strange = np.maximum((np.abs(x) / largest).max(axis=1), 1e-9)[:, None]
        trusted = max(FLOODY * self.tops[0] / self.units[0], LEAST_TRUSTED)
        trust = np.minimum(1.0, trusted / strange) ** 2
        linear, mean = linear * trust, mean * trust
        state = np.searchsorted(states, np.abs(linear).max(axis=1), side="right")
        beyond = ((x[:, self.heights] - tops) / units).max(axis=1, initial=0.0)
        beyond = np.maximum(np.minimum(beyond, 1.0)[:, None], 1.0 - trust)
        share = np.maximum(weights[state], beyond)
        middle = share * linear + (1 - share) * remembered[0]
        scale = np.maximum(remembered[1] + beyond * np.abs(linear - remembered[0]), floor)
        wider = np.minimum(1.0 / trust, WIDEST)
        scale = scale * wider
        spread = 0.5 * (np.concatenate([scale, scale], axis=1) + typical * wider)
        return Answer(middle, scale, mean, spread)

    def edge(self, scale: Floats, probability: float) -> Floats:
        """(n, L) offset from the middle that the truth stays below with a probability."""
        found: Floats = scale * self._band[:, LEVELS.index(probability)]
        return found

    def exceedance(self, off: Floats) -> Floats:
        """(n, 2L, limits) probability that the truth lies at least ``off`` spreads above the mean."""
        parts = [self._exceeds(off[start : start + _CHUNK]) for start in range(0, len(off), _CHUNK)]
        return np.concatenate(parts) if parts else np.empty_like(off)

    def _exceeds(self, off: Floats) -> Floats:
        table, levels = self._chance, _EDGES
        place = (off[..., None] > table[:, None, :]).sum(axis=-1)  # how many quantiles lie below
        output = np.arange(len(table))[:, None]
        low, high = table[output, np.maximum(place - 1, 0)], table[output, np.minimum(place, len(LEVELS) - 1)]
        gap = np.where(high > low, high - low, 1.0)
        part = np.clip((off - low) / gap, 0.0, 1.0)
        below: Floats = np.where(
            (place > 0) & (place < len(LEVELS)),
            levels[place] + part * (levels[place + 1] - levels[place]),
            0.0,
        )
        below = np.where(place == len(LEVELS), 1.0, below)
        return 1.0 - below
