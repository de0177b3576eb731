"""Faults of sensors, put into a real series by a seed: values in, values with faults and where they are out.

Faults of a run never touch: each is judged by itself. How often they come is written here, for precision depends on it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = ["FAULTS", "Fault", "Injected", "inject"]

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Bools: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

HOUR_MS = 3_600_000
SPIKE_EVERY = 100
"""One spike in so many readings, at a random place of each such stretch: 1.5 readings in a hundred are spikes."""
STUCK_MS = 12 * HOUR_MS
"""A stuck sensor shows one value for so long, once in two days."""
STUCK_READINGS = 12
STUCK_MOVES = 10.0
"""A stuck sensor counts where the water moved by so many cm meanwhile: else nobody could tell, nor need he."""
DRIFT_EVERY = 6
"""A drift or a moved zero lasts three days in eighteen."""
DROP_MOST, DROP_LEAST = 6, 50.0
"""A dropout lasts one to six readings, and is put where it lies at least so many cm off the water."""
DRIFT_MS, DRIFT_STAYS_MS, DATUM_MS = 48 * HOUR_MS, 24 * HOUR_MS, 72 * HOUR_MS


class Fault(NamedTuple):
    """What is wrong; ``size`` in cm, of a dropout the value the sensor falls to, of a stuck sensor hours."""

    name: str
    size: float

    @property
    def lasts(self) -> bool:
        """Whether it is found as a whole, and not reading by reading."""
        return self.name in {"stuck", "drift", "datum"}


FAULTS = (
    *(Fault("spike", size) for size in (10.0, 30.0, 100.0)),
    Fault("stuck", STUCK_MS / HOUR_MS),
    *(Fault("dropout", value) for value in (0.0, -999.0, 9_999.0)),
    *(Fault("drift", size) for size in (20.0, 50.0)),
    *(Fault("datum", size) for size in (20.0, 50.0)),
)


class Injected(NamedTuple):
    """A series with faults.

    Attributes:
        values: (n,) as the broken sensor would have sent them.
        spans: first and last reading of each fault.
    """

    values: Floats
    spans: tuple[tuple[int, int], ...]

    @property
    def mask(self) -> Bools:
        """(n,), true where a fault is."""
        found = np.zeros(len(self.values), dtype=bool)
        for first, last in self.spans:
            found[first : last + 1] = True
        return found


def inject(fault: Fault, times: Ints, values: Floats, start: int, seed: int) -> Injected:
    """The series with as many faults as have room from reading ``start`` on.

    Shapes:
        times: (n,) ms, rising; values: (n,) cm.
    """
    series = _Series(times, values.copy(), start, np.random.default_rng(seed))
    return Injected(series.values, tuple(_MAKERS[fault.name](series, fault.size)))


class _Series(NamedTuple):
    times: Ints
    values: Floats
    start: int
    rng: np.random.Generator

    def sign(self) -> int:
        """Up or down."""
        return 1 if self.rng.random() < 0.5 else -1

    def places(self, most: int) -> Iterator[tuple[int, int]]:
        """First and last reading of one place in each stretch, one to ``most`` readings long."""
        for stretch in range(self.start, len(self.values) - SPIKE_EVERY, SPIKE_EVERY):
            first = stretch + int(self.rng.integers(10, SPIKE_EVERY - 10))
            yield first, first + int(self.rng.integers(0, most))

    def windows(self, span_ms: int, every: int) -> Iterator[tuple[int, int]]:
        """First and last reading of one window of this length in each stretch ``every`` times as long."""
        at = int(self.times[self.start])
        while at + every * span_ms <= self.times[-1]:
            begin = at + int(self.rng.integers(span_ms, (every - 1) * span_ms))
            first, behind = (int(np.searchsorted(self.times, edge)) for edge in (begin, begin + span_ms))
            if behind - 1 > first > 0:
                yield first, behind - 1
            at += every * span_ms


def _spikes(series: _Series, size: float) -> Iterator[tuple[int, int]]:
    """One or two readings long, up or down."""
    for first, last in series.places(2):
        series.values[first : last + 1] += size * series.sign()
        yield first, last


def _stuck(series: _Series, size: float) -> Iterator[tuple[int, int]]:
    for first, last in series.windows(round(size * HOUR_MS), 4):
        behind = last + 1
        if behind - first >= STUCK_READINGS and np.ptp(series.values[first:behind]) >= STUCK_MOVES:
            series.values[first:behind] = series.values[first - 1]
            yield first, last


def _dropouts(series: _Series, size: float) -> Iterator[tuple[int, int]]:
    for first, last in series.places(DROP_MOST):
        if np.abs(series.values[first - 1 : last + 2] - size).min() >= DROP_LEAST:
            series.values[first : last + 1] = size
            yield first, last


def _drifts(series: _Series, size: float) -> Iterator[tuple[int, int]]:
    """Off by more and more over 48 hours, by ``size`` for a day, then mended."""
    for first, last in series.windows(DRIFT_MS + DRIFT_STAYS_MS, DRIFT_EVERY):
        grown = np.minimum(1.0, (series.times[first : last + 1] - series.times[first]) / DRIFT_MS)
        series.values[first : last + 1] += grown * size * series.sign()
        yield first, last


def _datum(series: _Series, size: float) -> Iterator[tuple[int, int]]:
    """Off by ``size`` at once for three days, then mended."""
    for first, last in series.windows(DATUM_MS, DRIFT_EVERY):
        series.values[first : last + 1] += size * series.sign()
        yield first, last


_MAKERS: Mapping[str, Callable[[_Series, float], Iterator[tuple[int, int]]]] = {
    "spike": _spikes,
    "stuck": _stuck,
    "dropout": _dropouts,
    "drift": _drifts,
    "datum": _datum,
}
