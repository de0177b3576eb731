"""What a batch writes beside its journal row, in the same transaction: latest values, alerts, notices, answers.

A latest value waits up to a second (``app.sweep``) unless an alert or an operator touched its station: then it is
written with the batch, so that nobody sees the one without the other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import structlog
from sqlalchemy import Connection

from alerts.notices import notices
from alerts.store import alerts as alert_store
from alerts.store import commands as command_store
from alerts.store import outbox
from alerts.store import service as service_store
from app.journal import Row, cursor, move_cursor, tail
from app.state import sensor_key
from app.states import States
from app.step import LEVEL
from app.sweep import Sweep
from ingest import refused as refused_store
from ingest.decode import Refused
from ingest.store.forecasts import upsert_forecasts
from ingest.store.latest import latest_of, sensors_of, upsert_latest, upsert_scores
from ingest.store.tables import slow_states
from ingest.store.upsert import upsert
from pantau.city import City
from pantau.event import Command, Event, FlagRevised, Score, Told, Transition
from pantau.faultpoint import Point, reached
from pantau.reading import MAIN, Reading
from pantau.record import LatestRecord, ScoreRecord

__all__ = ["Books"]

_log = structlog.get_logger("pantau.transition")

_REFUSALS_TOLD = 20
"""Lines a batch; all are kept in the database and counted, whatever the log says."""


_LATEST_EVERY_S = 1.0
_ONE_SENSOR: tuple[str, ...] = (MAIN,)


class Books:
    """Writes the results of a batch; knows the newest readings that are not written yet.

    Records that are written stay in the database only, and with them which sensors a station had before this start:
    both are wanted again when an alert or an operator touches a station.

    Args:
        exercise: every notice says LATIHAN / EXERCISE.
        latest_every_s: how often latest values are written; 0: with every batch.

    Attributes:
        on_notices: called after a commit that put notices into the outbox, with the names of their channels.
    """

    def __init__(self, city: City, *, exercise: bool, latest_every_s: float = _LATEST_EVERY_S) -> None:
        self.city = city
        self.exercise = exercise
        self.log_transitions = True
        self.on_notices: Callable[[Iterable[str]], None] | None = None
        self._told: set[str] = set()
        self.sweep: Sweep[Reading] = Sweep(latest_every_s)
        self._sensors: dict[str, tuple[str, ...]] = {}
        self._looked_up: set[str] = set()

    def load(self, connection: Connection) -> None:
        """Read back what is known; call at start and after a failed commit."""
        self._sensors.clear()
        self._looked_up.clear()
        self.sweep.clear()
        for _, _, row in tail(connection, cursor(connection, "latest")):
            for revision in row.revisions:
                reading = self.sweep.get(sensor_key(revision.station, revision.sensor))
                if reading is not None and reading.observed_at == revision.observed_at:
                    reading.flag, reading.reason = revision.flag, revision.reason
            self._note(row)

    def write(
        self, connection: Connection, row: Row, refused: Sequence[Refused], events: Sequence[Event], states: States,
        now: int, pos: int,
    ) -> None:  # fmt: skip
        """Everything that follows from a batch, on its connection."""
        if refused:
            refused_store.keep(connection, refused)
            reached(Point.REFUSED_WRITTEN)
        self._note(row)
        transitions = [event for event in events if isinstance(event, Transition)]
        records = self._eventful(connection, row, events, transitions, states, pos)
        eventful = {sensor_key(record.station, record.sensor): record for record in records}
        piece = self.sweep.take(pos, at_leisure=row.empty)
        records += [self._record(reading, states, pos) for reading in piece.values()]
        upsert_latest(connection, [record for record in records if record.station in self.city.stations])
        upto = self.sweep.written() if piece else pos if self.sweep.idle else None
        if upto is not None:
            move_cursor(connection, "latest", upto)
        if records:
            reached(Point.LATEST_WRITTEN)
        if row.scores:
            upsert_scores(connection, [_score_record(score, pos) for score in row.scores])
            outlooks = {each.station: each.outlook for each in row.scores if each.outlook and not each.shadow}
            upsert_forecasts(connection, outlooks, pos)
        if transitions:
            told = alert_store.apply(connection, transitions, self.city, pos)
            reached(Point.TRANSITIONS_WRITTEN)
            newest = _Newest(self, connection, eventful, states, pos)
            items = notices(told, self.city, newest, exercise=self.exercise, now=now)
            outbox.put(connection, items)
            self._told.update(item.channel for item in items)
            reached(Point.OUTBOX_WRITTEN)
        self._operators(connection, row.commands, events, now, pos)

    def write_slow_states(
        self, connection: Connection, rows: Sequence[tuple[str, str, str, str, bytes]], pos: int, saved: int
    ) -> None:
        """Some states of slow detectors as of journal position ``pos``: (station, sensor, detector, version, body).

        Args:
            saved: position up to which all of them are saved now, 0 in mid-sweep.
        """
        names = ("station", "sensor", "detector", "version", "body")
        if rows:
            connection.execute(
                upsert(connection.dialect.name, slow_states),
                [{**dict(zip(names, row, strict=True)), "pos": pos} for row in rows],
            )
        if saved:
            move_cursor(connection, "slow_snapshot", saved)

    def committed(self, events: Sequence[Event], refused: Sequence[Refused] = ()) -> None:
        """The batch is stored: say what happened."""
        if self.on_notices is not None and self._told:
            self.on_notices(self._told)
        self._told = set()
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

    def newest(
        self,
        connection: Connection,
        station: str,
        fresh: Mapping[str, LatestRecord],
        states: States,
        pos: int,
    ) -> LatestRecord | None:
        """What is known of a station: its sensor main's record, else that of the first by name.

        Args:
            connection: on which the batch is written.
            fresh: records of the batch itself, by ``sensor_key``.
        """
        self._look_up(connection, [station])
        sensors = self._sensors.get(station)
        if sensors is None:
            return None
        name = MAIN if MAIN in sensors else min(sensors)
        key = sensor_key(station, name)
        reading = self.sweep.get(key)
        if reading is not None:
            return self._record(reading, states, pos)
        if key in fresh:
            return fresh[key]
        return next((one for one in latest_of(connection, [station]) if one.sensor == name), None)

    def _note(self, row: Row) -> None:
        """Remember the newest stepped reading of each sensor until it is written."""
        fresh, sensors = self.sweep.fresh, self._sensors
        readings: Iterable[Reading] = row.readings
        if row.unstepped:
            unstepped = set(row.unstepped)
            readings = [reading for index, reading in enumerate(row.readings) if index not in unstepped]
        for reading in readings:
            station, sensor = reading.station, reading.sensor
            fresh[f"{station}\t{sensor}"] = reading
            if sensor not in sensors.get(station, ()):
                self._meet(station, sensor)

    def _meet(self, station: str, sensor: str) -> None:
        known = self._sensors.get(station)
        if known is None:
            self._sensors[station] = _ONE_SENSOR if sensor == MAIN else (sensor,)
        elif sensor not in known:
            self._sensors[station] = (*known, sensor)

    def _look_up(self, connection: Connection, stations: Iterable[str]) -> None:
        """Note which sensors of these stations were heard before this start."""
        wanted = [station for station in stations if station not in self._looked_up]
        if wanted:
            for station, sensor in sensors_of(connection, wanted):
                self._meet(station, sensor)
            self._looked_up.update(wanted)

    def _record(self, reading: Reading, states: States, pos: int) -> LatestRecord:
        """The record of a reading as its sensor stands after the batch."""
        return self._stand(LatestRecord.of(reading), states, pos)

    def _eventful(
        self, connection: Connection, row: Row, events: Sequence[Event], transitions: Sequence[Transition],
        states: States, pos: int,
    ) -> list[LatestRecord]:  # fmt: skip
        """Records that are written with the batch: of stations with a transition or a repair, and revised ones."""
        touched = {transition.station for transition in transitions}
        touched |= {
            command.station for command in row.commands if command.verb in {"out_of_service", "in_service"}
        }
        revised: dict[str, FlagRevised] = {
            sensor_key(event.station, event.sensor): event
            for event in events
            if isinstance(event, FlagRevised)
        }
        if revised:
            # About readings before those of this batch: a newer one of the same sensor stands by itself.
            unstepped, stations = set(row.unstepped), {event.station for event in revised.values()}
            for index, reading in enumerate(row.readings):
                if reading.station in stations and index not in unstepped:
                    revised.pop(sensor_key(reading.station, reading.sensor), None)
        self._look_up(connection, sorted(touched))
        keys = dict.fromkeys(
            sensor_key(station, sensor)
            for station in sorted(touched)
            for sensor in self._sensors.get(station, ())
        )
        wanted = [*keys, *(key for key in revised if key not in keys)]
        newest = self._known(connection, wanted)
        records = []
        for key in wanted:
            record = self._changed(key, newest.get(key), revised.get(key), states, pos, always=key in keys)
            records += [] if record is None else [record]
        return records

    def _known(self, connection: Connection, keys: Iterable[str]) -> dict[str, LatestRecord]:
        """The newest of these sensors before the batch's ladders are noted on it; who was never heard is left out."""
        found: dict[str, LatestRecord] = {}
        written: dict[str, None] = {}
        for key in keys:
            reading = self.sweep.get(key)
            if reading is None:
                written[key.partition("\t")[0]] = None
            else:
                found[key] = LatestRecord.of(reading)
        for record in latest_of(connection, list(written)):
            found.setdefault(sensor_key(record.station, record.sensor), record)
        return found

    def _changed(
        self, key: str, newest: LatestRecord | None, revised: FlagRevised | None, states: States, pos: int, *,
        always: bool,
    ) -> LatestRecord | None:  # fmt: skip
        """The record of a sensor if it has to be written now; a revised flag counts while its reading is the newest."""
        if newest is None:
            return None
        concerns = revised is not None and newest.observed_at == revised.observed_at
        if not (always or concerns):
            return None
        self.sweep.pop(key)
        if concerns and revised is not None:
            newest.flag, newest.reason = revised.flag, revised.reason
        return self._stand(newest, states, pos)

    def _stand(self, record: LatestRecord, states: States, pos: int) -> LatestRecord:
        """Note on a record where its sensor's ladder and rate stand after the batch."""
        station = self.city.stations.get(record.station)  # it may have left the city while its alert was open
        state = states.peek(station.group) if station else None
        sensor = state.sensors.get(sensor_key(record.station, record.sensor)) if state else None
        rung = sensor.rungs.get(LEVEL) if sensor else None
        record.severity = rung.severity if rung else 0 if sensor is not None and sensor.laddered else None
        record.tentative = rung.tentative if rung else 0
        record.rate = sensor.past.track.rate_per_h() if sensor else None
        record.pos = pos
        return record

    def _operators(
        self, connection: Connection, commands: Sequence[Command], events: Sequence[Event], now: int, pos: int
    ) -> None:
        refused = {event.command for event in events if isinstance(event, Told) and not event.ok}
        for event in events:
            if isinstance(event, Told):
                command_store.answer(connection, event.command, ok=event.ok, text=event.text, applied_at=now)
                reached(Point.ANSWERS_WRITTEN)
        for command in commands:
            if command.id in refused:
                continue
            if command.verb == "out_of_service":
                service_store.take_out(
                    connection, command.station, since=now, by=command.by, note=command.note, pos=pos
                )
            elif command.verb == "in_service":
                service_store.put_back(connection, command.station)


class _Newest(Mapping[str, LatestRecord]):
    """The newest record by station for those who write notices; looked up when first asked for."""

    def __init__(
        self,
        books: Books,
        connection: Connection,
        fresh: Mapping[str, LatestRecord],
        states: States,
        pos: int,
    ) -> None:
        self._books, self._connection, self._fresh = books, connection, fresh
        self._states, self._pos = states, pos
        self._found: dict[str, LatestRecord | None] = {}

    def __getitem__(self, station: str) -> LatestRecord:
        if station not in self._found:
            self._found[station] = self._books.newest(
                self._connection, station, self._fresh, self._states, self._pos
            )
        record = self._found[station]
        if record is None:
            raise KeyError(station)
        return record

    def __iter__(self) -> Iterator[str]:
        return (station for station in self._books.city.stations if station in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _score_record(score: Score, pos: int) -> ScoreRecord:
    return ScoreRecord(
        station=score.station, sensor=score.sensor, detector=score.detector, version=score.version, at=score.at,
        score=score.score, reason=score.reason, shadow=score.shadow, pos=pos,
    )  # fmt: skip
