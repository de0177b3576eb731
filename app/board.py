"""The board of the pages, on the database: ``status.board.Board`` with the stores of ingest and alerts behind it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, func, select, union_all

from alerts.store import alerts as alert_store
from alerts.store import commands, tokens
from alerts.store import tables as alert_tables
from alerts.store.tables import alerts, out_of_service
from app.database import unit_of_work
from ingest.store.forecasts import all_forecasts, forecast_of
from ingest.store.latest import latest_since
from ingest.store.sequences import numberings_of
from ingest.store.tables import latest, scores
from pantau.city import City
from pantau.outlook import Outlook
from pantau.ports import Clock, ReadingStore
from pantau.reading import Reading
from pantau.record import AlertRecord, LatestRecord, ScoreRecord, TransitionRecord
from status.board import AlertQuery, Answer, Counting, OutOfService

__all__ = ["Board"]


class Board:
    """Implements ``status.board.Board``; every call is one short transaction.

    Args:
        store: history of readings, the embedded one or InfluxDB.
    """

    def __init__(self, engine: Engine, city: City, clock: Clock, store: ReadingStore) -> None:
        self._engine, self._city, self._clock, self._store = engine, city, clock, store
        # With this option SQLite begins as a reader: pages never wait for the pipeline's transaction.
        self._reader = engine.execution_options(reading=True)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._reader.begin() as connection:
            yield connection

    def position(self) -> int:
        """Change number: the newest journal position that a page can show."""
        newest = union_all(
            *(select(func.max(table.c.pos).label("pos")) for table in (latest, alerts, out_of_service))
        )
        with self._reading() as connection:
            return connection.execute(select(func.max(newest.subquery().c.pos))).scalar() or 0

    def latest_since(self, pos: int) -> list[LatestRecord]:
        """Latest values that changed after ``pos``."""
        with self._reading() as connection:
            return latest_since(connection, pos)

    def out_of_service(self) -> dict[str, OutOfService]:
        """Stations under repair."""
        with self._reading() as connection:
            rows = connection.execute(select(out_of_service)).all()
        return {row.station: OutOfService(row.since, row.by, row.note, row.pos) for row in rows}

    def alerts(self, query: AlertQuery) -> tuple[list[AlertRecord], str | None]:
        """A page of alerts, newest first."""
        with self._reading() as connection:
            return alert_store.listing(
                connection,
                state="active" if query.active else "all",
                hazard=query.hazard or None,
                area=query.area or None,
                since=query.since or None,
                cursor=query.cursor or None,
                limit=query.limit,
            )

    def alerts_since(self, pos: int) -> list[AlertRecord]:
        """Alerts that changed after ``pos``."""
        with self._reading() as connection:
            return alert_store.changed_since(connection, pos)

    def open_alerts(self) -> list[AlertRecord]:
        """All open alerts."""
        with self._reading() as connection:
            return alert_store.open_alerts(connection)

    def alert(self, id: str) -> AlertRecord | None:
        """One alert."""
        with self._reading() as connection:
            return alert_store.alert(connection, id)

    def timeline(self, id: str) -> list[TransitionRecord]:
        """Transitions of an alert, oldest first."""
        with self._reading() as connection:
            return alert_store.timeline(connection, id)

    def scores(self, station: str) -> list[ScoreRecord]:
        """Newest scores of a station."""
        query = select(scores).where(scores.c.station == station).order_by(scores.c.sensor, scores.c.detector)
        with self._reading() as connection:
            return [ScoreRecord(**row) for row in connection.execute(query).mappings()]

    def forecast(self, station: str) -> Outlook | None:
        """Newest forecast of a station."""
        with self._reading() as connection:
            return forecast_of(connection, station)

    def forecasts(self) -> dict[str, Outlook]:
        """Newest forecast of every station."""
        with self._reading() as connection:
            return all_forecasts(connection)

    def devices(self, station: str) -> list[Counting]:
        """Sensors of a station that number their messages."""
        with self._reading() as connection:
            found = numberings_of(connection, station)
        return [Counting(n.sensor, n.last_seq, n.missing, n.resets, n.last_gap_at) for n in found]

    def readings(
        self, station: str, kind: str, *, start: int, end: int, sensor: str | None, limit: int
    ) -> Sequence[Reading]:
        """History from the store."""
        return self._store.read(station, kind, start=start, end=end, sensor=sensor, limit=limit)

    def downsampled(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str
    ) -> list[dict[str, Any]]:
        """Buckets from the store."""
        return self._store.downsample(station, kind, start=start, end=end, every_ms=every_ms, sensor=sensor)

    def command(self, verb: str, body: dict[str, Any], by: str) -> int:
        """Ask the pipeline for something."""
        with unit_of_work(self._engine) as connection:
            return commands.ask(connection, verb, body, by, self._clock.now())

    def answer(self, id: int) -> Answer | None:
        """What became of a command."""
        with self._reading() as connection:
            found = commands.answered(connection, id)
            if found is not None:
                return Answer(*found)
            table = alert_tables.commands
            waits = connection.execute(select(table.c.id).where(table.c.id == id)).one_or_none()
        return None if waits is None else Answer(None, "")

    def operator_of(self, token: str) -> str | None:
        """Name of the operator whose token this is."""
        with self._reading() as connection:
            bearer = tokens.operator_of(connection, token)
        return bearer[0] if bearer and bearer[1] == "operator" else None

    def peers(self) -> dict[str, str]:
        """Peers with an open system alert."""
        return {
            record.scope.removeprefix(
                "system:"
            ): f"impaired since {self._city.local(record.raised_at).isoformat()}"
            for record in self.open_alerts()
            if record.hazard == "system"
        }
