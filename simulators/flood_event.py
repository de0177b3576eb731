"""Reads a published flood: the points that agencies and the press printed come in, rows at a gauge's cadence go out.

A city keeps them in ``events/readings.csv``: event, station, observed_at, level_cm, siaga, source (further columns are
ignored). A Siaga word without a level and a day without an hour give no row and are counted.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from pantau.city import City
from pantau.errors import ConfigError
from pantau.station import Station
from simulators.instant import instant_of, local_instant
from simulators.interpolate import fill
from simulators.row import Recording, Row, in_time_order

__all__ = ["event_names", "read_event"]

_COLUMNS = ("event", "station", "observed_at", "level_cm", "siaga", "source")
_DAY_ONLY = len("2014-01-30")
_Published = dict[int, Row]


def read_event(
    folder: Path,
    city: City,
    name: str,
    *,
    start: str | None = None,
    skip_unknown: bool = False,
    cadence_ms: int | None = None,
) -> Recording:
    """Rows of one flood: published points at their own time, points made by interpolation between them.

    Args:
        folder: the city's.
        name: of the event, or the beginning of it: ``2014-01-29`` finds ``2014-01-29..30``.
        start: begin later than the first point: local time ``22:00`` (the first such time in the event) or RFC 3339.
        skip_unknown: leave out rows of stations that the city does not know and count them.
        cadence_ms: time between the rows of a station; None: the station's own.

    Raises:
        ConfigError: no such event (the text lists them), or rows that cannot be used, each with file and line.
    """
    path = folder / "events" / "readings.csv"
    lines = _lines(path)
    event = _chosen(lines, name, path)
    reader = _Reader(path, city, skip_unknown=skip_unknown)
    for number, fields in lines:
        if fields["event"] == event:
            reader.take(number, fields)
    if reader.problems:
        raise ConfigError(*reader.problems)
    begin = _begin(start, reader.points.values(), city)
    streams = [
        _filled(points, cadence_ms or city.stations[station].cadence_ms, begin)
        for station, points in reader.points.items()
    ]
    rows = list(in_time_order(*streams))
    if not rows:
        raise ConfigError(
            f"{path}: event {event!r} has no reading with a time and a level at or after its start"
        )
    return Recording(
        name=event,
        rows=rows,
        unknown=reader.unknown,
        untimed=reader.untimed,
        without_value=reader.without_value,
    )


def event_names(folder: Path) -> list[str]:
    """Names of the floods that a city's folder holds, in the order of its file; none when it holds no such file.

    Raises:
        ConfigError: the file is there but cannot be used.
    """
    path = folder / "events" / "readings.csv"
    return list(dict.fromkeys(fields["event"] for _, fields in _lines(path))) if path.exists() else []


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(f"{path}:1: column(s) {', '.join(missing)} missing")
            return [
                (reader.line_num, {key: value or "" for key, value in row.items() if key}) for row in reader
            ]
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); a city's floods stand in this file"
        ) from None


def _chosen(lines: list[tuple[int, dict[str, str]]], name: str, path: Path) -> str:
    names = list(dict.fromkeys(fields["event"] for _, fields in lines))
    found = [event for event in names if event == name] or [
        event for event in names if event.startswith(name)
    ]
    if len(found) == 1 and name:
        return found[0]
    what = f"fits several: {', '.join(found)}" if name and found else f"is none of {', '.join(names)}"
    raise ConfigError(f"{path}: event {name!r} {what}")


class _Reader:
    """Sorts the lines of one event into points per station."""

    def __init__(self, path: Path, city: City, *, skip_unknown: bool) -> None:
        self.path = path
        self.city = city
        self.skip_unknown = skip_unknown
        self.points: dict[str, _Published] = {}
        self.problems: list[str] = []
        self.unknown: dict[str, int] = {}
        self.untimed = 0
        self.without_value = 0

    def take(self, number: int, fields: dict[str, str]) -> None:
        """One line of the file."""
        try:
            station = self._station(fields["station"])
            if station is None:
                return
            if not fields["level_cm"]:
                self.without_value += 1
            elif len(fields["observed_at"]) <= _DAY_ONLY:
                self.untimed += 1
            else:
                row = self._row(station, fields)
                # The same instant printed twice: the later line stands, as a store would do it.
                self.points.setdefault(station.id, {})[row.at] = row
        except (ValueError, LookupError) as error:
            self.problems.append(f"{self.path}:{number}: {error}")

    def _station(self, name: str) -> Station | None:
        try:
            return self.city.find(name)
        except LookupError as error:
            if not self.skip_unknown:
                raise LookupError(f"{error} (or give --skip-unknown)") from None
            self.unknown[name] = self.unknown.get(name, 0) + 1
            return None

    def _row(self, station: Station, fields: dict[str, str]) -> Row:
        factor = self.city.kinds[station.kind].units.get("cm")
        if factor is None:
            raise ValueError(
                f"station {station.id!r} measures {station.kind}, expected one that is measured in cm"
            )
        try:
            level = float(fields["level_cm"])
            printed = int(fields["siaga"]) if fields["siaga"] else None
        except ValueError:
            raise ValueError(
                f"level_cm is {fields['level_cm']!r} and siaga {fields['siaga']!r}, expected numbers"
            ) from None
        at = instant_of(fields["observed_at"])
        return Row(
            at, station.id, station.kind, level * factor, printed_siaga=printed, source=fields["source"]
        )


def _begin(start: str | None, published: Iterable[_Published], city: City) -> int | None:
    """Instant of ``start``; a local time means the first such time at or after the event's first point."""
    if start is None:
        return None
    try:
        return local_instant(start, city, min((at for points in published for at in points), default=0))
    except ValueError as error:
        raise ConfigError(f"where to start: {error}") from None


def _filled(published: _Published, cadence_ms: int, begin: int | None) -> list[Row]:
    points = sorted(published.values(), key=lambda row: row.at)
    any_row = points[0]
    return [
        Row(at, any_row.station, any_row.kind, value, interpolated=True) if made else published[at]
        for at, value, made in fill([(row.at, row.value) for row in points], cadence_ms, begin)
    ]
