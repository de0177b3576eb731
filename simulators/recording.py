"""Reads a recording: a CSV file ``time,station,value,unit`` comes in, rows in time order go out.

Times are RFC 3339 with an offset, stations are called by id, name or alias, units are any that the station's kind
knows. Further columns are ignored. Nothing is guessed: what cannot be read is an error with its file and line.
"""

import csv
from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from pantau.city import City
from pantau.errors import ConfigError
from pantau.station import Station
from simulators.instant import instant_of
from simulators.row import Recording, Row

__all__ = ["Recording", "Row", "read_recording"]

_COLUMNS = ("time", "station", "value", "unit")
_MOST_PROBLEMS = 20
"""After so many complaints the file is the wrong one, and more lines would not help."""
_SKIP = "or give --skip-unknown"


def read_recording(path: Path, city: City, *, skip_unknown: bool = False, remedy: str = _SKIP) -> Recording:
    """All rows of a file, in time order (rows of one instant as they stand in the file).

    Args:
        skip_unknown: leave out rows of stations that the city does not know and count them in ``unknown``.
        remedy: what whoever called may do about unknown stations, for the error.

    Raises:
        ConfigError: the file cannot be read, or rows are wrong: file, line, what was found, what was expected.
    """
    reader = _Reader(path, city, skip_unknown=skip_unknown)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(reader.rows(csv.reader(lines)))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: is not a CSV file in UTF-8 ({error})") from None
    problems = reader.problems + reader.strangers(remedy)
    if problems:
        raise ConfigError(*problems)
    rows.sort(key=lambda row: row.at)
    return Recording(name=path.name, rows=rows, unknown=reader.unknown)


class _Reader:
    """Reads lines of one file; names and units are looked up once each."""

    def __init__(self, path: Path, city: City, *, skip_unknown: bool) -> None:
        self.path = path
        self.city = city
        self.skip_unknown = skip_unknown
        self.problems: list[str] = []
        self.unknown: dict[str, int] = {}
        self._first: dict[str, tuple[int, str]] = {}
        self._stations: dict[str, Station] = {}
        self._factors: dict[tuple[str, str], float] = {}

    def rows(self, lines: Iterator[list[str]]) -> Iterator[Row]:
        header = next(lines, [])
        missing = [name for name in _COLUMNS if name not in header]
        if missing:
            self.problems.append(
                f"{self.path}:1: column(s) {', '.join(missing)} missing; expected {','.join(_COLUMNS)} in the header"
            )
            return
        places = [header.index(name) for name in _COLUMNS]
        for number, fields in enumerate(lines, start=2):
            if not fields:
                continue
            try:
                row = self._row(number, *[fields[place].strip() for place in places])
            except IndexError:
                self._complain(number, f"{len(fields)} fields, expected {len(header)}")
            except ValueError as error:
                self._complain(number, str(error))
            else:
                if row is not None:
                    yield row
            if len(self.problems) >= _MOST_PROBLEMS:
                self.problems.append(f"{self.path}: more problems may follow; the rest was not read")
                return

    def strangers(self, remedy: str) -> list[str]:
        """One line a station that the city does not know: where it stands first, and how many rows it has."""
        told = [
            f"{self.path}:{line}: {what}; {self.unknown[name]} row{'s' * (self.unknown[name] != 1)} of it in the file "
            f"({remedy})"
            for name, (line, what) in self._first.items()
        ]
        more = len(told) - _MOST_PROBLEMS
        return (
            told if more <= 0 else [*told[:_MOST_PROBLEMS], f"{self.path}: {more} more stations are unknown"]
        )

    def _row(self, line: int, time: str, name: str, number: str, unit: str) -> Row | None:
        station = self._stations.get(name) or self._station(line, name)
        if station is None:
            return None
        try:
            value = float(number)
        except ValueError:
            raise ValueError(f"value is {number!r}, expected a number") from None
        if not isfinite(value):
            raise ValueError(f"value is {number!r}, expected a finite number")
        factor = self._factors.get((station.kind, unit)) or self._factor(station.kind, unit)
        # A millimetre file must not bring 142.70000000000002 cm.
        return Row(
            instant_of(time), station.id, station.kind, value if factor == 1 else round(value * factor, 6)
        )

    def _station(self, line: int, name: str) -> Station | None:
        if name in self.unknown:
            self.unknown[name] += 1
            return None
        try:
            station = self.city.find(name)
        except LookupError as error:
            if not self.skip_unknown:
                self._first[name] = (line, str(error.args[0]))
            self.unknown[name] = 1
            return None
        self._stations[name] = station
        return station

    def _factor(self, kind_name: str, unit: str) -> float:
        kind = self.city.kinds[kind_name]
        factor = kind.units.get(unit or kind.unit)
        if factor is None:
            raise ValueError(f"unit is {unit!r}, {kind_name} accepts {', '.join(kind.units)}")
        self._factors[kind_name, unit] = factor
        return factor

    def _complain(self, number: int, what: str) -> None:
        self.problems.append(f"{self.path}:{number}: {what}")
