"""Verification: forecasts and what came in, the figures of the field out; an undefined ratio is None.

Source:
    Jolliffe and Stephenson, Forecast Verification (2012): POD, FAR, CSI; Kitanidis and Bras (1980): persistence
    index; Nash and Sutcliffe (1970).
"""

from collections.abc import Callable
from math import exp, lgamma, log, sqrt
from typing import NamedTuple

import numpy as np

from models.forecast_repair import Bools, Floats, Ints

__all__ = [
    "Table",
    "coverage",
    "csi_cut",
    "episodes",
    "events",
    "is_active",
    "mean_absolute_error",
    "nash_sutcliffe",
    "persistence_index",
    "poisson_interval",
    "wilson_interval",
]


_TRUST = 10.0


class Table(NamedTuple):
    """Hits, misses and false alarms of a yes/no forecast."""

    hits: int
    misses: int
    false_alarms: int

    @classmethod
    def of(cls, observed: Bools, forecast: Bools) -> "Table":
        """Count pairs."""
        return cls(
            int((observed & forecast).sum()),
            int((observed & ~forecast).sum()),
            int((~observed & forecast).sum()),
        )

    @property
    def pod(self) -> float | None:
        """Probability of detection: share of what happened that was forecast."""
        return _ratio(self.hits, self.hits + self.misses)

    @property
    def far(self) -> float | None:
        """False alarm ratio: share of what was forecast that did not happen."""
        return _ratio(self.false_alarms, self.hits + self.false_alarms)

    @property
    def csi(self) -> float | None:
        """Critical success index: hits of all that was forecast or happened."""
        return _ratio(self.hits, self.hits + self.misses + self.false_alarms)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def mean_absolute_error(observed: Floats, forecast: Floats) -> float | None:
    """In the unit of the values."""
    return float(np.abs(observed - forecast).mean()) if len(observed) else None


def nash_sutcliffe(observed: Floats, forecast: Floats) -> float | None:
    """1 is perfect, 0 as good as the mean of what came; None when nothing varied."""
    if len(observed) == 0:
        return None
    around = float(((observed - observed.mean()) ** 2).sum())
    return 1.0 - float(((observed - forecast) ** 2).sum()) / around if around else None


def persistence_index(observed: Floats, forecast: Floats, now: Floats) -> float | None:
    """1 is perfect, 0 as good as "it stays as it is"."""
    stays = float(((observed - now) ** 2).sum())
    return 1.0 - float(((observed - forecast) ** 2).sum()) / stays if stays else None


def coverage(observed: Floats, low: Floats, high: Floats) -> float | None:
    """Share of what came that lay within the band, its edges included."""
    return float(((low <= observed) & (observed <= high)).mean()) if len(observed) else None


def csi_cut(probability: Floats, observed: Bools, otherwise: float = 0.35) -> float:
    """The cut on a probability with the best critical success index.

    Few floods make the best cut a matter of luck. So it is drawn to ``csi / (1 + csi)``, which is the best one for
    probabilities that can be believed, as if ten floods had said so.

    Args:
        probability: (n,), oldest first.
        observed: (n,) whether it came; each run of it is one flood.
        otherwise: answer where nothing came.

    Source:
        Lipton, Elkan and Naryanaswamy, Optimal Thresholding of Classifiers to Maximize F1 Measure (2014): the best
        cut is half the best F1, and F1 = 2 csi / (1 + csi).
    """
    cases = int(observed.sum())
    if cases == 0:
        return otherwise
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(observed[order])
    csi = hits / (cases + np.arange(1, len(order) + 1) - hits)
    last = np.append(np.diff(probability[order]) != 0, True)
    place = np.flatnonzero(last)[np.argmax(csi[last])]
    floods = int(observed[0]) + int((observed[1:] & ~observed[:-1]).sum())
    believed = csi[place] / (1 + csi[place])
    return float((floods * probability[order[place]] + _TRUST * believed) / (floods + _TRUST))


def events(times: Ints, values: Floats, limit: float, merge_ms: int) -> Ints:
    """Instants of upward crossings; those up to ``merge_ms`` after the water was last at the limit are not new."""
    above = values >= limit
    found: list[int] = []
    last = None
    for index in np.flatnonzero(above).tolist():
        at = int(times[index])
        if (last is None or at - last > merge_ms) and index > 0 and not above[index - 1]:
            found.append(at)
        last = at
    return np.array(found, dtype=np.int64)


def is_active(signal: Floats, opens: Floats | float, closes: Floats | float) -> Bools:
    """(n,) whether an alarm is on: from ``signal >= opens`` until ``signal < closes``; NaN changes nothing."""
    says = np.where(signal >= opens, 1, np.where(signal < closes, -1, 0))
    index = np.where(says != 0, np.arange(len(says)), -1)
    last = np.maximum.accumulate(index) if len(index) else index
    on: Bools = (last >= 0) & (says[np.maximum(last, 0)] == 1)
    return on


def episodes(times: Ints, active: Bools, merge_ms: int = 0) -> list[tuple[int, int]]:
    """(first, last) instant of each run of an alarm; runs at most ``merge_ms`` apart are one."""
    padded = np.concatenate([[False], active, [False]])
    edges = np.flatnonzero(np.diff(padded.astype(np.int8)))
    found: list[tuple[int, int]] = []
    for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        first, last = int(times[start]), int(times[stop - 1])
        if found and first - found[-1][1] <= merge_ms:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def wilson_interval(part: int, whole: int, z: float = 1.959964) -> tuple[float | None, float | None]:
    """95 % interval of a share."""
    if whole == 0:
        return None, None
    share = part / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    return max(0.0, middle - half), min(1.0, middle + half)


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of the mean of a count (Garwood 1936)."""
    tail = (1 - level) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - _poisson_below(count - 1, mean) - tail, count)
    return low, _solve(lambda mean: tail - _poisson_below(count, mean), count + 1)


def _poisson_below(count: int, mean: float) -> float:
    """P(N <= count)."""
    if mean <= 0:
        return 1.0
    return sum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(count + 1))


def _solve(rising: Callable[[float], float], start: float) -> float:
    """Root of a rising function of a positive number, by bisection."""
    low, high = 0.0, 2.0 * start + 20.0
    for _ in range(200):
        middle = (low + high) / 2
        if rising(middle) > 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2
