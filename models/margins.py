"""Margins: how far forecasts were off in, how wide the next band has to be out. Small, serialisable, no look-ahead.

A band says that the level stays in it nine times of ten. Whether that is so only its own past can tell, so each side
of the band at each lead has a margin that follows the errors: a level beyond the band widens it by 19 parts, one
within it narrows it by one. In the long run one in twenty lies beyond each side, whatever the errors look like.

Source:
    Gibbs and Candes, Adaptive conformal inference under distribution shift (2021): the same rule on quantiles.
"""

import struct
from collections.abc import Mapping, Sequence
from math import erf, inf, sqrt
from types import MappingProxyType

import msgspec

from models.travel import Course
from pantau.outlook import Crossing, OutlookStep

__all__ = ["Issue", "Margins", "beyond", "crossings"]

_TAIL = 0.05
_GAIN = (0.02, 0.06)
"""How much of a ladder's spacing one error moves a margin, quiet and moving."""
_FIRST = ((0.04, 0.08), (0.35, 0.65))
"""Margins to begin with, of a spacing: at once, and what a whole travel time adds; quiet and moving.

Source:
    Ciliwung 2021-2022: what nine of ten forecasts of the season before needed, rounded up.
"""
_LEAST, _MOST = 0.02, 6.0
_Z = 1.6449
"""Of the normal distribution at 95 %."""
_FAR = 4.0
"""Limits so many sides of the band away are never reached."""
_NEAR_MS = 1_800_000
"""A reading tells what the level was at an instant so long before it, not longer."""
_OPEN = 12
"""So many remembered forecasts may wait for their last hour; one is remembered each first lead."""


class Issue(msgspec.Struct, array_like=True):
    """A forecast that waits to be compared with what came.

    Attributes:
        at: when it was made, ms.
        done: leads that were compared already, or passed over in a gap.
        moving: bit i is set when lead i was one of moving water.
        band: low and high of each lead in turn, float32.
    """

    at: int
    moving: int
    band: bytes
    done: int = 0


class Margins(msgspec.Struct, array_like=True):
    """Of one gauge.

    Attributes:
        sides: low and high of each lead, quiet then moving, in spacings of the ladder; float32.
        issues: oldest first.
    """

    sides: bytes
    issues: list[Issue] = msgspec.field(default_factory=list)

    @classmethod
    def start(cls, leads: Sequence[int], travel_ms: int) -> "Margins":
        """Margins to begin with: wide, and wider further ahead."""
        first = [
            at_once + more * min(2.0, lead / max(1, travel_ms))
            for at_once, more in _FIRST
            for lead in leads
            for _side in (0, 1)
        ]
        return cls(_body(first))

    def fits(self, count: int) -> bool:
        """Whether these are margins of so many leads, all of them sane."""
        if len(self.sides) != 16 * count or len(self.issues) > _OPEN:
            return False
        sane = all(_LEAST * 0.99 <= side <= _MOST * 1.01 for side in _floats(self.sides))
        return sane and all(
            len(issue.band) == 8 * count and 0 <= issue.done <= count for issue in self.issues
        )

    def widen(self, courses: Sequence[Course], spacing: float) -> tuple[OutlookStep, ...]:
        """Steps with their margins around the courses."""
        sides, count = _floats(self.sides), len(courses)
        steps = []
        for index, course in enumerate(courses):
            place = 2 * (index + count * course.moving)
            low, high = course.low - sides[place] * spacing, course.high + sides[place + 1] * spacing
            steps.append(OutlookStep(course.at, round(low, 2), round(course.middle, 2), round(high, 2)))
        return tuple(steps)

    def remember(
        self, at: int, courses: Sequence[Course], steps: Sequence[OutlookStep], leads: Sequence[int]
    ) -> None:
        """Keep a forecast until its errors are known; one in each first lead is enough to learn from."""
        if not self.is_owed(at, leads[0]):
            return
        moving = sum(1 << index for index, course in enumerate(courses) if course.moving)
        band = [side for step in steps for side in (step.low, step.high)]
        self.issues.append(Issue(at, moving, _body(band)))
        del self.issues[:-_OPEN]

    def is_owed(self, at: int, apart_ms: int) -> bool:
        """Whether so much time has passed since a forecast was kept."""
        return not self.issues or at - self.issues[-1].at >= apart_ms

    def learn(self, at: int, level: float, leads: Sequence[int]) -> None:
        """Compare what was forecast for the time since the reading before with the newest reading.

        After a gap nobody knows what the level was in it: forecasts for it are passed over.
        """
        if not any(issue.at + leads[issue.done] <= at for issue in self.issues):
            return
        sides, count = _floats(self.sides), len(leads)
        for issue in self.issues:
            band = _floats(issue.band)
            while issue.done < count and (due := issue.at + leads[issue.done]) <= at:
                if at - due <= _NEAR_MS:
                    moving = issue.moving >> issue.done & 1
                    place = 2 * (issue.done + count * moving)
                    low, high = band[2 * issue.done : 2 * issue.done + 2]
                    _follow(sides, place, beyond=level < low, gain=_GAIN[moving])
                    _follow(sides, place + 1, beyond=level > high, gain=_GAIN[moving])
                issue.done += 1
        self.sides = _body(sides)
        self.issues = [issue for issue in self.issues if issue.done < count]


