"""Travel time: recent levels of a gauge and of those upstream in, the expected course of the next hours out.

For a gauge without history. The catalog says how long water takes from post to post (``links.csv``), and the posts'
ladders say which level there means as much as which level here: halfway between Siaga 3 and Siaga 2 upstream becomes
halfway between them downstream. What passes upstream now therefore arrives between the link's low and high travel
time; where nothing is on its way, the gauge's own water runs off slowly. How wrong that is, ``models.margins`` learns.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import exp
from typing import NamedTuple

from models.recent import Recent
from pantau.city import City
from pantau.ladder import Ladder

__all__ = ["HORIZON_MS", "Course", "Knots", "Reach", "Route", "courses", "leads", "reaches", "routes"]

_MINUTE_MS, _HOUR_MS = 60_000, 3_600_000
HORIZON_MS = 9 * _HOUR_MS
"""No outlook goes further: beyond, levels alone say nothing (measured to 9 h, issue 5)."""
_SHORTEST_MS = _HOUR_MS
_GRIDS = ((3 * _HOUR_MS, _HOUR_MS), (90 * _MINUTE_MS, 30 * _MINUTE_MS), (0, 15 * _MINUTE_MS))
"""From which horizon on the steps are hours, half hours, quarters."""
_RUN_OFF = 2.0
"""Own water above its base falls to 1/e in so many travel times of the nearest post upstream.

Source:
    Ciliwung 2021-2022, hourly: MAE of the middle 5.5 cm at 3 h (4: 5.9, never: 6.6) and 14.9 cm at 6 h (4: 15.8,
    never: 17.4); persistence 6.1 and 16.9.
"""
_QUIET = 0.25
"""A gauge's base is the level below which it was so much of the last day."""
_MOVING = 0.5
"""Position from which on a gauge is not quiet any more: halfway from its base to its first limit."""
_LEAST_SPAN = 0.2
"""The base lies at least this part of a ladder's spacing below its first limit."""


class Route(NamedTuple):
    """Water from ``upstream`` arrives after ``low_ms`` to ``high_ms``."""

    upstream: str
    low_ms: int
    high_ms: int

    @property
    def middle_ms(self) -> int:
        """The middle of both."""
        return (self.low_ms + self.high_ms) // 2

    @property
    def travelled_ms(self) -> tuple[int, ...]:
        """The least, the middle and the longest time, or the one there is."""
        return (self.low_ms, self.middle_ms, self.high_ms) if self.high_ms > self.low_ms else (self.low_ms,)


class Knots(NamedTuple):
    """A ladder as a line from severities to levels and back, beginning at the gauge's base.

    Attributes:
        severities: 0 for the base, then those that have a limit, rising.
        levels: in the kind's unit, rising likewise.
        spacing: between limits, on average; the ladder's own measure of how much water is much.
    """

    severities: tuple[float, ...]
    levels: tuple[float, ...]
    spacing: float

    @classmethod
    def of(cls, ladder: Ladder, recent: Recent, at: int) -> "Knots | None":
        """The knots of a gauge by what it had measured at an instant, None without any limit."""
        ordered = recent.ordered
        if recent.times and recent.times[-1] > at:
            ordered = sorted(recent.values[: bisect_right(recent.times, at)])
        return _knots(ladder.limits, ordered[int(_QUIET * (len(ordered) - 1))] if ordered else None)

    def position(self, level: float) -> float:
        """The severity that a level stands for, 0 at the base and below; beyond the last limit it goes on."""
        levels = self.levels
        if level < levels[1]:  # nearly always, so without another call
            above = level - levels[0]
            return above * self.severities[1] / (levels[1] - levels[0]) if above > 0.0 else 0.0
        return max(0.0, _line(levels, self.severities, level, 1 / self.spacing))

    def level(self, position: float) -> float:
        """The level that stands for a severity."""
        first = self.severities[1]
        if position < first:
            levels = self.levels
            return levels[0] + position * (levels[1] - levels[0]) / first
        return _line(self.severities, self.levels, position, self.spacing)


