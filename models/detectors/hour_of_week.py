"""Hour of week: counts of people in, a score out when there are far more than usual at this hour of the week.

Every place has its own rhythm, so one limit for all is either deaf by day or loud at night. For each of the 168 hours
of the week the detector keeps what is usual and how far from it is still ordinary. It keeps learning, for places
change, but not from the surge itself: what is beyond the limit is learnt as if it were on the limit.
"""

import math
import struct
import sys
from array import array
from collections.abc import Sequence
from typing import Literal

from models.detector import Sample
from models.untimed import Untimed
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["DETECTOR", "HourOfWeek"]

HOUR_MS = 3_600_000
SLOTS = 168
WEEKS = 3
"""A slot is judged after so many weeks; before, nothing is said (not: ordinary)."""
ALPHA = 0.2
"""Weight of the newest week once a slot knows five: a new term is usual after about a month."""
ORDINARY = 1.5
LIMIT = 4.0
"""Deviations from usual: up to 1.5 the score is 0, at 4 it is 0.5."""
FLOOR, SHARE = 0.7, 0.04
"""Least deviation, in roots of persons: counting alone scatters by 0.4, and by 4 % of the level in busy places."""
HIGHEST = 1e9

_HEAD = struct.Struct("<qIdd")
_SIZE = _HEAD.size + SLOTS * 4 * 2 + SLOTS


class State:
    """Of one sensor: about 1.5 kB.

    Attributes:
        mean, spread: per slot, of the square root of the count; mean absolute deviation.
        weeks: per slot, how many were learnt, up to 255.
        hour: the hour under way, in hours since 1970; ``count``, ``total``, ``apart``: its readings so far, the sum
            of their roots and of their distances from usual.
    """

    __slots__ = ("apart", "count", "hour", "mean", "spread", "total", "unit", "weeks")

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.mean = array("f", bytes(4 * SLOTS))
        self.spread = array("f", bytes(4 * SLOTS))
        self.weeks = bytearray(SLOTS)
        self.hour = 0
        self.count = 0
        self.total = 0.0
        self.apart = 0.0

    def close_hour(self) -> None:
        """Learn the hour that has ended; each hour weighs the same, however many readings it had."""
        if self.count == 0:
            return
        slot = self.hour % SLOTS
        weeks = self.weeks[slot]
        level = self.total / self.count
        if weeks:
            self.spread[slot] += max(1 / weeks, ALPHA) * (self.apart / self.count - self.spread[slot])
        self.mean[slot] += max(1 / (weeks + 1), ALPHA) * (level - self.mean[slot])
        self.weeks[slot] = min(255, weeks + 1)
        self.count, self.total, self.apart = 0, 0.0, 0.0

    def usual(self, slot: int) -> tuple[float, float]:
        """Usual level and ordinary deviation of a slot, in roots; the deviation is pooled with its neighbours'."""
        around = [s % SLOTS for s in range(slot - 2, slot + 3) if self.weeks[s % SLOTS] > 1]
        spread = sum(self.spread[s] for s in around) / len(around) if around else 0.0
        level = self.mean[slot]
        return level, max(spread, FLOOR, SHARE * level)


class HourOfWeek(Untimed):
    """Slow lane, ``crowd_count``; cause ``anomaly``.

    With ``y = sqrt(count)`` (which makes the scatter of counts nearly independent of their size), ``m`` and ``d`` the
    exponentially weighted mean and mean absolute deviation of the slot, ``d`` pooled over five neighbouring hours::

        z = (y - m) / d          score = 0 if z <= 1.5 else (z - 1.5) / (z - 1.5 + 2.5)

    so ``z = 4`` gives 0.5 and ``z = 9`` gives 0.75. Only "more than usual" scores. The hour of the week is counted in
    UTC, which is the local one shifted by a constant; where clocks change, the slots beside the change need some weeks
    to learn it (see docs/models.md).

    Source:
        Constants chosen on nine public counters (Leeds, Melbourne, a gym): 1.0 alarm a sensor and week, real events
        included; of two-hour surges it finds 88 % at three times and 61 % at twice the count.
    """

    name = "hour_of_week"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"crowd_count"})
    hazard = ""
    cause = "anomaly"
    ladder = Ladder(limits=(0.5, 0.75, None), deadband=0.2, hold_ms=900_000)
    shadow = False

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state, which says nothing for three weeks."""
        del station
        return State(kind.unit)

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge, then learn, in order."""
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample) -> Score | None:
        reading, state = sample.reading, sample.state
        hour = reading.observed_at // HOUR_MS
        if hour != state.hour:
            state.close_hour()
            state.hour = hour
        slot = hour % SLOTS
        root = math.sqrt(min(max(reading.value, 0.0), HIGHEST))
        weeks = state.weeks[slot]
        level, spread = state.usual(slot) if weeks else (root, 0.0)
        known = weeks >= WEEKS
        learnt = min(root, level + LIMIT * spread) if known else root
        state.count += 1
        state.total += learnt
        state.apart += abs(learnt - level)
        if not known:
            return None
        over = (root - level) / spread - ORDINARY
        score = over / (over + LIMIT - ORDINARY) if over > 0 else 0.0
        low, high = max(level - ORDINARY * spread, 0.0) ** 2, (level + ORDINARY * spread) ** 2
        words = f"{reading.value:.0f} {state.unit}, usually {low:.0f}-{high:.0f} at this hour of the week"
        at = reading.observed_at
        return Score(
            reading.station, reading.sensor, self.name, self.version, at, score, words, value=reading.value
        )

    def dump(self, state: State) -> bytes:
        """1,540 bytes: the hour under way, then the three tables."""
        head = _HEAD.pack(state.hour, state.count, state.total, state.apart)
        return head + _little(state.mean).tobytes() + _little(state.spread).tobytes() + bytes(state.weeks)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        del station
        if version != self.version or len(body) != _SIZE:
            return None
        state = State(kind.unit)
        state.hour, state.count, state.total, state.apart = _HEAD.unpack_from(body)
        cut = _HEAD.size + SLOTS * 4
        state.mean = _little(array("f", body[_HEAD.size : cut]))
        state.spread = _little(array("f", body[cut : cut + SLOTS * 4]))
        state.weeks = bytearray(body[cut + SLOTS * 4 :])
        sane = [state.total, state.apart, *state.mean, *state.spread]
        return state if all(0 <= number < math.inf for number in sane) else None


def _little(numbers: "array[float]") -> "array[float]":
    """Little-endian on any machine, so that a database may move between them."""
    if sys.byteorder == "big":
        numbers = array("f", numbers)
        numbers.byteswap()
    return numbers


DETECTOR = HourOfWeek()
