"""Instants and durations as people write them, as milliseconds."""

import re
from datetime import datetime, timedelta

from pantau.city import City

__all__ = ["duration_of", "instant_of", "local_instant"]

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_DURATION = re.compile(r"([+-]?\d+(?:\.\d+)?)(ms|s|m|h|d)")
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def instant_of(text: str) -> int:
    """An RFC 3339 time with an offset as ms since 1970 UTC.

    Raises:
        ValueError: it is none; the text says what was expected.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"time is {text!r}, expected RFC 3339 such as 2026-01-02T03:04:05Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no offset; write Z for UTC or e.g. +07:00")
    return round(moment.timestamp() * 1000)


def local_instant(text: str, city: City, not_before: int) -> int:
    """A local time ``22:00`` (the first one at or after ``not_before``, ms), or RFC 3339, as ms since 1970 UTC.

    Raises:
        ValueError: it is neither.
    """
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        try:
            return instant_of(text)
        except ValueError as error:
            raise ValueError(f"{error}, or a local time such as 22:00") from None
    first = city.local(not_before)
    moment = first.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
    if moment < first:
        moment += timedelta(days=1)
    return round(moment.timestamp() * 1000)


def duration_of(text: str) -> int:
    """``90s``, ``10m``, ``2h``, ``-1.5d`` as ms.

    Raises:
        ValueError: it is none.
    """
    parts = _DURATION.fullmatch(text)
    if parts is None:
        raise ValueError(f"duration is {text!r}, expected a number with ms, s, m, h or d, e.g. 10m")
    return round(float(parts[1]) * _MILLISECONDS[parts[2]])