@lru_cache(maxsize=4_096)
def _knots(limits: tuple[float | None, ...], quiet: float | None) -> Knots | None:
    """Those of a ladder and of the level below which a gauge was a quarter of its last day; it moves seldom."""
    found = [(float(i), limit) for i, limit in enumerate(limits, 1) if limit is not None]
    if not found:
        return None
    severities, levels = zip(*found, strict=True)
    quiet = levels[0] if quiet is None else quiet
    spacing = (levels[-1] - levels[0]) / (severities[-1] - severities[0]) if len(found) > 1 else 0.0
    spacing = spacing or max(levels[0] - quiet, 1.0)
    base = min(quiet, levels[0] - _LEAST_SPAN * spacing)
    return Knots((0.0, *severities), (base, *levels), spacing)


def _line(xs: Sequence[float], ys: Sequence[float], x: float, beyond: float) -> float:
    """Straight lines through the points, with the slope ``beyond`` after the last."""
    last = len(xs) - 1
    if x >= xs[last]:
        return ys[last] + (x - xs[last]) * beyond
    index = 1
    while x >= xs[index]:
        index += 1
    x0, y0 = xs[index - 1], ys[index - 1]
    return y0 + (x - x0) * (ys[index] - y0) / (xs[index] - x0)


class Reach(NamedTuple):
    """A post upstream with what it has measured.

    Attributes:
        knots: of its ladder.
        recent: its levels; only those up to the instant of the forecast are looked at.
        patience_ms: an older level does not speak for an instant any more.
    """

    route: Route
    knots: Knots
    recent: Recent
    patience_ms: int

    def seen(self, at: int, ago_ms: Sequence[int]) -> list[float | None]:
        """Positions so long before an instant, None where nothing was measured.

        Args:
            ago_ms: ascending.
        """
        times, values, position = self.recent.times, self.recent.values, self.knots.position
        found: list[float | None] = []
        place = len(times)
        for ago in ago_ms:
            instant = at - ago
            place = bisect_right(times, instant, 0, place)
            known = place and instant - times[place - 1] <= self.patience_ms
            found.append(position(values[place - 1]) if known else None)
        return found


class _Stops(NamedTuple):
    """What a route means for each lead; what has not been seen yet stays as it is.

    Attributes:
        ago_ms: how long ago water passed upstream that will be here after some lead, ascending.
        places: for each lead which of them arrive then: by the least, the middle and the longest travel time.
        trusts: for each lead how far that is believed, 0..1.
    """

    ago_ms: tuple[int, ...]
    places: tuple[tuple[int, ...], ...]
    trusts: tuple[float, ...]


@lru_cache(maxsize=4_096)
def _stops(route: Route, leads_ms: tuple[int, ...]) -> _Stops:
    ago = [[max(0, travelled - lead) for travelled in route.travelled_ms] for lead in leads_ms]
    all_of_them = sorted({each for row in ago for each in row})
    places = tuple(tuple(all_of_them.index(each) for each in row) for row in ago)
    return _Stops(
        tuple(all_of_them), places, tuple(min(1.0, lead / max(1, route.low_ms)) for lead in leads_ms)
    )


class Course(NamedTuple):
    """What is expected at one instant, before any margin.

    Attributes:
        low, middle, high: by the span of travel times alone, in the gauge's unit.
        moving: water is on its way, or high: such hours are forecast less well than quiet ones.
        source: the post upstream that decides, empty when the gauge's own water does.
    """

    at: int
    low: float
    middle: float
    high: float
    moving: bool
    source: str = ""


def routes(city: City, station: str) -> tuple[Route, ...]:
    """Every post upstream whose water reaches a station within the horizon, nearest first.

    A published time counts as it stands; a post without a link of its own gets the sum along the way with the fewest
    links, and of two such ways the faster. A link without a time leads nowhere.
    """
    found: dict[str, Route] = {}
    front = [Route(station, 0, 0)]
    while front:
        further: dict[str, Route] = {}
        for below in front:
            for link in city.upstream(below.upstream):
                if link.low_min is None or link.high_min is None or link.upstream in {station, *found}:
                    continue
                low, high = (
                    below.low_ms + link.low_min * _MINUTE_MS,
                    below.high_ms + link.high_min * _MINUTE_MS,
                )
                known = further.get(link.upstream)
                if low <= HORIZON_MS and (known is None or high < known.high_ms):
                    further[link.upstream] = Route(link.upstream, low, high)
        found |= further
        front = list(further.values())
    return tuple(sorted(found.values(), key=lambda route: (route.middle_ms, route.upstream)))


