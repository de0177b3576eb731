"""What a batch writes beside its journal row, in the same transaction: latest values, alerts, notices, answers."""

from collections.abc import Callable, Sequence

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection

from alerts.notices import notices
from alerts.store import alerts as alert_store
from alerts.store import commands as command_store
from alerts.store import outbox
from alerts.store import service as service_store
from app.journal import Row, move_cursor
from app.state import sensor_key
from app.states import States
from app.step import LEVEL
from ingest import refused as refused_store
from ingest.decode import Refused
from ingest.store.latest import latest_since, upsert_latest, upsert_scores
from ingest.store.tables import slow_states
from ingest.store.upsert import upsert
from pantau.city import City
from pantau.event import Command, Event, FlagRevised, Score, Told, Transition
from pantau.reading import MAIN
from pantau.record import LatestRecord, ScoreRecord

__all__ = ["Books"]

_log = structlog.get_logger("pantau.transition")

_REFUSALS_TOLD = 20
"""Lines a batch; all are kept in the database and counted, whatever the log says."""


class Books:
    """Writes the results of a batch; knows the newest record of every sensor.

    Args:
        exercise: every notice says LATIHAN / EXERCISE.

    Attributes:
        on_notices: called after a commit that may have put notices into the outbox.
    """

    def __init__(self, city: City, *, exercise: bool) -> None:
        self.city = city
        self.exercise = exercise
        self.log_transitions = True
        self.on_notices: Callable[[], None] | None = None
        self._latest: dict[str, dict[str, LatestRecord]] = {}
        self._newest: dict[str, LatestRecord] = {}

    def load(self, connection: Connection) -> None:
        """Read the newest records back; call at start and after a failed commit."""
        self._latest.clear()
        self._newest.clear()
        for record in latest_since(connection, -1):
            self._know(record)

    def write(
        self, connection: Connection, row: Row, refused: Sequence[Refused], events: Sequence[Event], states: States,
        now: int, pos: int,
    ) -> None:  # fmt: skip
        """Everything that follows from a batch, on its connection."""
        if refused:
            refused_store.keep(connection, refused)
        transitions = [event for event in events if isinstance(event, Transition)]
        records = self._records(row, events, transitions, states, pos)
        if records:
            upsert_latest(connection, records)
        if row.scores:
            upsert_scores(connection, [_score_record(score, pos) for score in row.scores])
        if transitions:
            told = alert_store.apply(connection, transitions, self.city, pos)
            outbox.put(connection, notices(told, self.city, self._newest, exercise=self.exercise, now=now))
        self._operators(connection, row.commands, events, now, pos)

    def write_slow_states(
        self, connection: Connection, rows: Sequence[tuple[str, str, str, str, bytes]], pos: int
    ) -> None:
        """Snapshot of slow detectors as of journal position ``pos``: (station, sensor, detector, version, body)."""
        names = ("station", "sensor", "detector", "version", "body")
        if rows:
            connection.execute(
                upsert(connection.dialect.name, slow_states),
                [{**dict(zip(names, row, strict=True)), "pos": pos} for row in rows],
            )
        move_cursor(connection, "slow_snapshot", pos)

    def committed(self, events: Sequence[Event], refused: Sequence[Refused] = ()) -> None:
        """The batch is stored: say what happened."""
        if self.on_notices is not None and any(isinstance(event, Transition) for event in events):
            self.on_notices()
        if not self.log_transitions:
            return
        for one in refused[:_REFUSALS_TOLD]:
            _log.info("refused", topic=one.message.topic, code=one.code, reason=one.reason)
        for event in events:
            if isinstance(event, Transition):
                _log.info(
                    event.what, alert=event.alert, scope=event.scope, hazard=event.hazard, cause=event.cause,
                    severity=event.severity, confirmed=event.confirmed, value=event.value, state=event.state,
                )  # fmt: skip

    def _know(self, record: LatestRecord) -> None:
        """Remember a record; a station is known by its sensor main's, else by the first by name."""
        sensors = self._latest.setdefault(record.station, {})
        sensors[record.sensor] = record
        self._newest[record.station] = sensors.get(MAIN) or sensors[min(sensors)]

    def _records(
        self, row: Row, events: Sequence[Event], transitions: Sequence[Transition], states: States, pos: int
    ) -> list[LatestRecord]:
        """Records that change: the newest stepped reading of each sensor, and what was revised without one."""
        unstepped = set(row.unstepped)
        changed: dict[tuple[str, str], LatestRecord] = {}
        for index, reading in enumerate(row.readings):
            if index not in unstepped:
                changed[reading.station, reading.sensor] = LatestRecord.of(reading)
        for event in events:
            if isinstance(event, FlagRevised) and (event.station, event.sensor) not in changed:
                known = self._latest.get(event.station, {}).get(event.sensor)
                if known and known.observed_at == event.observed_at:
                    changed[event.station, event.sensor] = replace(
                        known, flag=event.flag, reason=event.reason
                    )
        serviced = {
            command.station for command in row.commands if command.verb in {"out_of_service", "in_service"}
        }
        for station in sorted(serviced | {transition.station for transition in transitions}):
            for sensor, known in self._latest.get(station, {}).items():
                changed.setdefault((station, sensor), replace(known))
        # A station may have left the city while its alert could still be closed by an operator.
        records = [record for record in changed.values() if record.station in self.city.stations]
        for record in records:
            self._stand(record, states, pos)
            self._know(record)
        return records

    def _stand(self, record: LatestRecord, states: States, pos: int) -> None:
        """Note on a record where its sensor's ladder and rate stand after the batch."""
        state = states.peek(self.city.stations[record.station].group)
        sensor = state.sensors.get(sensor_key(record.station, record.sensor)) if state else None
        rung = sensor.rungs.get(LEVEL) if sensor else None
        record.severity = rung.severity if rung else None
        record.tentative = rung.tentative if rung else 0
        record.rate = sensor.past.track.rate_per_h() if sensor else None
        record.pos = pos

    def _operators(
        self, connection: Connection, commands: Sequence[Command], events: Sequence[Event], now: int, pos: int
    ) -> None:
        refused = {event.command for event in events if isinstance(event, Told) and not event.ok}
        for event in events:
            if isinstance(event, Told):
                command_store.answer(connection, event.command, ok=event.ok, text=event.text, applied_at=now)
        for command in commands:
            if command.id in refused:
                continue
            if command.verb == "out_of_service":
                service_store.take_out(
                    connection, command.station, since=now, by=command.by, note=command.note, pos=pos
                )
            elif command.verb == "in_service":
                service_store.put_back(connection, command.station)


def _score_record(score: Score, pos: int) -> ScoreRecord:
    return ScoreRecord(
        station=score.station, sensor=score.sensor, detector=score.detector, version=score.version, at=score.at,
        score=score.score, reason=score.reason, shadow=score.shadow, pos=pos,
    )  # fmt: skip
