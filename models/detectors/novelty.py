"""Novelty: readings of any kind in, a score out when one lies outside everything its sensor has done before.

A range has nothing to fit and nothing to forget by mistake. Six views of the same readings each keep the range they
have moved in: the value, its logarithm, the mean of twenty, the distance from the recent level, the distance from what
this time of day has seen, and a mean of five against the last thousand readings only. What they say together is told
once: the next 75 readings must be louder to be heard, and what has happened before weighs less each time.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from models.detector import Sample
from models.kept import read_back
from models.novelty import DAY_MS, Events, Phase, Range, Recent, Window
from models.untimed import Untimed
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["DETECTOR", "Novelty"]

VIEWS = ("value", "logarithm", "mean", "level", "phase", "recent")
RECENTLY = 0.1
"""Weight of the last view: what is only new for a thousand readings is told last of all."""
LARGEST = 1e100
"""Values are cut here, so that their squares stay finite."""
LEAST = 1e-3
"""Together less than a thousandth of a range is nothing new."""
DECADES, GRADES = 4.0, 20
"""A weight of 1 scores 1, of 0.01 scores 0.5, of 0.0001 nothing; in steps of 0.05, a factor of 1.6."""
NARROW = 0.1
"""Of the value's own range is the least width of a derived one: in a series like clockwork one person is no event."""
SLOW = 0.01
"""Weight of the newest reading in the recent level: about a hundred readings."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class State(msgspec.Struct, array_like=True):
    """Of one sensor, 7 kB when it is full.

    Attributes:
        unit, decimals: of the kind, for the words.
        count: readings so far.
        since, at: when the first and the newest one were observed, ms.
        level: exponentially weighted mean of the readings.
        ranges: one for each of ``VIEWS`` but the last.
    """

    unit: str
    decimals: int
    count: int = 0
    since: int = 0
    at: int = 0
    level: float = 0.0
    ranges: list[Range] = msgspec.field(default_factory=lambda: [Range() for _ in VIEWS[:-1]])
    recent: Recent = msgspec.field(default_factory=Recent)
    window: Window = msgspec.field(default_factory=Window)
    phase: Phase = msgspec.field(default_factory=Phase)
    events: Events = msgspec.field(default_factory=Events)


class Novelty(Untimed):
    """Slow lane, any kind; cause ``anomaly``, in shadow.

    With ``e`` the excess of a view beyond its range, ``w`` the range's width and ``s`` its usual scatter, each view
    gives ``e / (w + e + 3 s)``; ``x`` is the root of the sum of their squares, ``c`` the number of comparable events
    before (``models.novelty.Events``)::

        score = max(0, 1 + log10(x / (1 + 2 c)) / 4), in steps of 0.05

    Source:
        Own design after the project's measurements on the Numenta Anomaly Benchmark (docs/models.md). The constants
        are plateaus, not peaks: equal weights, and the mean over +-35 % of all of them is about the figure itself.
    """

    name = "novelty"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds: frozenset[str] = frozenset()
    hazard = ""
    cause = "anomaly"
    ladder = Ladder(limits=(0.7, 0.85, None), deadband=0.2, hold_ms=1_800_000)
    shadow = True

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state; its first twenty readings are never new."""
        del station
        return State(kind.unit, kind.decimals)

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge and learn, in order."""
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample) -> Score:
        reading, state = sample.reading, sample.state
        at = reading.observed_at
        value = min(max(reading.value, -LARGEST), LARGEST)
        seen = _look(state, at, value)
        score, words = 0.0, "within what was seen before"
        if any(seen):
            score = _grade(state, seen)
            words = _words(state, seen, value) if score else words
        state.count += 1
        return Score(
            reading.station,
            reading.sensor,
            self.name,
            self.version,
            at,
            score,
            words,
            self.shadow,
            reading.value,
        )

    def dump(self, state: State) -> bytes:
        """Msgpack, at most 7.5 kB."""
        return msgspec.msgpack.encode(state)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        del station, kind
        state = read_back(State, version, body, self.version)
        if state is None:
            return None
        return state if state.phase.whole and len(state.ranges) == len(VIEWS) - 1 else None


def _look(state: State, at: int, value: float) -> list[float]:
    """What each view says, signed; the state takes the value in."""
    if not state.count or at - state.at > DAY_MS:  # what was recent a day ago is not
        state.level, state.window = value, Window()
    if not state.count:
        state.since = at
    state.at = at
    ranges, window = state.ranges, state.window
    window.add(value)
    mean, short = window.means()
    outside = state.phase.outside(at, value)
    least = NARROW * (ranges[0].high - ranges[0].low)
    seen = [
        ranges[0].excess(value),
        ranges[1].excess(math.copysign(math.log1p(abs(value)), value)),
        ranges[2].excess(mean, least),
        ranges[3].excess(value - state.level, least),
        0.0 if outside is None else ranges[4].excess(outside, least),
        RECENTLY * state.recent.excess(short),
    ]
    state.level += SLOW * (value - state.level)
    return seen


def _grade(state: State, seen: Sequence[float]) -> float:
    """The score of all views together, as it is told; loud ones are remembered."""
    size = min(1.0, math.hypot(*seen))
    left = state.events.weigh(state.count, size) if size >= LEAST else 0.0
    return max(0, round(GRADES * (1.0 + math.log10(left) / DECADES))) / GRADES if left else 0.0


def _words(state: State, seen: Sequence[float], value: float) -> str:
    """What the plainest view of those that are at least half as loud as the loudest saw, and the bound before."""
    loud = max(map(abs, seen)) / 2
    view = next(index for index, each in enumerate(seen) if abs(each) >= loud)
    up = seen[view] > 0
    high, most, over = ("highest", "most", "above") if up else ("lowest", "least", "below")
    since = f"since {_EPOCH + timedelta(milliseconds=state.since):%Y-%m-%d}"
    edge = (state.ranges[view] if view < len(state.ranges) else state.recent.range).edge
    match VIEWS[view]:
        case "value":
            return f"{high} {since}: {_figure(state, value)}, before at {most} {_figure(state, edge)}"
        case "logarithm":
            edge = math.copysign(math.expm1(abs(edge)), edge)
            return f"{high} {since}: {_figure(state, value)}, before at {most} {_figure(state, edge)}"
        case "mean":
            now = _figure(state, state.window.means()[0])
            return f"mean of 20 readings {high} {since}: {now}, before at {most} {_figure(state, edge)}"
        case "level":
            return (
                f"{_figure(state, value)}, further {over} its recent level than ever {since}, "
                f"before at most by {_figure(state, abs(edge))}"
            )
        case "phase":
            return (
                f"{_figure(state, value)}, further {over} what this time of day has seen than ever {since}, "
                f"before at most by {_figure(state, abs(edge))}"
            )
        case _:
            now = _figure(state, state.window.means()[1])
            return (
                f"mean of 5 readings {high} of the last 1,000: {now}, before at {most} {_figure(state, edge)}"
            )


def _figure(state: State, value: float) -> str:
    digits = f"{value:,.{state.decimals}f}" if abs(value) < 1e12 else f"{value:.3g}"
    return f"{digits} {state.unit}".rstrip()


DETECTOR = Novelty()
