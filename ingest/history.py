"""A row of history becomes a reading, or is refused with what was found, what was expected and what to do.

History is not judged: it was never live. Only what cannot be is flagged (the range of station and kind); a flag that
the row brings is kept.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime
from math import isfinite, isnan
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ingest.complaint import shown
from ingest.stamp import LATEST
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.forms import rfc3339
from pantau.quality import FUTURE_MS, Limits
from pantau.reading import MAIN, Flag, Reading
from pantau.station import Station

__all__ = ["HistoryReader"]

_FLAGS = {int(flag) for flag in Flag}
_EARLIEST = -2_208_988_800_000
"""The year 1900: no gauge of ours is older, so an older time is another column or another unit."""
_SECONDS = 100_000_000_000
"""A number below this is March 1973 in milliseconds, and nearly always seconds by mistake."""
_NUMBER = re.compile(r"[+-]?\d{1,18}")
_LONGEST_DAY = len("2026-01-02")
_MAX_NAME = 100
_MOST_UNKNOWN = 1000


class _Place(NamedTuple):
    """A station as rows call it."""

    station: Station
    limits: Limits
    units: dict[str, float]


class HistoryReader:
    """Reads rows of one import.

    Args:
        city: names, ids and aliases of stations; kinds and their units.
        received_at: when the import began, ms: readings bear it, and none may lie after it.
        zone: of times without an offset; without it they are refused.
        station: of rows that name none.
        unit: of rows that say none; empty: the kind's own.
    """

    def __init__(
        self, city: City, received_at: int, *, zone: ZoneInfo | None = None, station: str = "", unit: str = ""
    ) -> None:
        self._city = city
        self._received_at = received_at
        self._zone = zone
        self._station = station
        self._unit = unit
        self._places: dict[str, _Place] = {}
        self._unknown: dict[str, str] = {}

    def reading(self, cells: Sequence[Any]) -> Reading | None:
        """The reading of a row (cells in the order of ``ingest.rows.COLUMNS``), None when it has no value.

        Raises:
            RefusedMessage: the row cannot be used.
        """
        name, sensor, kind, observed_at, value, unit, flag, reason = cells
        place = self._place(self._station if name is None else str(name))
        if kind is not None and kind != place.station.kind:
            raise RefusedMessage(
                "wrong_kind",
                f"station {place.station.id} measures {place.station.kind}, the row says {shown(kind)}: "
                "correct the row, or name the station that measures it",
            )
        at = self._instant(observed_at)
        number = _number(value)
        if number is None:
            return None
        number = self._converted(number, place, unit)
        limits, said = place.limits, _flag(flag)
        because = "" if reason is None or said == Flag.GOOD else str(reason)
        if not limits.low <= number <= limits.high:
            said = Flag.FAIL
            because = f"{number:g} {limits.unit} is outside {limits.low:g} to {limits.high:g} {limits.unit}"
        return Reading(
            place.station.id, place.station.kind, number, at, self._received_at, _sensor(sensor),
            flag=int(said), reason=because, historical=True,
        )  # fmt: skip

    def _place(self, name: str) -> _Place:
        place = self._places.get(name)
        if place is not None:
            return place
        why = self._unknown.get(name)
        if why is None:
            try:
                station = self._city.find(name)
            except LookupError as error:
                if len(self._unknown) >= _MOST_UNKNOWN:  # a column of something else
                    self._unknown.clear()
                why = self._unknown[name] = str(error)
            else:
                kind = self._city.kinds[station.kind]
                place = self._places[name] = _Place(station, Limits.of(station, kind), dict(kind.units))
                return place
        raise RefusedMessage("unknown_station", why)

    def _converted(self, number: float, place: _Place, unit: Any) -> float:
        said = self._unit if unit is None else str(unit)
        if not said:
            return number
        factor = place.units.get(said)
        if factor is None:
            raise RefusedMessage(
                "wrong_unit",
                f"unit is {shown(said)}: {place.station.kind} takes {', '.join(place.units)}; use one of these, "
                f"or none for {place.limits.unit}",
            )
        # A millimetre file must not bring 142.70000000000002 cm.
        return number if factor == 1 else round(number * factor, 6)

    def _instant(self, given: Any) -> int:
        at = self._milliseconds(given.strip() if isinstance(given, str) else given)
        if at > self._received_at + FUTURE_MS:
            raise RefusedMessage(
                "in_future",
                f"observed_at is {shown(given)}, later than now ({rfc3339(self._received_at)}): "
                "history lies behind us; check the time zone",
            )
        if at < _EARLIEST:
            raise RefusedMessage("bad_time", f"observed_at is {shown(given)}, before 1900: check the column")
        return at

    def _milliseconds(self, given: Any) -> int:
        if isinstance(given, str) and not _NUMBER.fullmatch(given):
            given = _moment(given)
        if isinstance(given, datetime):
            return self._zoned(given)
        if isinstance(given, date):
            raise RefusedMessage("bad_time", f"observed_at is {given}, a day without a time: {_EXPECTED}")
        if given is None or isinstance(given, bool):
            raise RefusedMessage("bad_time", f"observed_at is missing: {_EXPECTED}")
        if isinstance(given, float) and not given.is_integer():
            raise RefusedMessage(
                "bad_time", f"observed_at is {given!r}: epoch milliseconds are whole numbers"
            )
        number = int(given)
        if 0 <= number < _SECONDS:
            raise RefusedMessage(
                "bad_time",
                f"observed_at is {number}: looks like seconds or a day, expected epoch milliseconds",
            )
        if number > LATEST:
            raise RefusedMessage("bad_time", f"observed_at is {number}, after the year 9999: {_EXPECTED}")
        return number

    def _zoned(self, moment: datetime) -> int:
        if moment.tzinfo is None:
            if self._zone is None:
                raise RefusedMessage(
                    "naive_time",
                    f"observed_at {moment.isoformat()} has no offset: write one (Z, +07:00), or give --timezone",
                )
            first, second = (moment.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
            if first.utcoffset() != second.utcoffset():
                raise RefusedMessage(
                    "naive_time",
                    f"observed_at {moment.isoformat()} exists twice or not at all in {self._zone.key} (clocks "
                    "were changed): write it with its offset",
                )
            moment = first
        return round(moment.timestamp() * 1000)


_EXPECTED = "expected RFC 3339 with an offset (2026-01-02T03:04:05Z) or epoch milliseconds"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RefusedMessage("bad_time", f"observed_at is {shown(text)}: {_EXPECTED}") from None
    if len(text) <= _LONGEST_DAY:
        raise RefusedMessage("bad_time", f"observed_at is {shown(text)}, a day without a time: {_EXPECTED}")
    return moment


def _number(given: Any) -> float | None:
    if given is None or (isinstance(given, float) and isnan(given)):
        return None
    try:
        number = float("" if isinstance(given, bool) or "_" in str(given) else given)
    except (ValueError, TypeError, OverflowError):
        raise RefusedMessage(
            "bad_value", f"value is {shown(given)}: expected a number such as 123.4 (a point, not a comma)"
        ) from None
    if not isfinite(number):
        raise RefusedMessage("bad_value", f"value is {shown(given)}: expected a finite number")
    return number


def _flag(given: Any) -> Flag:
    if given is None:
        return Flag.NOT_EVALUATED
    try:
        return Flag(int(given))
    except (ValueError, TypeError):
        flags = ", ".join(f"{flag.value} {flag.name}" for flag in Flag)
        raise RefusedMessage("bad_flag", f"flag is {shown(given)}: expected {flags}, or nothing") from None


def _sensor(given: Any) -> str:
    if given is None:
        return MAIN
    name = str(given)
    if not name or len(name) > _MAX_NAME or not name.isprintable():
        raise RefusedMessage(
            "bad_sensor",
            f"sensor is {shown(given)}: a sensor's name has 1 to {_MAX_NAME} printable characters",
        )
    return name
