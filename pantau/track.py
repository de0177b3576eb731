"""A track: the recent past of one sensor in small fixed memory, for rate, trend and rate of rise."""

from math import inf

import msgspec

__all__ = ["SPAN_MS", "Track"]

SPAN_MS = 3_600_000
"""How far back a track reaches when readings come often: one hour."""
_POINTS = 13
_SHORTEST_MS = 300_000  # a rate per hour from seconds says more about the sensor's noise than about the river
_SPACING_MS = SPAN_MS // (_POINTS - 1)


class Track(msgspec.Struct, array_like=True, gc=False):
    """Accepted values, oldest first, at least five minutes apart except the newest; at most 13 points.

    Attributes:
        times: event times, ms.
        values: in the kind's unit, as long as ``times``.
        floor: no value is below it; found anew when it does not suffice.
    """

    times: list[int] = msgspec.field(default_factory=list)
    values: list[float] = msgspec.field(default_factory=list)
    floor: float = -inf

    def add(self, at: int, value: float) -> None:
        """Append the newest point; older ones thin out and end after an hour (two points always stay)."""
        times, values = self.times, self.values
        if value < self.floor:  # noqa: PLR1730 - as a call it would cost a third of this method
            self.floor = value
        if len(times) > 2 and times[-1] - times[-2] < _SPACING_MS:
            times[-1], values[-1] = at, value
            while len(times) > 2 and at - times[1] > SPAN_MS:
                del times[0], values[0]
            return
        # Room is made before: a list that has grown once stays large.
        while len(times) > 1 and (len(times) >= _POINTS or at - times[1] > SPAN_MS):
            del times[0], values[0]
        times.append(at)
        values.append(value)

    def rises_less_than(self, rise: float, value: float) -> bool:
        """Whether ``value`` is less than ``rise`` above every point; true of an empty track."""
        if value - self.floor < rise:
            return True
        self.floor = min(self.values, default=inf)
        return value - self.floor < rise

    def clear(self) -> None:
        """Forget everything: after a gap the past says nothing about the present."""
        self.times.clear()
        self.values.clear()
        self.floor = -inf

    def rate_per_h(self) -> float | None:
        """Change per hour between the oldest and the newest point; None with less than five minutes between them."""
        if len(self.times) < 2 or self.times[-1] - self.times[0] < _SHORTEST_MS:
            return None
        return (self.values[-1] - self.values[0]) * 3_600_000 / (self.times[-1] - self.times[0])
