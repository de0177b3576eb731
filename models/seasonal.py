"""What is usual for a sensor of people at an hour of the week: counts in, an expectation with its spread out.

Everything is in roots of persons, which makes the scatter of counts nearly independent of their size. Four things are
kept, and all of them go on learning: a level for each hour of the week (and each hour of a holiday), how far the last
hour and yesterday's same hour were from theirs (a busy day stays busy), how far the expectation is usually off at this
hour of the day, and how far it was off at worst on each of the last days.
"""

import math
import struct
import sys
from array import array
from typing import NamedTuple

__all__ = ["HOUR_MS", "Expectation", "Seasonal"]

HOUR_MS = 3_600_000
WEEK, DAY = 168, 24
SUNDAY = 72
"""Slot of a Sunday's first hour: 1970 began on a Thursday."""
WEEKS = 3
"""A slot is judged after so many weeks; before, nothing is said (not: ordinary)."""
STRANGE_H = 4 * WEEK
"""After so many hours of readings an hour of the week that was never seen is taken for the other days' same hour."""
ALPHA = 0.2
"""Weight of the newest week once a slot knows five: a new term is usual after about a month."""
HOLIDAY_PRIOR, HOLIDAY_MOST = 2.0, 5
"""A holiday begins as the Sunday of its hours, which counts as much as two holidays; its own past as at most five."""
SPREAD_ALPHA, TYPICAL_ALPHA = 0.02, 0.002
"""Of the spread at an hour of the day (50 days) and over all hours (three weeks)."""
ROOTS = 3.0
"""Added to a level before residuals are taken relative to it: one person more on an empty square is no busy day."""
LAST_HOUR, YESTERDAY, YESTERDAY_NEXT = 0.7, 0.15, 0.1
"""How much of the relative residual is still there after an hour, a day, and a day less an hour.

Source:
    Least squares over ten shared counters by the hour: 0.76 (0.32 to 0.94), 0.13, 0.07; older hours add nothing.
"""
MOST = 0.5
"""Largest relative residual that is carried on."""
CLIP, CLIP_ALARM = 3.0, 1.0
"""Spreads beyond the expectation up to which a level learns, and up to which today's mood learns from an alarm."""
FLOOR, SHARE, TYPICAL = 0.5, 0.07, 2.0
"""Least spread in roots (counting alone scatters by that) and as a part of the expectation: a quarter more people than
expected is no surge, however regular a place is; and how much of the spread over all hours is added (squares are)."""
DAYS, ONE_IN, MARGIN = 84, 5, 1.1
LEAST, GREATEST = 1.65, 12.0
"""The limit is a tenth above what one day in five of the last twelve weeks exceeded, in spreads, within bounds."""
CLOCK_H, CLOCK_FITS = 24.0, 0.7
"""Clocks have changed when one hour beside fits to 70 % of the error, over about a day."""
_HEAD = struct.Struct("<qiqqqqqqqqq14d")
_SLOTS = WEEK + DAY
_SIZE = _HEAD.size + _SLOTS * 5 + DAY * 9 + DAYS * 4


class Expectation(NamedTuple):
    """What one reading should have been, in roots of persons.

    Attributes:
        usual: at this hour of the week (or holiday).
        expected: the same with today's mood.
        spread: ordinary deviation from ``expected``.
        known: whether it may be judged.
    """

    usual: float
    expected: float
    spread: float
    known: bool


