"""The newest reading and the newest scores of every sensor: written in the pipeline's transaction, read by pages."""

from collections.abc import Iterator, Sequence
from sys import intern
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select

from ingest.store.tables import latest, scores
from ingest.store.upsert import upsert
from pantau.record import LatestRecord, ScoreRecord

__all__ = [
    "latest_of",
    "latest_since",
    "scores_since",
    "sensors_of",
    "upsert_latest",
    "upsert_scores",
]

_AT_ONCE = 500
"""Stations asked for in one statement."""
_FIELDS = LatestRecord.__struct_fields__
_SENSORS = select(latest.c.station, latest.c.sensor).order_by(latest.c.station, latest.c.sensor)
_LATEST = select(*(latest.c[name] for name in _FIELDS))


def upsert_latest(connection: Connection, records: Sequence[LatestRecord]) -> None:
    """Replace the latest values of these sensors; of several for one sensor the last one counts."""
    rows = {(record.station, record.sensor): msgspec.structs.asdict(record) for record in records}
    if rows:
        connection.execute(upsert(connection.dialect.name, latest), list(rows.values()))


def upsert_scores(connection: Connection, records: Sequence[ScoreRecord]) -> None:
    """Replace the newest scores of these sensors and detectors; of several for one the last one counts."""
    rows = {(r.station, r.sensor, r.detector): msgspec.structs.asdict(r) for r in records}
    if rows:
        connection.execute(upsert(connection.dialect.name, scores), list(rows.values()))


def latest_since(connection: Connection, pos: int) -> list[LatestRecord]:
    """Latest values that changed after journal position ``pos`` (-1: all), in the order of change."""
    query = _LATEST.where(latest.c.pos > pos).order_by(latest.c.pos, latest.c.station, latest.c.sensor)
    return list(_records(connection, query))


def latest_of(connection: Connection, stations: Sequence[str]) -> list[LatestRecord]:
    """Latest values of the sensors of these stations."""
    found: list[LatestRecord] = []
    for first in range(0, len(stations), _AT_ONCE):
        query = _LATEST.where(latest.c.station.in_(stations[first : first + _AT_ONCE]))
        found += _records(connection, query)
    return found


def sensors_of(connection: Connection, stations: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Station and sensor of every latest value of these stations."""
    for first in range(0, len(stations), _AT_ONCE):
        query = _SENSORS.where(latest.c.station.in_(stations[first : first + _AT_ONCE]))
        for station, sensor in connection.execute(query):
            yield intern(station), intern(sensor)


def _records(connection: Connection, query: Select[Any]) -> Iterator[LatestRecord]:
    """Row by row: of a large city there are many, and their names are kept once."""
    for row in connection.execute(query, execution_options={"yield_per": 1_000}):
        record = LatestRecord(**dict(zip(_FIELDS, row, strict=True)))
        record.station, record.sensor = intern(record.station), intern(record.sensor)
        record.kind, record.source = intern(record.kind), intern(record.source)
        yield record


def scores_since(connection: Connection, pos: int) -> list[ScoreRecord]:
    """Scores that changed after journal position ``pos`` (-1: all), in the order of change."""
    query = select(scores).where(scores.c.pos > pos).order_by(scores.c.pos, scores.c.station, scores.c.sensor)
    return [ScoreRecord(**row) for row in connection.execute(query).mappings()]
