"""What a model learns from: a recording or the kept readings in, histories by kind and sensor out."""

from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

import msgspec

from app.settings import Settings
from pantau.city import FAR_FUTURE, FAR_PAST, City
from pantau.errors import ConfigError
from pantau.forms import rfc3339
from pantau.ports import ReadingStore
from pantau.reading import MAIN, Flag, Reading
from pantau.station import Station
from simulators.instant import instant_of

__all__ = ["Histories", "Period", "from_file", "from_store", "instant_or_day"]

Histories = dict[str, dict[str, tuple[list[int], list[float]]]]
"""Kind -> sensor (``station`` or ``station/sensor``) -> (instants in ms since 1970 UTC, values)."""
_PAGE = 100_000


class Period(msgspec.Struct, frozen=True):
    """From ``start`` (inclusive) to ``end`` (exclusive), ms since 1970 UTC."""

    start: int = FAR_PAST
    end: int = FAR_FUTURE


def instant_or_day(text: str, option: str, city: City) -> int:
    """An RFC 3339 time, or a day that begins at midnight on the city's clocks, as ms since 1970 UTC.

    Raises:
        ConfigError: it is neither.
    """
    try:
        if len(text) == len("2026-01-02"):
            return round(datetime.combine(date.fromisoformat(text), time(), city.zone).timestamp() * 1000)
        return instant_of(text)
    except ValueError:
        raise ConfigError(
            f"{option} is {text!r}, expected a day such as 2026-01-02 or a time such as 2026-01-02T03:04:05Z"
        ) from None


def from_file(file: Path, city: City, period: Period) -> Histories:
    """Readings of a recording.

    Raises:
        ConfigError: it cannot be read, or holds nothing of the period.
    """
    from simulators.recording import read_recording

    recording = read_recording(file, city, remedy="leave them out of the file")
    found: Histories = {}
    for row in recording.rows:
        if period.start <= row.at < period.end:
            _note(found, row.kind, _name(row.station, row.sensor), row.at, row.value)
    if recording.rows and not found:
        raise ConfigError(
            f"{file}: has no reading between --start and --end: it goes from {rfc3339(recording.start)} to "
            f"{rfc3339(recording.end)}"
        )
    return found


def from_store(settings: Settings, city: City, period: Period) -> Histories:
    """Everything kept of the city's stations, but what quality control refused (FAIL)."""
    from app.database import migrate, open_engine
    from app.wiring import open_store

    engine = open_engine(settings.database_url, settings.data)
    migrate(engine)
    kept = open_store(settings, engine, city)
    found: Histories = {}
    for station in city.stations.values():
        for reading in _all_of(kept, station, period):
            if reading.flag != Flag.FAIL:
                name = _name(station.id, reading.sensor)
                _note(found, station.kind, name, reading.observed_at, reading.value)
    return found


def _all_of(kept: ReadingStore, station: Station, period: Period) -> Iterator[Reading]:
    """Page by page; the instant on which a page ends comes twice, which ``series_of`` removes."""
    start, full = max(period.start, 0), True
    while full:
        page = kept.read(station.id, station.kind, start=start, end=period.end, limit=_PAGE)
        yield from page
        full = len(page) == _PAGE
        start = page[-1].observed_at if page else start


def _note(found: Histories, kind: str, sensor: str, at: int, value: float) -> None:
    times, values = found.setdefault(kind, {}).setdefault(sensor, ([], []))
    times.append(at)
    values.append(value)


def _name(station: str, sensor: str) -> str:
    return station if sensor == MAIN else f"{station}/{sensor}"
