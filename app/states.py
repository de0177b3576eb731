"""The states of all groups in memory, their timers, and their snapshots in the database."""

import heapq
from collections.abc import Mapping, Sequence
from sys import intern

import msgspec
import structlog
from sqlalchemy import Connection, select

from alerts.store import alerts as alert_store
from app import journal
from app.state import NOTHING, GroupState, SensorState, dump, is_calm, load
from app.step import Context, Fate, Step
from app.sweep import Sweep
from ingest.store.tables import snapshots
from ingest.store.upsert import upsert
from models.detector import Detector
from pantau.alert import AlertKey, AlertState
from pantau.event import Event, Tick
from pantau.faultpoint import Point, reached
from pantau.reading import MAIN, Reading
from pantau.record import AlertRecord

__all__ = ["States"]

_log = structlog.get_logger("pantau.states")


_SNAPSHOTS_EVERY_S = 5.0
"""How often changed states are saved: what a restart has to step again stays this short."""


class _Home(msgspec.Struct, gc=False):
    """Where a station's readings belong: those of its sensor main, and of its others by their names, if it has any."""

    group: str
    state: GroupState
    context: Context
    main: SensorState | None = None
    others: dict[str, SensorState] = NOTHING


class States:
    """Group states by key; after ``restore`` they are what the last commit left.

    A snapshot of a calm group is kept as it was read until an input of the group comes: a restart need not wait for a
    hundred thousand of them to be taken apart.
    """

    def __init__(self, step: Step, detectors: Mapping[str, Detector]) -> None:
        self.sweep: Sweep[bool] = Sweep(_SNAPSHOTS_EVERY_S)
        self._step = step
        self._detectors = detectors
        self._states: dict[str, GroupState] = {}
        self._asleep: dict[str, bytes] = {}
        self._homes: dict[str, _Home] = {}
        self._touched: set[str] = set()
        self._timers: list[tuple[int, str]] = []
        self._awaited: dict[str, int] = {}

    def of(self, group: str) -> GroupState:
        """State of a group, made when first needed; it counts as changed."""
        self._touched.add(group)
        state = self._states.get(group) or self._wake(group)
        if state is None:
            state = self._states[group] = GroupState()
        return state

    def peek(self, group: str) -> GroupState | None:
        """State of a group for reading only."""
        return self._states.get(group) or self._wake(group)

    def _wake(self, group: str) -> GroupState | None:
        """Take a snapshot apart; None when there is none, or none that can be read."""
        body = self._asleep.pop(group, None)
        return None if body is None else self._load(group, body)

    def _load(self, group: str, body: bytes) -> GroupState | None:
        state = load(body, self._detectors, self._step.city)
        if state is None:
            _log.warning(
                "snapshot_unreadable", group=group, consequence="this group starts afresh, warming up"
            )
            return None
        self._states[group] = state
        return state

    def note_timers(self) -> None:
        """After a batch: when the groups it touched want to be woken."""
        states = self._states
        for group in [group for group in self._touched if states[group].alerts]:
            due = states[group].due()
            if (
                due and self._awaited.get(group) != due
            ):  # one entry a timer, however many batches come while it waits
                self._awaited[group] = due
                heapq.heappush(self._timers, (due, group))
        self._touched.clear()

    def due_ticks(self, now: int, listening_since: int) -> list[Tick]:
        """Timers that have come due, oldest first; a timer that was moved meanwhile is left out."""
        ticks = []
        while self._timers and self._timers[0][0] <= now:
            due, group = heapq.heappop(self._timers)
            if self._awaited.get(group) != due:
                continue
            del self._awaited[group]
            state = self._states.get(group)
            if state is not None and state.due() == due:
                ticks.append(Tick(group, due, listening_since))
        return ticks

    def next_due(self) -> int | None:
        """The earliest timer."""
        return self._timers[0][0] if self._timers else None

    def save(self, connection: Connection, pos: int, *, at_leisure: bool = False) -> int:
        """Snapshot some of the groups that changed, when it is time for it; returns how many.

        Args:
            pos: of the batch that was stepped last.
            at_leisure: the present batch brings nothing to judge.
        """
        self.sweep.fresh.update(dict.fromkeys(self._touched, True))
        piece = self.sweep.take(pos, at_leisure=at_leisure)
        if not piece:
            return 0
        rows = [
            {"key": group, "pos": pos, "body": dump(self._states[group], self._detectors)} for group in piece
        ]
        connection.execute(upsert(connection.dialect.name, snapshots), rows)
        upto = self.sweep.written()
        if upto is not None:
            journal.move_cursor(connection, "snapshot", upto)
        return len(rows)

    def restore(self, connection: Connection) -> int:
        """Read the snapshots and step the journal's tail again, its events discarded; returns the newest ``now``."""
        self._states.clear()
        self._asleep.clear()
        self._homes.clear()
        self.sweep.clear()
        self._touched.clear()
        self._timers.clear()
        self._awaited.clear()
        pos, latest = journal.cursor(connection, "snapshot"), 0
        covered = self._read_snapshots(connection, pos)
        reached(Point.SNAPSHOTS_READ)
        for at, latest, row in journal.tail(connection, pos):
            self.step(self._uncovered(row, at, covered), latest, [])
        self._adopt(alert_store.open_alerts(connection))
        self.sweep.fresh.update(dict.fromkeys(self._touched, True))
        self._touched.update(self._states)
        self.note_timers()
        return latest

    def _read_snapshots(self, connection: Connection, pos: int) -> dict[str, int]:
        """Take over all snapshots; returns the positions of those that are ahead of ``pos``."""
        covered: dict[str, int] = {}
        query = select(snapshots.c.key, snapshots.c.pos, snapshots.c.body)
        for rows in connection.execute(query, execution_options={"yield_per": 1_000}).partitions():
            for key, at, body in rows:
                if is_calm(body):
                    self._asleep[key] = body
                elif self._load(key, body) is None:
                    continue
                if at > pos:
                    covered[key] = at
        return covered

    def _uncovered(self, row: journal.Row, pos: int, covered: Mapping[str, int]) -> journal.Row:
        """The inputs of a batch that came after the snapshots of their groups, which are not all of one instant."""
        stations = self._step.city.stations

        def is_news(group: str) -> bool:
            return covered.get(group, 0) < pos

        return journal.Row(
            ticks=[tick for tick in row.ticks if is_news(tick.group)],
            commands=[command for command in row.commands if is_news(command.group)],
            readings=[
                reading
                for reading in row.readings
                if reading.station in stations and is_news(stations[reading.station].group)
            ],
            scores=[score for score in row.scores if is_news(self._step.group_of(score.station))],
        )

    def _adopt(self, records: Sequence[AlertRecord]) -> None:
        """Take over open alerts that a group has lost (it started afresh, or its station has another group now).

        There is one open alert for a key: without this the next raise would be a second one, and never be committed.
        """
        holders: dict[str, list[str]] = {}
        for group, state in self._states.items():
            for text in state.alerts:
                holders.setdefault(text, []).append(group)
        for record in records:
            key = AlertKey(record.scope, record.hazard, record.cause, record.station)
            text = str(key)
            group = self._step.group_of(record.station or record.scope)
            for other in holders.get(text, ()):
                if other != group:
                    self._states[other].alerts.pop(text, None)
            state = self.of(group)
            known = state.alerts.get(text)
            if known is None or known.id != record.id:
                tentative = record.severity if record.severity > record.confirmed_severity else 0
                state.own().opened[text] = record.raised_at
                state.alerts[text] = AlertState(
                    key, record.id, record.raised_at, record.confirmed_severity, tentative, record.state, record.n,
                    vouched=record.worst > 0,
                )  # fmt: skip

    def step(self, row: journal.Row, now: int, events: list[Event]) -> list[str]:
        """Step a whole batch in its fixed order; returns the fate of each reading."""
        step = self._step
        stations = step.city.stations
        for tick in row.ticks:
            step.tick(self.of(tick.group), tick, now, events)
        for command in row.commands:
            command.group = command.group or self._group_of_command(command.alert, command.station)
            step.command(self.of(command.group), command, now, events)
        fates = []
        judge, homes, touch = step.judge, self._homes, self._touched.add
        for reading in row.readings:
            home = homes.get(reading.station)
            if home is None:
                if reading.station not in stations:  # it may have left the city since this was journaled
                    fates.append(Fate.UNKNOWN)
                    continue
                home = self._home(reading.station)
            sensor = home.main if reading.sensor == MAIN else home.others.get(reading.sensor)
            if sensor is None:
                sensor = self._sensor(home, reading)
            touch(home.group)
            fates.append(judge(home.state, sensor, home.context, reading, now, events))
        for score in row.scores:
            step.score(self.of(step.group_of(score.station)), score, now, events)
        return fates

    def _home(self, station: str) -> _Home:
        """All that judging a station's readings needs, looked up once."""
        found = self._step.city.stations[station]
        home = self._homes[found.id] = _Home(found.group, self.of(found.group), self._step.context(station))
        return home

    def _sensor(self, home: _Home, reading: Reading) -> SensorState:
        """The state of a sensor that was not heard of since the start."""
        sensor = self._step.sensor(home.state, home.context.station.id, intern(reading.sensor))
        if sensor.sensor == MAIN:
            home.main = sensor
        elif home.others is NOTHING:
            home.others = {sensor.sensor: sensor}
        else:
            home.others[sensor.sensor] = sensor
        return sensor

    def _group_of_command(self, alert: str, station: str) -> str:
        if not alert:
            return self._step.group_of(station)
        for group, state in self._states.items():
            if any(known.id == alert for known in state.alerts.values()):
                return group
        return "system"