def leads(ways: Iterable[Route]) -> tuple[int, ...]:
    """Leads of an outlook in ms: as far as the slowest water that can be seen, at most 9 hours; empty without any."""
    furthest = min(HORIZON_MS, max((route.high_ms for route in ways), default=0))
    if not furthest:
        return ()
    furthest = max(furthest, _SHORTEST_MS)
    grid = next(step for horizon, step in _GRIDS if furthest >= horizon)
    return tuple(grid * number for number in range(1, -(-furthest // grid) + 1))


def reaches(
    ways: Iterable[Route], city: City, upstream: Mapping[str, Recent], at: int, patience: int
) -> list[Reach]:
    """The posts upstream that have news: a ladder, and a level that is not too old.

    Args:
        upstream: levels by station; who never reported is missing.
        patience: cadences for which a level speaks.
    """
    found = []
    for route in ways:
        station, recent = city.stations.get(route.upstream), upstream.get(route.upstream)
        ladder = city.ladder_at(route.upstream, at)
        if station is None or recent is None or ladder is None:
            continue
        patience_ms = patience * station.cadence_ms
        knots = Knots.of(ladder, recent, at)
        if knots is not None and recent.at(at, patience_ms + route.high_ms) is not None:
            found.append(Reach(route, knots, recent, patience_ms))
    return found


def courses(
    value: float, knots: Knots, above: Sequence[Reach], at: int, leads_ms: tuple[int, ...]
) -> list[Course]:
    """What is expected after each lead.

    ``own = base + (value - base) exp(-lead / (2 travel time))``; of each post upstream the mean, the least and the
    greatest of what arrives within its span of travel times, trusted in full from its low travel time on and in
    proportion before (MAE at 1 h: 2.9 instead of 4.1 cm on the Ciliwung, and 4.6 instead of 8.8). The post that
    promises most counts, and never less than ``own``: a higher level, here or upstream, never lowers what is expected.

    Args:
        value: the gauge's own at ``at``.
        above: posts upstream with news, nearest first; without any the gauge's own level is expected to stay.
        leads_ms: ascending.
    """
    base, own = knots.levels[0], [value] * len(leads_ms)
    if above:
        fades = _RUN_OFF * max(above[0].route.middle_ms, _MINUTE_MS)
        own = [base + (value - base) * exp(-lead / fades) for lead in leads_ms]
    rows = [_Rise(level, level, level) for level in own]
    for reach in above:
        _raise(rows, own, reach, knots, (at, leads_ms))
    return [
        Course(
            at + lead, min(row.low, row.middle), row.middle, max(row.high, row.middle),
            knots.position(max(row.middle, value)) >= _MOVING, row.source,
        )
        for lead, row in zip(leads_ms, rows, strict=True)
    ]  # fmt: skip


class _Rise:
    """A course in the making."""

    __slots__ = ("high", "low", "middle", "source")

    def __init__(self, low: float, middle: float, high: float) -> None:
        self.low, self.middle, self.high = low, middle, high
        self.source = ""


def _raise(
    rows: Sequence[_Rise], own: Sequence[float], reach: Reach, knots: Knots, when: tuple[int, tuple[int, ...]]
) -> None:
    """Let what one post upstream promises count; ``when``: the instant of the forecast and its leads."""
    stops, level = _stops(reach.route, when[1]), knots.level
    seen = reach.seen(when[0], stops.ago_ms)
    for row, mine, places, trust in zip(rows, own, stops.places, stops.trusts, strict=True):
        arriving = [there for place in places if (there := seen[place]) is not None]
        if not arriving or (most := level(max(arriving))) <= mine:
            continue  # nothing is known, or all of it lies below what is here
        row.high = max(row.high, mine + trust * (most - mine))
        expected = mine + trust * (level(sum(arriving) / len(arriving)) - mine)
        if expected > row.middle:
            row.middle, row.source = expected, reach.route.upstream
            row.low = max(row.low, mine + trust * (level(min(arriving)) - mine))
