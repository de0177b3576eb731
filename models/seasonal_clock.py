"""The clocks of a place: an hour since 1970 UTC in, its offset and whether it is a holiday out."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

__all__ = ["Clock"]

_MOST_HOURS = 50_000


class Clock:
    """The city's clocks and holidays, asked once an hour for all sensors.

    Args:
        zone: IANA name.
        holidays: local days.
    """

    def __init__(self, zone: str = "UTC", holidays: Collection[date] = ()) -> None:
        self._zone = ZoneInfo(zone)
        self._holidays = frozenset(holidays)
        self._hours: dict[int, tuple[int, bool]] = {}

    def at(self, hour: int) -> tuple[int, bool]:
        """Offset from UTC in ms, and whether it is a holiday, in an hour counted since 1970 UTC."""
        found = self._hours.get(hour)
        if found is None:
            local = datetime.fromtimestamp(hour * 3_600, UTC).astimezone(self._zone)
            ahead = local.utcoffset()
            offset = 0 if ahead is None else round(ahead.total_seconds() * 1000)
            if len(self._hours) > _MOST_HOURS:
                self._hours.clear()
            found = self._hours[hour] = (offset, local.date() in self._holidays)
        return found
