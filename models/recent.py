"""The last day of one gauge in small fixed memory, for forecasts and for comparing it with its neighbours."""

from bisect import bisect_right

import msgspec

__all__ = ["SPAN_MS", "Recent"]

SPAN_MS = 27 * 3_600_000
"""How far back it reaches: a day, and what a lag needs beyond it."""
_POINTS = 330
_SPACING_MS = 300_000


class Recent(msgspec.Struct, array_like=True):
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
            times[-1], values[-1] = at, value
        else:
            times.append(at)
            values.append(value)
        while len(times) > 1 and (len(times) > _POINTS or at - times[0] > SPAN_MS):
            del times[0], values[0]

    def at(self, instant: int, tolerance_ms: int) -> float | None:
        """The value that stood at an instant: the newest one then, None when it was older than the tolerance."""
        index = bisect_right(self.times, instant) - 1
        if index < 0 or instant - self.times[index] > tolerance_ms:
            return None
        return self.values[index]
