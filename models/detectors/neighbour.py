"""Neighbour: levels of gauges that feel the same water in, a score out when one goes where the others do not.

A gauge that drifts, or whose zero was moved, looks like a river to itself. Its neighbours know better: those up and
down the river, and whatever else stands at the same post. What is compared is how far the level of a day lies from that
of two days before, here and there; how much of the one the other explains, and what usually remains, is learnt.
"""

import math
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Literal, NamedTuple

import msgspec

from models.detector import Sample
from models.kept import read_back
from models.untimed import Untimed
from pantau.city import City
from pantau.event import Score
from pantau.kind import Kind
from pantau.kinds.water_level import KIND as WATER_LEVEL
from pantau.ladder import Ladder
from pantau.reading import MAIN
from pantau.station import Station

__all__ = ["DETECTOR", "Neighbour"]

HOUR_MS = 3_600_000
DAY_H = 25
"""Two tides are 24.8 hours: the median of so many hours does not feel them."""
APART_H = 48
_KEPT_H = APART_H + 52
_LEAST_H = 13
WITHIN_H, _EVERY_H = 6, 3
"""Water that came by so much earlier or later at the neighbour explains ours as well; so long everybody waits."""
WARM_H = 240
"""A pair is judged after ten days with both."""
LIMIT = 2.0
"""So many times what hardly ever remains opens an alert."""
LEAST = 12.0
FLOOD = 2.0
"""Where the neighbour changes by so many times what it hardly ever does, a flood passes, and nobody is judged."""
BEHIND_H = 24
"""Nor for so long behind a flood: the water runs off at another pace at each gauge."""
_EXPLAINED = 0.25  # of what the neighbour explains may fail to come: floods do not go by a straight line
_KEEP = 1 - 1 / 1_440  # the share explained is learnt over two months
_RARE, _PACE, _FAULTY = 0.05, 0.01, 0.1
_QUIET = 0.5
_MOST = 8


class Pair(msgspec.Struct, array_like=True):
    """With one neighbour.

    Attributes:
        hours: how many were compared.
        xy, xx: sums of products of both changes and of the neighbour's squares, slowly forgetting.
        rest: what remains is greater in one hour of twenty, cm.
        tide: so is the neighbour's own change.
        flood: last hour of a flood at the neighbour, in hours since 1970; 0 before the first.
    """

    hours: int = 0
    xy: float = 0.0
    xx: float = 0.0
    rest: float = LEAST / LIMIT
    tide: float = LEAST
    flood: int = 0

    def learn(self, ours: float, theirs: float, rest: float, limit: float) -> None:
        """Take an hour; one beyond the limit is a fault until it has passed, and teaches little."""
        weight = 1.0 if self.hours < WARM_H or abs(rest) <= limit else _FAULTY
        keep = 1 - (1 - _KEEP) * weight
        self.xy = self.xy * keep + weight * ours * theirs
        self.xx = self.xx * keep + weight * theirs * theirs
        pace = weight * (_PACE if self.hours >= WARM_H else 3 * _PACE)
        self.rest *= math.exp(pace * (1 - _RARE if abs(rest) > self.rest else -_RARE))
        self.tide *= math.exp(pace * (1 - _RARE if abs(theirs) > self.tide else -_RARE))
        self.hours = min(self.hours + 1, 10 * WARM_H)


class State(msgspec.Struct, array_like=True):
    """Of one sensor, about 1 kB.

    Attributes:
        hour: the hour under way, in hours since 1970; ``count`` and ``total`` of its readings.
        means: of the last hours before it, oldest first, NaN without a reading.
        days: medians of the days that ended with each of the hours before it, likewise.
        pairs: by neighbour.
    """

    hour: int = 0
    count: int = 0
    total: float = 0.0
    means: list[float] = msgspec.field(default_factory=list)
    days: list[float] = msgspec.field(default_factory=list)
    pairs: dict[str, Pair] = msgspec.field(default_factory=dict)

    def add(self, hour: int, value: float) -> bool:
        """Take a reading; whether an hour was closed by it."""
        closes = hour > self.hour > 0
        if closes:
            self._close(self.total / self.count)
            for _ in range(min(hour - self.hour - 1, _KEPT_H + DAY_H)):
                self._close(math.nan)
        if hour != self.hour:
            self.hour, self.count, self.total = hour, 0, 0.0
        self.count += 1
        self.total += value
        return closes

    def _close(self, mean: float) -> None:
        self.means.append(mean)
        del self.means[:-DAY_H]
        known = [mean for mean in self.means if not math.isnan(mean)]
        self.days.append(median(known) if len(known) >= _LEAST_H else math.nan)
        del self.days[:-_KEPT_H]

    def change(self, until: int) -> float:
        """Level of the day before hour ``until`` less that of two days earlier; NaN where hours are missing."""
        new = len(self.days) - 1 - (self.hour - until)
        if new < APART_H or new >= len(self.days):
            return math.nan
        return self.days[new] - self.days[new - APART_H]


class Near(NamedTuple):
    """A neighbour: its station, and by how many hours its water is older (upstream) or younger than ours."""

    station: str
    ahead_h: int


class Finding(NamedTuple):
    """With one neighbour: how many limits the rest is, and what it is made of, cm."""

    ratio: float
    ours: float
    theirs: float
    limit: float
    station: str


