"""The snapshot: all stations as of one instant, rendered once for everybody.

Records go in, bytes ready to send come out. It is rendered again when the board's position changes, when a station goes
out of service or comes back, and when a value becomes stale; a request never waits for that. Of a large city only the
packed bytes are kept: its properties are made again from the same records for those who ask.
"""

import gzip
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any

import msgspec

from pantau.city import City
from pantau.forms import rfc3339, stale_at, station_properties
from pantau.record import LatestRecord, Newest
from pantau.station import Station
from status.board import Board, OutOfService

__all__ = ["LARGE", "Snapshot", "Stations", "feature"]

LARGE = 5_000
"""Stations from which on neither properties (1 kB each) nor the plain body (400 bytes each) are kept."""
_NEVER = 1 << 62
_AT_ONCE = 1_000
"""Stations that are packed together."""
_GZIP = 31
"""To zlib: the largest window, in gzip's own frame, as gzip.compress asks for it."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Stations as of ``as_of`` (ms), change number ``position``.

    Attributes:
        properties: of each station, by id.
        states: how many stations are in each state.
        out_of_service: stations under repair with the operator's note.
        packed: the GeoJSON FeatureCollection, gzipped.
        changed: ids of the stations whose properties differ from the snapshot before, apart from their age.
        marks: a number for each station, in the city's order, that differs when these properties do.
        plain: the collection as it is, None when it is large.
    """

    as_of: int
    position: int
    properties: Mapping[str, dict[str, Any]]
    states: Mapping[str, int]
    out_of_service: dict[str, str]
    packed: bytes
    etag: str
    changed: tuple[str, ...]
    marks: Sequence[int]
    plain: bytes | None

    @property
    def body(self) -> bytes:
        """The GeoJSON FeatureCollection; unpacked for hardly anybody, since every browser takes it packed."""
        return gzip.decompress(self.packed) if self.plain is None else self.plain


