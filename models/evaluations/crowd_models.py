"""The models whose surges are counted: the product's detector, and three plain ones that it has to beat."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.detector import Detector, Local, Sample
from models.evaluations.crowd import Model, Scorer
from pantau.city import City
from pantau.kinds.crowd_count import KIND
from pantau.reading import MAIN, Reading
from pantau.station import Station
from pantau.track import Track

__all__ = ["baselines", "product"]

HOUR_MS = 3_600_000
SLOTS = 168


def product(detector: Detector, threshold: float, timezone: str = "UTC") -> Model:
    """A detector as it runs in the service, in a place without holidays; nothing of it is set on the series."""
    if isinstance(detector, Local):
        detector = detector.of(_place(timezone))

    def start(times: Sequence[int], counts: Sequence[float], cadence_ms: int) -> Scorer:
        del times, counts
        station = Station(
            id="station", name="", kind=KIND.name, hazard="density", group="station", cadence_ms=cadence_ms
        )
        return _Product(detector, station, detector.start(station, KIND))

    return Model("pantau", start, threshold)


def _place(timezone: str) -> City:
    """A city of which nothing is known but its clocks."""
    return City(
        id="place", name="", timezone=timezone, languages=(), label={}, advice={}, emergency_number="",
        kinds={KIND.name: KIND}, stations={}, ladders={}, links=(), warns={}, areas={}, rivers={}, bindings=(),
        recipients=(),
    )  # fmt: skip


class _Product:
    def __init__(self, detector: Detector, station: Station, state: Any) -> None:
        self._detector = detector
        self._station = station
        self._state = state
        self._track = Track()

    def judge(self, at: int, value: float) -> float:
        reading = Reading(self._station.id, KIND.name, value, at, at, MAIN)
        sample = Sample(reading, self._track, pending=False, state=self._state)
        (answer,) = self._detector.score([sample])
        return 0.0 if answer is None else answer.score

    def copy(self) -> "_Product":
        detector = self._detector
        state = detector.load(detector.version, detector.dump(self._state), self._station, KIND)
        return _Product(detector, self._station, state)


def baselines() -> list[Model]:
    """Raw threshold, fixed median of the hour of the week, exponentially weighted mean of it; all in UTC."""
    return [
        Model("raw_threshold", lambda _times, counts, _cadence: _Raw(float(np.quantile(counts, 0.999))), 1.0),
        Model("hour_of_week_fixed", lambda times, counts, _cadence: _Fixed.learnt(times, counts)),
        Model("seasonal_ew", lambda _times, _counts, _cadence: _Seasonal()),
    ]


class _Raw:
    """The count over its learnt 99.9 % quantile."""

    def __init__(self, limit: float) -> None:
        self._limit = max(limit, 1.0)

    def judge(self, at: int, value: float) -> float:
        del at
        return value / self._limit

    def copy(self) -> "_Raw":
        return self


class _Fixed:
    """Distance from the median of the hour of the week in mean absolute deviations, both of the learning part."""

    def __init__(self, usual: list[float], spread: list[float]) -> None:
        self._usual = usual
        self._spread = spread

    @classmethod
    def learnt(cls, times: Sequence[int], counts: Sequence[float]) -> "_Fixed":
        by_slot: list[list[float]] = [[] for _ in range(SLOTS)]
        for at, count in zip(times, counts, strict=True):
            by_slot[at // HOUR_MS % SLOTS].append(count)
        usual = [float(np.median(slot)) if slot else math.inf for slot in by_slot]
        spread = [
            max(1.4826 * float(np.median(np.abs(np.array(slot) - middle))), 1.0) if slot else 1.0
            for slot, middle in zip(by_slot, usual, strict=True)
        ]
        return cls(usual, spread)

    def judge(self, at: int, value: float) -> float:
        slot = at // HOUR_MS % SLOTS
        return max((value - self._usual[slot]) / self._spread[slot], 0.0)

    def copy(self) -> "_Fixed":
        return self


class _Seasonal:
    """Mean and deviation of the root of the count by hour of the week, newest week 20 %; learns no more than 4 d."""

    def __init__(self) -> None:
        self._mean = [0.0] * SLOTS
        self._spread = [0.0] * SLOTS
        self._seen = [0] * SLOTS

    def judge(self, at: int, value: float) -> float:
        slot = at // HOUR_MS % SLOTS
        root = math.sqrt(value)
        seen = self._seen[slot]
        mean, spread = self._mean[slot], max(self._spread[slot], 0.7)
        if seen >= 3:
            root = min(root, mean + 4 * spread)
        if seen:
            self._spread[slot] += max(1 / seen, 0.2) * (abs(root - mean) - self._spread[slot])
        self._mean[slot] += max(1 / (seen + 1), 0.2) * (root - mean)
        self._seen[slot] = seen + 1
        return max((math.sqrt(value) - mean) / spread, 0.0) if seen >= 3 else 0.0

    def copy(self) -> "_Seasonal":
        twin = _Seasonal()
        twin._mean, twin._spread, twin._seen = self._mean[:], self._spread[:], self._seen[:]
        return twin