class Seasonal:
    """Of one sensor: about 1.7 kB.

    Attributes:
        mean, seen: per slot (168 hours of the week, 24 of a holiday): level in roots, weeks learnt up to 255.
        spread, days: per hour of the day: mean absolute deviation from the expectation, days learnt up to 255.
        mood: per hour of the day: relative residual when that hour was last.
        peaks: of the last days, oldest first: the furthest above the expectation, in spreads.
        limit: of the peaks.
        shift: hours that the sensor's rhythm is ahead of the city's clocks.
        last, last_usual, last_hour: relative residual and usual level of the last hour with readings, and which it was.
        earlier: the last two readings, newest first: instant and root.
    """

    __slots__ = (
        "_count", "_errors", "_hour", "_slot", "_sums", "_tried", "age", "day", "days", "earlier", "last", "last_hour",
        "last_usual", "limit", "mean", "mood", "peak", "peaks", "seen", "shift", "spread", "typical",
    )  # fmt: skip

    def __init__(self) -> None:
        self.mean = array("f", bytes(4 * _SLOTS))
        self.seen = bytearray(_SLOTS)
        self.spread = array("f", [1.0] * DAY)
        self.days = bytearray(DAY)
        self.mood = array("f", bytes(4 * DAY))
        self.peaks: array[float] = array("f")
        self.limit = GREATEST
        self.typical = 1.0
        self.age = self.shift = 0
        self.day, self.peak = 0, -1.0
        self.last, self.last_usual, self.last_hour = 0.0, 0.0, 0
        self.earlier = [(0, 0.0), (0, 0.0)]
        self._hour = self._slot = self._count = self._tried = 0
        self._sums = [0.0] * 5  # of the hour under way: what ``_close_hour`` takes the means of
        self._errors = [0.0] * 3

    def enter(self, local_ms: int, *, holiday: bool) -> None:
        """Let time pass up to an instant of the city's clocks (ms): hours and days that have ended are learnt."""
        hour = local_ms // HOUR_MS + self.shift
        if hour == self._hour:
            return
        self._close_hour()
        self._hour = hour = (
            local_ms // HOUR_MS + self.shift
        )  # the clocks may just have been found to have changed
        self._slot = WEEK + hour % DAY if holiday else hour % WEEK
        if hour // DAY != self.day:
            self._close_day()
            self.day = hour // DAY

    def expect(self, root: float, part: float | None) -> Expectation:
        """What a reading of the hour under way should be.

        Args:
            root: the reading's own, which stands in while nothing was learnt.
            part: how far the hour is gone, 0..1, for readings that come several an hour; None: they do not.
        """
        slot = self._slot
        usual, seen = self._level(slot)
        if not seen:
            return Expectation(root, root, 1.0, known=False)
        if part is not None:
            beside, weeks = self._level(_beside(slot, 1 if part > 0.5 else -1))
            usual += abs(part - 0.5) * (beside - usual) if weeks else 0.0
        hour = slot % DAY
        # An hour without readings makes the last one's mood half forgotten: it fades by the same rule.
        faded = self.last * LAST_HOUR ** min(self._hour - self.last_hour, DAY)
        mood = YESTERDAY * self.mood[hour] + YESTERDAY_NEXT * self.mood[(hour + 1) % DAY]
        # What a few persons were off at night says little about the thousands of the morning: not relative to those.
        carried = faded * (min(usual, self.last_usual) + ROOTS)
        expected = max(usual + carried + (usual + ROOTS) * mood, 0.0)
        spread = max(self.spread[hour], SHARE * expected, FLOOR)
        return Expectation(usual, expected, math.hypot(spread, TYPICAL * self.typical), known=seen >= WEEKS)

    def learn(self, root: float, expectation: Expectation, over: float) -> None:
        """Take a reading of the hour under way, but not what is beyond the limits of learning.

        Args:
            root: of the reading.
            expectation: of ``expect``.
            over: spreads above the expectation, as judged.
        """
        usual, expected, spread, known = expectation
        learnt = calm = root
        if known:
            calm = max(min(root, expected + CLIP * spread), expected - CLIP * spread)
            # A holiday's first hours are nobody's surge: they were only judged by the Sunday's.
            learnt = root if self._slot >= WEEK and self.seen[self._slot] < WEEKS else calm
            calm = min(calm, expected + CLIP_ALARM * spread) if over > self.limit else calm
            self.peak = max(self.peak, min(over, 2 * GREATEST))
        sums = self._sums
        self._count += 1
        sums[0] += learnt
        sums[1] += abs(learnt - (expected if known else usual))
        sums[2] += root
        sums[3] += max(min((calm - usual) / (usual + ROOTS), MOST), -MOST)
        sums[4] += usual

    def _level(self, slot: int) -> tuple[float, int]:
        """Usual level of a slot and after how many weeks (0: nothing is known)."""
        mean, seen = self.mean, self.seen
        if slot >= WEEK:
            days = min(seen[slot], HOLIDAY_MOST)
            sunday, weeks = self._level(SUNDAY + slot - WEEK)
            level = (
                (days * mean[slot] + HOLIDAY_PRIOR * sunday) / (days + HOLIDAY_PRIOR) if weeks else mean[slot]
            )
            return level, weeks or seen[slot]
        if seen[slot] < WEEKS and self.age >= STRANGE_H:
            same = [mean[other] for other in range(slot % DAY, WEEK, DAY) if seen[other] >= WEEKS]
            if same:
                return sum(same) / len(same), WEEKS
        return mean[slot], seen[slot]

    def _close_hour(self) -> None:
        """Learn the hour that has ended; each hour weighs the same, however many readings it had."""
        if not self._count:
            return
        slot, hour = self._slot, self._slot % DAY
        level, apart, root, mood, self.last_usual = (total / self._count for total in self._sums)
        weeks = self.seen[slot]
        if weeks >= 2:
            days = self.days[hour]
            self.spread[hour] += max(SPREAD_ALPHA, 1 / (days + 1)) * (apart - self.spread[hour])
            self.days[hour] = min(days + 1, 255)
            self.typical += max(TYPICAL_ALPHA, 1 / (self.age + 1)) * (apart - self.typical)
            self._watch_clock(root)
        self.mean[slot] += max(1 / (weeks + 1), ALPHA) * (level - self.mean[slot])
        self.seen[slot] = min(weeks + 1, 255)
        self.mood[hour] = self.last = mood
        self.last_hour = self._hour
        self.age += 1
        self._count = 0
        self._sums = [0.0] * 5

    def _watch_clock(self, root: float) -> None:
        """Move by an hour when the hour before or after has fitted clearly better for a day: clocks have changed."""
        hour = self._hour
        most = 4 * self.spread[hour % DAY] + 2
        for index in range(3):
            error = min(abs(root - self.mean[(hour + index - 1) % WEEK]), most)
            self._errors[index] += (error - self._errors[index]) / CLOCK_H
        self._tried += 1
        best = 0 if self._errors[0] < self._errors[2] else 2
        if self._tried > CLOCK_H and self._errors[best] < CLOCK_FITS * self._errors[1]:
            self.shift += best - 1
            self.last, self._tried = 0.0, 0
            self._errors = [1.5 * self._errors[best], self._errors[best], 1.5 * self._errors[best]]

    def _close_day(self) -> None:
        """Keep the day's peak, and take the limit from the last days."""
        if self.peak < 0:
            return
        self.peaks.append(self.peak)
        del self.peaks[:-DAYS]
        self.peak = -1.0
        self._set_limit()

    def _set_limit(self) -> None:
        if self.peaks:
            highest = sorted(self.peaks, reverse=True)
            self.limit = min(max(MARGIN * highest[len(highest) // ONE_IN], LEAST), GREATEST)

    def dump(self) -> bytes:
        """All of it, of one length whatever was learnt."""
        newest, older = self.earlier
        head = _HEAD.pack(
            self._hour, self._slot, self._count, self._tried, self.age, self.shift, self.day, self.last_hour,
            newest[0], older[0], len(self.peaks), self.typical, self.peak, self.last, self.last_usual,
            newest[1], older[1], *self._sums, *self._errors,
        )  # fmt: skip
        peaks = array("f", self.peaks)
        peaks.extend([0.0] * (DAYS - len(peaks)))
        tables = (self.mean, self.spread, self.mood, peaks)
        return (
            head
            + b"".join(_little(table).tobytes() for table in tables)
            + bytes(self.seen)
            + bytes(self.days)
        )

    @classmethod
    def load(cls, body: bytes) -> "Seasonal | None":
        """The state back; None for a broken one."""
        if len(body) != _SIZE:
            return None
        state = cls()
        (
            state._hour, state._slot, state._count, state._tried, state.age, state.shift, state.day, state.last_hour,
            newest, older, peaks, state.typical, state.peak, state.last, state.last_usual,
            newest_root, older_root, *rest,
        ) = _HEAD.unpack_from(body)  # fmt: skip
        state.earlier = [(newest, newest_root), (older, older_root)]
        state._sums, state._errors = rest[:5], rest[5:]
        cut = _HEAD.size
        tables = []
        for length in (_SLOTS, DAY, DAY, DAYS):
            tables.append(_little(array("f", body[cut : cut + 4 * length])))
            cut += 4 * length
        state.mean, state.spread, state.mood, state.peaks = tables
        state.seen, state.days = bytearray(body[cut : cut + _SLOTS]), bytearray(body[cut + _SLOTS :])
        numbers = [
            *state.mean,
            *state.spread,
            *state.mood,
            *state.peaks,
            state.typical,
            state.peak,
            state.last,
            state.last_usual,
            *rest,
        ]
        sane = (
            all(
                math.isfinite(number) and abs(number) < 1e12 for number in (*numbers, newest_root, older_root)
            )
            and 0 <= state._slot < _SLOTS
            and 0 <= peaks <= DAYS
            and min(state._count, state.age) >= 0
            and min(*state.mean, *state.spread, state.typical) >= 0
        )
        del state.peaks[max(peaks, 0) :]
        state._set_limit()
        return state if sane else None


def _beside(slot: int, step: int) -> int:
    """The slot of the next or previous hour; a holiday's hours follow each other."""
    return WEEK + (slot - WEEK + step) % DAY if slot >= WEEK else (slot + step) % WEEK


def _little(numbers: "array[float]") -> "array[float]":
    """Little-endian on any machine, so that a database may move between them."""
    if sys.byteorder == "big":
        numbers = array("f", numbers)
        numbers.byteswap()
    return numbers