class _Made(Mapping[str, dict[str, Any]]):
    """Properties of a large city's stations, made when asked for."""

    def __init__(self, stations: Mapping[str, Station], make: partial[dict[str, Any]]) -> None:
        self._stations, self._make = stations, make

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._make(self._stations[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._stations)

    def __len__(self) -> int:
        return len(self._stations)

    def __contains__(self, name: object) -> bool:
        return name in self._stations


class Stations:
    """Keeps the newest records of all stations and renders snapshots of them. Used by one thread at a time."""

    def __init__(self, board: Board, city: City, *, exercise: bool) -> None:
        self._board, self._city, self._exercise = board, city, exercise
        self._slack_ms = 0
        self._records = Newest()
        self._out: dict[str, OutOfService] = {}
        self._position = -1
        self._stale_next = _NEVER
        self._snapshot: Snapshot | None = None

    def refresh(self, now: int, slack_ms: int = 0) -> Snapshot:
        """The snapshot as of now: the former one when nothing changed.

        Args:
            now: ms on the service's clock.
            slack_ms: of that clock as it runs now; an exercise may go on at another speed.
        """
        position, out = self._board.position(), self._board.out_of_service()
        former = self._snapshot
        is_same = position == self._position and out == self._out and slack_ms == self._slack_ms
        if former and is_same and now <= self._stale_next:
            return former
        if former is None or position != self._position:
            self._records.add(self._board.latest_since(self._position))
        self._position, self._out, self._slack_ms = position, out, slack_ms
        self._snapshot = self._render(now, former)
        return self._snapshot

    def records(self, station: str) -> list[LatestRecord]:
        """Newest record of each sensor of a station, by sensor's name."""
        return sorted(self._records.of(station), key=lambda record: record.sensor)

    def heard_at(self) -> int | None:
        """When the newest value of all came (ms), None when none ever did."""
        sensors = list(self._records.values())
        return max((record.received_at for one in sensors for record in one), default=None)

    def _render(self, now: int, former: Snapshot | None) -> Snapshot:
        stations, out = self._city.stations, {name: out.note for name, out in self._out.items()}
        large = len(stations) >= LARGE
        self._stale_next = self._next_stale(now)
        records = self._records.copy() if large else self._records
        make = partial(self._properties, records, out, now, self._slack_ms)
        kept: dict[str, dict[str, Any]] = {}
        marks, states = array("q"), Counter[str]()
        head = {
            "type": "FeatureCollection",
            "as_of": rfc3339(now),
            "exercise": self._exercise,
            "features": [],
        }
        pack = _Pack(msgspec.json.encode(head)[:-2], keep=not large)
        for station in stations.values():
            properties = make(station)
            states[properties["state"]] += 1
            marks.append(_mark(properties))
            pack.add(feature(station, properties))
            if not large:
                kept[station.id] = properties
        packed, digest, plain = pack.end(b"]}")
        before = former.marks if former else ()
        return Snapshot(
            as_of=now,
            position=self._position,
            properties=_Made(stations, make) if large else kept,
            states=states,
            out_of_service=out,
            packed=packed,
            etag=f'W/"{digest}"',
            changed=tuple(stations)
            if not before
            else tuple(name for name, old, new in zip(stations, before, marks, strict=True) if old != new),
            marks=marks,
            plain=plain,
        )

    def _properties(
        self, records: Newest, out: Mapping[str, str], now: int, slack_ms: int, station: Station
    ) -> dict[str, Any]:
        return station_properties(
            station,
            records.of(station.id),
            self._city,
            now,
            out_of_service=out.get(station.id),
            exercise=self._exercise,
            slack_ms=slack_ms,
        )

    def _next_stale(self, now: int) -> int:
        """Last instant at which every value that is current now still is."""
        stations = self._city.stations
        instants = (
            stale_at(stations[name], record.observed_at) + self._slack_ms
            for name, records in self._records.items()
            if name in stations
            for record in records
        )
        return min((at for at in instants if at >= now), default=_NEVER)


def feature(station: Station, properties: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON Feature; a station without coordinates has a null geometry."""
    located = station.lat is not None and station.lon is not None
    geometry = {"type": "Point", "coordinates": [station.lon, station.lat]} if located else None
    return {"type": "Feature", "id": station.id, "geometry": geometry, "properties": properties}


def _mark(properties: dict[str, Any]) -> int:
    """A number that differs, but for one chance in 10^19, when the properties do; their age does not count."""
    return hash(msgspec.msgpack.encode(properties | {"age_s": None}))


class _Pack:
    """A JSON array, packed item by item: the plain text of a large city would be tens of megabytes.

    Args:
        head: JSON up to the array's bracket, included.
        keep: whether the plain text is wanted, too.
    """

    def __init__(self, head: bytes, *, keep: bool) -> None:
        self._items: list[bytes] = []
        self._comma = b""
        self._packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
        self._packed: list[bytes] = []
        self._plain: list[bytes] | None = [] if keep else None
        self._digest = blake2b(digest_size=9)
        self._write(head)

    def add(self, item: object) -> None:
        """The next item of the array."""
        self._items.append(msgspec.json.encode(item))
        if len(self._items) >= _AT_ONCE:
            self._flush()

    def end(self, tail: bytes) -> tuple[bytes, str, bytes | None]:
        """What comes after the last item; returns the whole packed, its digest, and the plain text if it is kept."""
        self._flush()
        self._write(tail)
        packed = b"".join([*self._packed, self._packer.flush()])
        return packed, self._digest.hexdigest(), None if self._plain is None else b"".join(self._plain)

    def _flush(self) -> None:
        if self._items:
            self._write(self._comma + b",".join(self._items))
            self._items, self._comma = [], b","

    def _write(self, text: bytes) -> None:
        self._digest.update(text)
        self._packed.append(self._packer.compress(text))
        if self._plain is not None:
            self._plain.append(text)
