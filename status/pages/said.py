"""What detectors said, for readers of a page: their English in, the same with its instants on the city's clock out.

Detectors know no city. A reason that names an instant names it as ``2014-01-29 15:10 UTC``, or ``15:10 UTC`` for one
within twelve hours of the score (docs/models.md); shown as it is, it would be some hours away from every other time on
the page.
"""

import re
from datetime import UTC, datetime

from pantau.city import City
from status.pages.rows import clock_text
from status.pages.words import Words

__all__ = ["beyond_numbers", "on_the_citys_clock"]

_INSTANT = re.compile(r"\b(?:(\d{4}-\d\d-\d\d) )?([01]\d|2[0-3]):([0-5]\d) UTC\b")
_DAY_MS = 86_400_000


def on_the_citys_clock(reason: str, at: int, now: int, city: City, client: Words) -> str:
    """A reason with every instant as ``clock_text`` writes it; a date that is none stays as it was.

    Args:
        at: of the score, ms: an instant without a date is the one nearest to it.
    """

    def told(found: re.Match[str]) -> str:
        instant = _instant(found, at)
        return found[0] if instant is None else clock_text(instant, now, city, client)

    return _INSTANT.sub(told, reason)


def beyond_numbers(reason: str) -> str:
    """Of a forecast's reason what its outlook does not hold: the part after the first ``; ``, empty without one."""
    return reason.partition("; ")[2]


def _instant(found: re.Match[str], at: int) -> int | None:
    day, hours, minutes = found[1], int(found[2]), int(found[3])
    if day is None:
        since_midnight = (60 * hours + minutes) * 60_000
        nearest = (at - since_midnight + _DAY_MS // 2) // _DAY_MS * _DAY_MS
        return nearest + since_midnight
    try:
        midnight = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(midnight.timestamp()) * 1000 + (60 * hours + minutes) * 60_000
