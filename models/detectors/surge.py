"""Surge: counts of people in, a score out when there are far more than usual for this hour, and for today.

Every place has its own rhythm, so one limit for all is either deaf by day or loud at night. ``models.seasonal`` keeps
what is usual; this file compares a count with it and says so. Two things tell a surge from a busy day: it sets in
against an hour ago, and it is further off than the worst hours of ordinary days. The second is learnt for each sensor,
for what is extraordinary on a quiet street is ordinary before a stadium.
"""

import math
from collections.abc import Sequence
from copy import copy
from typing import Literal

from models.detector import Sample
from models.seasonal import HOUR_MS, Expectation, Seasonal
from models.seasonal_clock import Clock
from models.untimed import Untimed
from pantau.city import City
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["DETECTOR", "Surge"]

FINE_MS = 1_800_000
"""What reports more often than each half hour is compared with a line between the hours, not with a step."""
TOGETHER_MS = 540_000
"""Up to three readings within nine minutes are judged by their median (of two the lower): one count is no crowd."""
QUIET_DAY = 4.0
"""On a day with fewer people than usual a surge is at most so many times as far above the usual level, in roots."""
ORDINARY = 0.4
"""Part of the limit up to which the score is 0; at the limit it is 0.5."""
HIGHEST = 1e9


class State:
    """Of one sensor: the unit of its words, whether it reports several times an hour, and what is usual."""

    __slots__ = ("fine", "seasonal", "unit")

    def __init__(self, unit: str, seasonal: Seasonal, *, fine: bool) -> None:
        self.unit = unit
        self.fine = fine
        self.seasonal = seasonal


class Surge(Untimed):
    """Slow lane, ``crowd_count``; cause ``anomaly``.

    With ``y = sqrt(count)``, ``m`` the exponentially weighted mean of the hour of the week, ``r`` the last hour's
    residual ``(y - m) / (m + 3)`` and ``r1``, ``r2`` yesterday's at this hour and the next::

        e = m + 0.7 r (min(m, m of the last hour) + 3) + (m + 3) (0.15 r1 + 0.1 r2)
        s = sqrt(max(d, 0.07 e, 0.5)^2 + (2 D)^2)       z = min(y - e, 4 (y - m)) / s
        score = 0 if z <= 0.4 L else (z / L - 0.4) / (z / L + 0.2)

    ``d`` is the mean absolute deviation from ``e`` at this hour of the day, ``D`` over all hours, and ``L`` is 1.1
    times the ``z`` that one day in five of the last twelve weeks exceeded, 1.65 at least. So a score of 0.5 means:
    the limit of this sensor; 0.75 is 2.2 times that. Only more than expected scores.

    Attributes:
        clock: the city's, UTC without a city.

    Source:
        Constants chosen on the shared counters (Leeds, Melbourne, a gym; docs/evaluate.md, crowd) where all results
        are flat around them; what each part gives is in docs/models.md.
    """

    name = "surge"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"crowd_count"})
    hazard = ""
    cause = "anomaly"
    ladder = Ladder(limits=(0.5, 0.75, None), deadband=0.2, hold_ms=900_000)
    shadow = False

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()

    def of(self, city: City) -> "Surge":
        """On the city's clocks, with its holidays."""
        local = copy(self)
        local.clock = Clock(city.timezone, city.holidays)
        return local

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state, which says nothing for three weeks."""
        return State(kind.unit, Seasonal(), fine=station.cadence_ms < FINE_MS)

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge, then learn, in order."""
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample) -> Score | None:
        reading, state = sample.reading, sample.state
        at, seasonal = reading.observed_at, state.seasonal
        offset, holiday = self.clock.at(at // HOUR_MS)
        seasonal.enter(at + offset, holiday=holiday)
        root = math.sqrt(min(max(reading.value, 0.0), HIGHEST))
        part = (at + offset) % HOUR_MS / HOUR_MS if state.fine else None
        expectation = seasonal.expect(root, part)
        judged = _together(seasonal, at, root)
        over = _over(judged, expectation)
        limit = seasonal.limit
        seasonal.learn(root, expectation, over)
        if not expectation.known:
            return None
        beyond = over / limit - ORDINARY
        score = beyond / (beyond + 1 - ORDINARY) if beyond > 0 else 0.0
        words = _reason(expectation, limit) if score else "as expected"
        reason = f"{reading.value:.0f} {state.unit}, {words}"
        return Score(
            reading.station, reading.sensor, self.name, self.version, at, score, reason, value=reading.value
        )

    def dump(self, state: State) -> bytes:
        """1.7 kB."""
        return state.seasonal.dump()

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        seasonal = Seasonal.load(body) if version == self.version else None
        return None if seasonal is None else State(kind.unit, seasonal, fine=station.cadence_ms < FINE_MS)


def _over(root: float, expectation: Expectation) -> float:
    """Spreads above the expectation; a count that is no more than usual is no surge, however quiet the day was."""
    usual, expected, spread, _ = expectation
    return min(root - expected, QUIET_DAY * (root - usual)) / spread


def _together(seasonal: Seasonal, at: int, root: float) -> float:
    """What a reading is judged by: with those of the last minutes; kept for the next one."""
    newest, older = seasonal.earlier
    seasonal.earlier = [(at, root), newest]
    if at - newest[0] > TOGETHER_MS:
        return root
    if at - older[0] > TOGETHER_MS:
        return min(root, newest[1])
    return sorted((root, newest[1], older[1]))[1]


def _reason(expectation: Expectation, limit: float) -> str:
    """E.g. ``expected up to 240 (usual at this hour of the week 180, today 10 % above it)``."""
    usual, expected, spread, _ = expectation
    most = (expected + limit * spread) ** 2
    mood = round(100 * ((expected / usual) ** 2 - 1)) if usual > 1 else 0
    today = f", today {abs(mood)} % {'above' if mood > 0 else 'below'} it" if mood else ""
    return f"expected up to {most:.0f} (usual at this hour of the week {usual**2:.0f}{today})"


DETECTOR = Surge()
