"""The snapshot: all stations as of one instant, rendered once for everybody.

Records go in, bytes ready to send come out. It is rendered again when the board's position changes, when a station goes
out of service or comes back, and when a value becomes stale; a request never waits for that.
"""

import gzip
from hashlib import blake2b
from typing import Any

import msgspec

from pantau.city import City
from pantau.forms import rfc3339, stale_at, station_properties
from pantau.record import LatestRecord
from pantau.station import Station
from status.board import Board, OutOfService

__all__ = ["Snapshot", "Stations", "feature"]

_NEVER = 1 << 62


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Stations as of ``as_of`` (ms), change number ``position``.

    Attributes:
        properties: of each station, by id.
        out_of_service: stations under repair with the operator's note.
        body, packed: the GeoJSON FeatureCollection, plain and gzipped.
        changed: ids of the stations whose properties differ from the snapshot before, apart from their age.
    """

    as_of: int
    position: int
    properties: dict[str, dict[str, Any]]
    out_of_service: dict[str, str]
    body: bytes
    packed: bytes
    etag: str
    changed: tuple[str, ...]


class Stations:
    """Keeps the newest records of all stations and renders snapshots of them. Used by one thread at a time."""

    def __init__(self, board: Board, city: City, *, exercise: bool, slack_ms: int = 0) -> None:
        self._board, self._city, self._exercise, self._slack_ms = board, city, exercise, slack_ms
        self._records: dict[str, dict[str, LatestRecord]] = {}
        self._out: dict[str, OutOfService] = {}
        self._position = -1
        self._stale_next = _NEVER
        self._snapshot: Snapshot | None = None

    def refresh(self, now: int) -> Snapshot:
        """The snapshot as of now: the former one when nothing changed.

        Args:
            now: ms on the service's clock.
        """
        position, out = self._board.position(), self._board.out_of_service()
        former = self._snapshot
        if former and position == self._position and out == self._out and now <= self._stale_next:
            return former
        if former is None or position != self._position:
            for record in self._board.latest_since(self._position):
                self._records.setdefault(record.station, {})[record.sensor] = record
        self._position, self._out = position, out
        self._snapshot = self._render(now, former)
        return self._snapshot

    def records(self, station: str) -> list[LatestRecord]:
        """Newest record of each sensor of a station, by sensor's name."""
        return sorted(self._records.get(station, {}).copy().values(), key=lambda record: record.sensor)

    def heard_at(self) -> int | None:
        """When the newest value of all came (ms), None when none ever did."""
        sensors = list(self._records.values())
        return max((record.received_at for one in sensors for record in list(one.values())), default=None)

    def _render(self, now: int, former: Snapshot | None) -> Snapshot:
        properties = {station.id: self._properties(station, now) for station in self._city.stations.values()}
        self._stale_next = self._next_stale(now)
        stations = self._city.stations
        body = msgspec.json.encode(
            {
                "type": "FeatureCollection",
                "as_of": rfc3339(now),
                "exercise": self._exercise,
                "features": [feature(stations[name], values) for name, values in properties.items()],
            }
        )
        return Snapshot(
            as_of=now,
            position=self._position,
            properties=properties,
            out_of_service={name: out.note for name, out in self._out.items()},
            body=body,
            packed=gzip.compress(body, 6, mtime=0),
            etag=f'W/"{blake2b(body, digest_size=9).hexdigest()}"',
            changed=_differences(former.properties if former else {}, properties),
        )

    def _properties(self, station: Station, now: int) -> dict[str, Any]:
        out = self._out.get(station.id)
        return station_properties(
            station,
            list(self._records.get(station.id, {}).values()),
            self._city,
            now,
            out_of_service=out.note if out else None,
            exercise=self._exercise,
            slack_ms=self._slack_ms,
        )

    def _next_stale(self, now: int) -> int:
        """Last instant at which every value that is current now still is."""
        stations = self._city.stations
        instants = (
            stale_at(stations[name], record.observed_at) + self._slack_ms
            for name, records in self._records.items()
            if name in stations
            for record in records.values()
        )
        return min((at for at in instants if at >= now), default=_NEVER)


def feature(station: Station, properties: dict[str, Any]) -> dict[str, Any]:
    """A GeoJSON Feature; a station without coordinates has a null geometry."""
    located = station.lat is not None and station.lon is not None
    geometry = {"type": "Point", "coordinates": [station.lon, station.lat]} if located else None
    return {"type": "Feature", "id": station.id, "geometry": geometry, "properties": properties}


def _differences(former: dict[str, dict[str, Any]], properties: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        name
        for name, values in properties.items()
        if name not in former or {**former[name], "age_s": values["age_s"]} != values
    )
