"""Inflow: counts of people in, a score that grows as a zone fills out: at this rate it is full in so many minutes.

Thinning out a crowd is slow, stopping people at the gate is not: who has to stop the inflow needs to know before the
place is full. The count's own rise is inflow less outflow, so no counter at a gate is needed.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal

import msgspec

from models.detector import Sample
from models.kept import read_back
from models.untimed import Untimed
from pantau.city import City
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station
from pantau.track import Track

__all__ = ["DETECTOR", "Inflow", "rate_per_min"]

MIN_MS = 60_000
WINDOW_MS = 30 * MIN_MS
FULL_SCORE_MIN = 15.0
"""Full in 15 minutes scores 1, in 30 minutes 0.5: what it takes to close the gates of a station or a square."""
LEAST_RATE = 0.1 / 60
"""Part of a full place a minute below which nothing is said: ten hours from empty to full is no rush."""
LEAST_POINTS = 3


class State:
    """Of one sensor: where it stands, and its counts of the last hour (a pending one is not among them)."""

    __slots__ = ("station", "track", "unit")

    def __init__(self, station: Station, unit: str, track: Track) -> None:
        self.station = station
        self.unit = unit
        self.track = track


def rate_per_min(track: Track, at: int) -> float | None:
    """Rise in persons a minute over the last half hour, None with less than three points in it.

    The median of the later half of the points less that of the earlier half, over the time between the halves' middles:
    one wrong count moves neither. With an odd number of points the middle one belongs to both halves.

    Args:
        track: accepted values of the last hour, five minutes apart.
        at: now, ms.
    """
    points = [
        (then, value)
        for then, value in zip(track.times, track.values, strict=True)
        if then > at - WINDOW_MS - 1
    ]
    if len(points) < LEAST_POINTS:
        return None
    half = (len(points) + 1) // 2
    early, late = points[:half], points[-half:]
    minutes = (sum(then for then, _ in late) - sum(then for then, _ in early)) / half / MIN_MS
    return (median(value for _, value in late) - median(value for _, value in early)) / minutes


class Inflow(Untimed):
    """Slow lane, ``crowd_count``; cause ``rise``.

    ``score = min(1, 15 min / time until full)`` with ``time until full = (full - count) / rate``; 0 while the place
    empties or fills slowly, None without limits or enough readings. Full is the zone's first limit where it has a
    capacity (a dated rule's percentage in its days), else its highest: the danger limit, 5 persons per m2 by default.
    """

    name = "inflow"
    version = "2"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"crowd_count"})
    hazard = ""
    cause = "rise"
    ladder = Ladder(limits=(0.5, 1.0, None), deadband=0.1, hold_ms=600_000)
    shadow = False

    def __init__(self, city: City | None = None) -> None:
        self._city = city

    def of(self, city: City) -> "Inflow":
        """With the limits of one city."""
        return Inflow(city)

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state, which says nothing before three readings."""
        return State(station, kind.unit, Track())

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge each by the counts before it."""
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample) -> Score | None:
        reading, station, track = sample.reading, sample.state.station, sample.state.track
        if not sample.pending:
            track.add(reading.observed_at, reading.value)
        full = self._full(station, reading.observed_at)
        rate = rate_per_min(track, reading.observed_at)
        if full is None or rate is None:
            return None
        score, words = 0.0, "not filling"
        if rate >= LEAST_RATE * full:
            minutes = max(full - reading.value, 0.0) / rate
            score = min(1.0, FULL_SCORE_MIN / minutes) if minutes else 1.0
            words = f"+{rate * 30:.0f} in 30 min, " + (
                f"at this rate full in {minutes:.0f} min" if minutes else "full and still filling"
            )
        reason = f"{reading.value:.0f} of {full:.0f} {sample.state.unit}, {words}"
        return Score(
            reading.station, reading.sensor, self.name, self.version, reading.observed_at, score, reason,
            value=reading.value,
        )  # fmt: skip

    def _full(self, station: Station, at: int) -> float | None:
        ladder = None if self._city is None else self._city.ladder_at(station.id, at)
        given = (
            [] if ladder is None else [limit for limit in ladder.limits if limit is not None and limit > 0]
        )
        if not given:
            return None
        return given[0] if station.capacity is not None else given[-1]

    def dump(self, state: State) -> bytes:
        """The counts as msgpack, at most about 250 bytes."""
        return msgspec.msgpack.encode(state.track)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        track = read_back(Track, version, body, self.version)
        if track is None or len(track.times) != len(track.values):
            return None
        return State(station, kind.unit, track)


DETECTOR = Inflow()