def _follow(sides: list[float], place: int, *, beyond: bool, gain: float) -> None:
    change = gain * (1 - _TAIL) if beyond else -gain * _TAIL
    sides[place] = min(_MOST, max(_LEAST, sides[place] + change))


def _body(numbers: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def _floats(body: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(body) // 4}f", body))


def beyond(step: OutlookStep, limit: float) -> float:
    """Probability that the level reaches a limit at one step: half a normal distribution on each side of the middle."""
    side = step.high - step.middle if limit >= step.middle else step.middle - step.low
    if side <= 0.0 or limit - step.middle > _FAR * side:
        return float(limit <= step.middle)
    return 0.5 - 0.5 * erf((limit - step.middle) * _Z / side / sqrt(2))


def crossings(
    value: float, issued_at: int, steps: Sequence[OutlookStep], limits: Sequence[float | None],
    known: Mapping[float, float] = MappingProxyType({}),
) -> tuple[Crossing, ...]:  # fmt: skip
    """The limits above a value, each with the probability of reaching it and when the middle does.

    The probability is that of the likeliest step: the hours of one flood are no independent chances.

    Args:
        known: probabilities that a model gives to limits; for the others the band's count.
    """
    found = []
    highest = max((step.middle for step in steps), default=-inf)
    for severity, limit in enumerate(limits, 1):
        if limit is None or limit <= value:
            continue
        probability = known[limit] if limit in known else _likeliest(steps, limit)
        expected_at = _when(value, issued_at, steps, limit) if highest >= limit else None
        found.append(Crossing(severity, limit, round(probability, 3), expected_at))
    return tuple(found)


def _likeliest(steps: Sequence[OutlookStep], limit: float) -> float:
    """The highest probability of all steps, worked out for that one only."""
    least, found = _FAR, None
    for step in steps:
        middle = step.middle
        off = limit - middle
        side = step.high - middle if off >= 0.0 else middle - step.low
        if side <= 0.0:
            if off <= 0.0:
                return 1.0
        elif off / side <= least:
            least, found = off / side, step
    return 0.0 if found is None else beyond(found, limit)


def _when(value: float, issued_at: int, steps: Sequence[OutlookStep], limit: float) -> int | None:
    before_at, before = issued_at, value
    for step in steps:
        if step.middle >= limit:
            share = (limit - before) / (step.middle - before) if step.middle > before else 1.0
            return before_at + round((step.at - before_at) * share)
        before_at, before = step.at, step.middle
    return None
