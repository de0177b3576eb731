"""Operator load: lives of alerts in, how many alarms an operator would have had to deal with out.

Figures after EEMUA 191 and ISA-18.2: an operator can deal with about one alarm in ten minutes; more than ten in ten
minutes are an alarm flood, which should be rarer than 1 % of the time; fewer than ten alarms should stand at a time; of
all alarms about 80 % should be of low, 15 % of medium and 5 % of high priority.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from app.backtest_lives import Life
from pantau.station import ABOUT_US

__all__ = ["CHATTER_MS", "WINDOW_MS", "Load", "counts", "load_of"]

WINDOW_MS = 600_000
FLOOD = 10
"""More alarms for one operator in ten minutes are an alarm flood."""
CHATTER = 3
CHATTER_MS = 3_600_000
"""The standards say three in a minute; gauges that report every ten minutes need an hour to chatter."""


FOLLOWED_MS = 12 * 3_600_000


class Load(msgspec.Struct, frozen=True):
    """What an operator would have had to deal with; shares are 0..1.

    Attributes:
        operators: among whom alarms are shared out.
        windows: of ten minutes, on the clock, from the recording's first to its last reading.
        alarms: told to operators: a condition began or grew worse.
        per_window, most: alarms of one operator in ten minutes, mean and most.
        flood_share: part of the windows with more than ten for one operator.
        standing, standing_most: alerts that are open at a time, for one operator, mean and most.
        low, medium, high: share of the alarms by severity 1, 2, 3.
        unconfirmed: share of the alerts that began as a jump still to be confirmed.
        withdrawn: share of the alerts whose jump was nothing.
        chattering: alarms that were the third or later of the same condition within an hour.
    """

    operators: int
    windows: int
    alarms: int
    per_window: float
    most: float
    flood_share: float
    standing: float
    standing_most: float
    low: float | None
    medium: float | None
    high: float | None
    unconfirmed: float | None
    withdrawn: float | None
    chattering: int


def load_of(found: Sequence[Life], start: int, end: int, operators: int = 1) -> Load:
    """The load of a recording's alerts.

    Args:
        start, end: instants of its first and last reading, ms since 1970 UTC.
        operators: who share the alarms.
    """
    told = sorted(at for life in found for at in life.told)
    windows = end // WINDOW_MS - start // WINDOW_MS + 1
    by_window = Counter(at // WINDOW_MS for at in told)
    mean, most = _standing(found, start, end)
    severities = Counter(severity for life in found for severity in life.told_severity)
    return Load(
        operators=operators,
        windows=windows,
        alarms=len(told),
        per_window=len(told) / windows / operators,
        most=max(by_window.values(), default=0) / operators,
        flood_share=sum(count > FLOOD * operators for count in by_window.values()) / windows,
        standing=mean / operators,
        standing_most=most / operators,
        low=_share(severities[1], len(told)),
        medium=_share(severities[2], len(told)),
        high=_share(severities[3], len(told)),
        unconfirmed=_share(sum(life.unconfirmed for life in found), len(found)),
        withdrawn=_share(sum(life.withdrawn for life in found), len(found)),
        chattering=_chattering(found),
    )


def counts(found: Sequence[Life]) -> list[dict[str, Any]]:
    """Alerts by hazard, cause and the highest severity that each reached; the cause of ``data`` is any sensor.

    ``followed`` tells of warnings (rise, forecast) how many were followed, within twelve hours or while they were open,
    by a confirmed level alert of the same station; null for other causes.
    """
    levels: dict[str, list[Life]] = {}
    for life in found:
        if life.cause == "level" and life.sure:
            levels.setdefault(life.station, []).append(life)
    tally: Counter[tuple[str, str, int]] = Counter()
    followed: Counter[tuple[str, str, int]] = Counter()
    for life in found:
        cause = "" if life.hazard in ABOUT_US else life.cause
        tally[life.hazard, cause, life.severity] += 1
        until = max(life.opened_at + FOLLOWED_MS, life.ended_at)
        followed[life.hazard, cause, life.severity] += any(
            life.opened_at <= level.opened_at <= until or level.open_at(life.opened_at, life.opened_at + 1)
            for level in levels.get(life.station, ())
        )
    return [
        {
            **dict(zip(("hazard", "cause", "severity"), key, strict=True)),
            "alerts": count,
            "followed": followed[key] if key[1] in {"rise", "forecast"} else None,
        }
        for key, count in sorted(tally.items())
    ]


def _standing(found: Iterable[Life], start: int, end: int) -> tuple[float, int]:
    """Mean over time and most of the alerts that were open at once."""
    changes: Counter[int] = Counter()
    for life in found:
        begin, over = max(life.opened_at, start), min(life.ended_at, end)
        if begin < over:
            changes[begin] += 1
            changes[over] -= 1
    now, most, area, before = 0, 0, 0, start
    for at in sorted(changes):
        area += now * (at - before)
        now, before = now + changes[at], at
        most = max(most, now)
    return (area / (end - start) if end > start else 0.0), most


def _chattering(found: Iterable[Life]) -> int:
    by_condition: dict[tuple[str, str, str], list[int]] = {}
    for life in found:
        by_condition.setdefault(life.condition, []).extend(life.told)
    return sum(
        at - times[index - CHATTER + 1] <= CHATTER_MS
        for times in map(sorted, by_condition.values())
        for index, at in enumerate(times)
        if index >= CHATTER - 1
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
