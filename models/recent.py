"""The last day of one gauge in small fixed memory, for forecasts and for comparing it with its neighbours."""

from bisect import bisect_left, bisect_right, insort
from functools import cached_property
from itertools import pairwise

import msgspec

__all__ = ["SPAN_MS", "Recent"]

SPAN_MS = 27 * 3_600_000
"""How far back it reaches: a day, and what a lag needs beyond it."""
_POINTS = 330
_SPACING_MS = 300_000


class _Steepest(msgspec.Struct):
    """Largest change from one reading to the next, and when the later of the two was."""

    size: float = 0.0
    at: int = 0

    def take(self, at: int, size: float) -> None:
        if size >= self.size:
            self.size, self.at = size, at


class Recent(msgspec.Struct, array_like=True, dict=True):
    """Values of one sensor, oldest first, at least five minutes apart except the newest; about 5 kB when it is full.

    Attributes:
        times: event times, ms since 1970 UTC.
        values: in the kind's unit, as long as ``times``.
    """

    times: list[int] = msgspec.field(default_factory=list)
    values: list[float] = msgspec.field(default_factory=list)

    def add(self, at: int, value: float) -> None:
        """Append the newest value; one that is not newer than the last is passed over."""
        times, values = self.times, self.values
        if times and at <= times[-1]:
            return
        if len(times) > 1 and times[-1] - times[-2] < _SPACING_MS:
            self._drop(-1)
        times.append(at)
        values.append(value)
        known = self.__dict__  # what was asked for once is kept up to date, and not made anew at each reading
        if "ordered" in known:
            insort(self.ordered, value)
        if "_steepest" in known and len(values) > 1:
            self._steepest.take(at, abs(value - values[-2]))
        while len(times) > 1 and (len(times) > _POINTS or at - times[0] > SPAN_MS):
            self._drop(0)

    def at(self, instant: int, tolerance_ms: int) -> float | None:
        """The value that stood at an instant: the newest one then, None when it was older than the tolerance."""
        index = bisect_right(self.times, instant) - 1
        if index < 0 or instant - self.times[index] > tolerance_ms:
            return None
        return self.values[index]

    @cached_property
    def ordered(self) -> list[float]:
        """The values by size."""
        return sorted(self.values)

    @property
    def steepest(self) -> float:
        """Largest change from one reading to the next, up or down; 0 with fewer than two."""
        return self._steepest.size

    @cached_property
    def _steepest(self) -> _Steepest:
        found = _Steepest()
        for at, (before, value) in zip(self.times[1:], pairwise(self.values), strict=True):
            found.take(at, abs(value - before))
        return found

    def _drop(self, place: int) -> None:
        """Take out the oldest or the newest value."""
        at, value = self.times.pop(place), self.values.pop(place)
        known = self.__dict__
        if "ordered" in known:
            del self.ordered[bisect_left(self.ordered, value)]
        if "_steepest" in known and self._steepest.at in {at, self.times[0]}:
            del self._steepest
