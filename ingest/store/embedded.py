"""Readings in the one database (SQLite or PostgreSQL), table ``readings``; its primary key is a reading's identity."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from ingest.store.identity import EverythingRefusedError, Identity, bisect, identity, newest
from ingest.store.tables import readings as table
from ingest.store.upsert import upsert
from pantau.errors import Unavailable
from pantau.reading import Flag, Reading

__all__ = ["EmbeddedStore"]

# The keys go in as one JSON text: as thousands of parameters SQLAlchemy spends more on them than the database, and
# SQLite answers `(a, b, c, d) IN (VALUES ...)` by a walk over the whole table.
_EXISTING = {
    "sqlite": text("""
        SELECT r.station, r.sensor, r.kind, r.observed_at, r.value FROM json_each(:keys) AS k CROSS JOIN readings AS r
        WHERE r.station = json_extract(k.value, '$[0]') AND r.sensor = json_extract(k.value, '$[1]')
        AND r.kind = json_extract(k.value, '$[2]') AND r.observed_at = json_extract(k.value, '$[3]')"""),
    "postgresql": text("""
        SELECT r.station, r.sensor, r.kind, r.observed_at, r.value FROM jsonb_array_elements(CAST(:keys AS jsonb)) AS k
        JOIN readings AS r ON r.station = k.value ->> 0 AND r.sensor = k.value ->> 1
        AND r.kind = k.value ->> 2 AND r.observed_at = CAST(k.value ->> 3 AS bigint)"""),
}
_NAMES = [column.name for column in table.columns]


class EmbeddedStore:
    """See ``pantau.ports.ReadingStore``.

    Args:
        engine: opened by ``app.database``; each call is a transaction of its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        # Compiled once and given to the driver as it is: a quarter of what SQLAlchemy's own way costs a row.
        compiled = upsert(engine.dialect.name, table).compile(dialect=engine.dialect)
        self._upsert = str(compiled)
        self._positional = compiled.positional

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        """Store a batch; returns the readings the database will never take, each with its reason.

        Raises:
            Unavailable: the database is locked or away; nothing of the batch is known to be stored.
        """
        try:
            return bisect(newest(readings), self._attempt)
        except EverythingRefusedError as error:
            raise Unavailable("database", f"every reading is refused: {error}") from error

    def kept_from(self) -> int:
        """0: everything is kept."""
        return 0

    def existing(self, readings: Iterable[Reading]) -> dict[Identity, float]:
        """Values already stored under the keys of these readings."""
        keys = {identity(reading) for reading in readings}
        if not keys:
            return {}
        with self._reading() as connection:
            rows = connection.execute(_EXISTING[self._engine.dialect.name], {"keys": json.dumps(list(keys))})
            return {(row[0], row[1], row[2], row[3]): row[4] for row in rows}

    def read(
        self,
        station: str,
        kind: str,
        *,
        start: int,
        end: int,
        sensor: str | None = None,
        limit: int = 100_000,
    ) -> list[Reading]:
        """History, oldest first (then by sensor); ``start`` inclusive, ``end`` exclusive, at most ``limit``."""
        with self._reading() as connection:
            sensors = [sensor] if sensor is not None else list(_sensors(connection, station))
            query = _history(select(table), station, kind, start, end).where(table.c.sensor.in_(sensors))
            rows = connection.execute(query.order_by(table.c.observed_at, table.c.sensor).limit(limit))
            return [_reading(row) for row in rows]

    def downsample(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str = "main"
    ) -> list[dict[str, Any]]:
        """Buckets of ``every_ms`` aligned to 1970: dicts of at (ms), min, mean, max, count; FAIL readings left out."""
        at = (table.c.observed_at - table.c.observed_at % every_ms).label("at")
        value = table.c.value
        what = select(
            at,
            func.min(value).label("min"),
            func.avg(value).label("mean"),
            func.max(value).label("max"),
            func.count().label("count"),
        )
        query = _history(what, station, kind, start, end).where(
            table.c.sensor == sensor, table.c.flag != Flag.FAIL
        )
        with self._reading() as connection:
            return [dict(row) for row in connection.execute(query.group_by(at).order_by(at)).mappings()]

    def _attempt(self, readings: Sequence[Reading]) -> str:
        rows: list[Any] = [
            (r.station, r.sensor, r.kind, r.observed_at, r.value, int(r.flag), r.reason, r.received_at)
            for r in readings
        ]
        if not self._positional:
            rows = [dict(zip(_NAMES, row, strict=True)) for row in rows]
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(self._upsert, rows)
        except (OperationalError, InterfaceError) as error:
            raise _away(error) from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise _away(error) from error
            return f"the database refuses it: {error.orig}"
        return ""

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(reading=True) as connection:
                yield connection
        except (OperationalError, InterfaceError) as error:
            raise _away(error) from error


def _away(error: DBAPIError) -> Unavailable:
    return Unavailable("database", str(error.orig).strip())


def _history(query: Select[Any], station: str, kind: str, start: int, end: int) -> Select[Any]:
    at = table.c.observed_at
    return query.where(table.c.station == station, table.c.kind == kind, at >= start, at < end)


def _sensors(connection: Connection, station: str) -> Iterator[str]:
    """Sensors of a station, one look into the primary key each instead of a walk over its whole history."""
    query = select(func.min(table.c.sensor)).where(table.c.station == station)
    sensor = connection.execute(query).scalar()
    while sensor is not None:
        yield sensor
        sensor = connection.execute(query.where(table.c.sensor > sensor)).scalar()


def _reading(row: Row[Any]) -> Reading:
    return Reading(row.station, row.kind, row.value, row.observed_at, row.received_at, row.sensor,
                   flag=row.flag, reason=row.reason)  # fmt: skip