class Neighbour(Untimed):
    """Slow lane, ``water_level``; hazard ``data``, cause ``neighbour``.

    With ``d`` the change in 48 hours of the median of 25 hourly means, here and at a neighbour (there by the travel
    time earlier or later, give or take 6 hours), ``b`` the share learnt and ``s`` what remains in one hour of twenty::

        rest = d - b d'       limit = max(12 cm, 2 s) + |b d'| / 4       score = min(1, |rest| / (2 limit))

    The least of all neighbours counts: where one of two agrees, it is the other one's fault. Scores below 0.25 are 0.
    In shadow: behind floods it still accuses healthy gauges too often.

    Source:
        docs/models.md, "neighbour": recall and false alarms on three rivers.
    """

    name = "neighbour"
    version = "2"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({WATER_LEVEL.name})
    hazard = "data"
    cause = "neighbour"
    ladder = Ladder(limits=(0.5, None, None), deadband=0.15, hold_ms=6 * HOUR_MS)
    shadow = True

    def __init__(self, near: dict[str, tuple[Near, ...]] | None = None) -> None:
        self._near = near or {}

    def of(self, city: City) -> "Neighbour":
        """A copy that knows who stands beside whom."""
        return Neighbour(beside(city))

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state, which says nothing for a fortnight."""
        del station, kind
        return State()

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Follow each reading; judge when an hour has ended."""
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample) -> Score | None:
        reading, state = sample.reading, sample.state
        if sample.pending or not state.add(reading.observed_at // HOUR_MS, reading.value):
            return None
        near: Sequence[Near] = self._near.get(reading.station, ())
        if reading.sensor != MAIN:
            near = (Near(reading.station, 0),)
        found = [
            finding
            for one in near[:_MOST]
            if isinstance(peer := sample.peers(one.station), State)
            and (finding := _compare(state, peer, one)) is not None
        ]
        if not found:
            return None
        least = min(found, key=lambda finding: finding.ratio)
        score = min(1.0, least.ratio / 2)
        return Score(
            reading.station, reading.sensor, self.name, self.version, reading.observed_at,
            score if least.ratio >= _QUIET else 0.0, _words(least), shadow=self.shadow, value=reading.value,
        )  # fmt: skip

    def dump(self, state: State) -> bytes:
        """The state as msgpack."""
        return msgspec.msgpack.encode(state)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        del station, kind
        state = read_back(State, version, body, self.version)
        if state is None:
            return None
        sane = len(state.days) <= _KEPT_H and (state.count > 0) == (state.hour > 0)
        return state if sane else None


def beside(city: City) -> dict[str, tuple[Near, ...]]:
    """For each station the gauges it is compared with; none where it has no neighbour."""
    posts: dict[str, list[Station]] = {}
    for station in city.stations.values():
        if station.post:
            posts.setdefault(station.post, []).append(station)
    return {
        name: tuple(_near(city, station, posts.get(station.post, ())))
        for name, station in city.stations.items()
    }


def _near(city: City, station: Station, at_post: Sequence[Station]) -> Iterator[Near]:
    """Stations of the same post, then those up and down the river."""
    if station.kind != WATER_LEVEL.name:
        return
    for other in at_post:
        if other.id != station.id and other.kind == station.kind:
            yield Near(other.id, 0)
    for link in city.upstream(station.id):
        yield Near(link.upstream, _hours(link.low_min, link.high_min))
    for link in city.downstream(station.id):
        yield Near(link.downstream, -_hours(link.low_min, link.high_min))


def _hours(low_min: int | None, high_min: int | None) -> int:
    known = [minutes for minutes in (low_min, high_min) if minutes is not None]
    return min(round(sum(known) / len(known) / 60), 12) if known else 0


def _compare(state: State, peer: State, near: Near) -> Finding | None:
    """Learn from the hour that has ended, after judging it; None while a pair warms up or hours are missing."""
    at = state.hour - WITHIN_H + min(near.ahead_h, 0)
    ours = state.change(at)
    around = [peer.change(at - near.ahead_h + hours) for hours in range(-WITHIN_H, WITHIN_H + 1, _EVERY_H)]
    theirs = around[len(around) // 2]
    if math.isnan(ours) or math.isnan(theirs):
        return None
    pair = state.pairs.setdefault(near.station, Pair())
    share = pair.xy / pair.xx if pair.xx > 0 else 0.0
    rest = min((ours - share * change for change in around if not math.isnan(change)), key=abs)
    limit = max(LEAST, LIMIT * pair.rest) + _EXPLAINED * abs(share * theirs)
    if pair.hours < WARM_H:
        pair.learn(ours, theirs, rest, limit)
        return None
    if abs(theirs) > FLOOD * max(pair.tide, LEAST):
        pair.flood = at
    ratio = 0.0 if at - pair.flood <= BEHIND_H else abs(rest) / limit
    pair.learn(ours, theirs, rest, limit)
    return Finding(ratio, ours, share * theirs, limit, near.station)


def _words(found: Finding) -> str:
    return (
        f"{found.ours:+.0f} cm in two days, where {found.station} lets expect {found.theirs:+.0f} cm, "
        f"give or take {found.limit:.0f}: one of the two has drifted, or its zero was moved"
    )


DETECTOR = Neighbour()
