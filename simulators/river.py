"""Invented rivers: how high a gauge stands on a calm day, and how a flood wave passes it.

Everything follows from a station's own ladder, so it fits any city: zero and negative limits are limits like others.
"""

from collections.abc import Iterator
from random import Random

from pantau.city import City
from pantau.station import Station

__all__ = ["STEEPEST_CM", "Wave", "arrivals", "calm_level", "span", "wandering"]

STEEPEST_CM = 25.0
"""A wave rises by at most so many cm per cadence: below what quality control takes for a jump (40 cm)."""

_UNKNOWN_TRAVEL_MIN = 120
"""Travel time of a link for which nobody has published one."""


def span(city: City, station: Station, at: int) -> tuple[float, float]:
    """Lowest and highest limit of a station, cm; without a ladder a span that no limit watches."""
    ladder = city.ladder_at(station.id, at)
    limits = [limit for limit in ladder.limits if limit is not None] if ladder else []
    if not limits:
        return 150.0, 300.0
    return min(limits), max(*limits, min(limits) + 50.0)


def calm_level(city: City, station: Station, at: int) -> float:
    """Level of a calm day, cm: below the lowest limit by six tenths of the span between lowest and highest."""
    low, high = span(city, station, at)
    level = low - 0.6 * (high - low)
    return level if station.range_low is None else max(level, station.range_low + 10.0)


def wandering(rng: Random, size: float = 2.0) -> Iterator[float]:
    """Noise without end that returns to 0 by itself; ``size`` is its standard deviation, four times it its bound."""
    value = 0.0
    while True:
        value = 0.8 * value + rng.gauss(0.0, 0.6 * size)
        value = min(max(value, -4 * size), 4 * size)
        yield value


class Wave:
    """A flood wave at one station: a smooth rise, then a fall that takes two and a half times as long.

    Args:
        arrival: when it begins to rise, ms.
        height: of the crest above the calm level, cm.
        cadence_ms: of the station; the rise never exceeds ``STEEPEST_CM`` per cadence.
    """

    def __init__(self, arrival: int, height: float, cadence_ms: int) -> None:
        self.arrival = arrival
        self.height = height
        # A smoothstep is steepest in its middle: one and a half times its mean slope.
        self.rise_ms = max(90 * 60_000, round(1.5 * height / STEEPEST_CM * cadence_ms))

    @property
    def crest_at(self) -> int:
        """Instant of the highest level, ms."""
        return self.arrival + self.rise_ms

    def level(self, at: int) -> float:
        """Centimetres above the calm level."""
        if at <= self.crest_at:
            return self.height * _smooth((at - self.arrival) / self.rise_ms)
        return self.height * _smooth(1 - (at - self.crest_at) / (2.5 * self.rise_ms))


def arrivals(city: City, start: int) -> dict[str, int]:
    """When a wave that begins at every head of a river at ``start`` arrives at each station on the links, ms.

    A head is a station with a link downstream and none upstream. The earliest way counts.
    """
    heads = {link.upstream for link in city.links} - {link.downstream for link in city.links}
    found: dict[str, int] = {}
    open_ends = [(start, head) for head in sorted(heads)]
    while open_ends:
        at, station = min(open_ends)
        open_ends.remove((at, station))
        if station in found:
            continue
        found[station] = at
        for link in city.downstream(station):
            low = _UNKNOWN_TRAVEL_MIN if link.low_min is None else link.low_min
            high = low if link.high_min is None else link.high_min
            open_ends.append((at + (low + high) * 30_000, link.downstream))
    return found


def _smooth(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)
