"""The states of all groups in memory, their timers, and their snapshots in the database."""

import heapq
from collections.abc import Mapping, Sequence

import structlog
from sqlalchemy import Connection, select

from alerts.store import alerts as alert_store
from app import journal
from app.state import GroupState, dump, load
from app.step import Fate, Step
from ingest.store.tables import snapshots
from ingest.store.upsert import upsert
from models.detector import Detector
from pantau.alert import AlertKey, AlertState
from pantau.event import Event, Tick
from pantau.record import AlertRecord

__all__ = ["States"]

_log = structlog.get_logger("pantau.states")


class States:
    """Group states by key; after ``restore`` they are what the last commit left."""

    def __init__(self, step: Step, detectors: Mapping[str, Detector]) -> None:
        self._step = step
        self._detectors = detectors
        self._states: dict[str, GroupState] = {}
        self._changed: set[str] = set()
        self._touched: set[str] = set()
        self._timers: list[tuple[int, str]] = []
        self._awaited: dict[str, int] = {}

    def of(self, group: str) -> GroupState:
        """State of a group, made when first needed; it counts as changed."""
        self._touched.add(group)
        state = self._states.get(group)
        if state is None:
            state = self._states[group] = GroupState()
        return state

    def peek(self, group: str) -> GroupState | None:
        """State of a group for reading only."""
        return self._states.get(group)

    def note_timers(self) -> None:
        """After a batch: when the groups it touched want to be woken."""
        for group in self._touched:
            due = self._states[group].due()
            if (
                due and self._awaited.get(group) != due
            ):  # one entry a timer, however many batches come while it waits
                self._awaited[group] = due
                heapq.heappush(self._timers, (due, group))
        self._changed |= self._touched
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

    def save(self, connection: Connection, pos: int) -> int:
        """Snapshot every group that changed since the last call; returns how many."""
        rows = [
            {"key": group, "pos": pos, "body": dump(self._states[group], self._detectors)}
            for group in self._changed | self._touched
        ]
        if rows:
            connection.execute(upsert(connection.dialect.name, snapshots), rows)
        journal.move_cursor(connection, "snapshot", pos)
        return len(rows)

    def saved(self) -> None:
        """The snapshot was committed."""
        self._changed.clear()
        self._touched.clear()

    def restore(self, connection: Connection) -> int:
        """Read the snapshots and step the journal's tail again, its events discarded; returns the newest ``now``."""
        self._states.clear()
        self._changed.clear()
        self._touched.clear()
        self._timers.clear()
        self._awaited.clear()
        for key, body in connection.execute(select(snapshots.c.key, snapshots.c.body)).all():
            state = load(body, self._detectors, self._step.city)
            if state is None:
                _log.warning(
                    "snapshot_unreadable", group=key, consequence="this group starts afresh, warming up"
                )
                continue
            self._states[key] = state
        pos, latest = journal.cursor(connection, "snapshot"), 0
        while True:
            rows = list(journal.read(connection, pos))
            if not rows:
                break
            for pos, latest, row in rows:  # noqa: B007 - the last ones are wanted after the loop
                self.step(row, latest, [])
        self._adopt(alert_store.open_alerts(connection))
        self._touched.update(self._states)
        self.note_timers()
        return latest

    def _adopt(self, records: Sequence[AlertRecord]) -> None:
        """Take over open alerts that a group has lost (it started afresh, or its station has another group now).

        There is one open alert for a key: without this the next raise would be a second one, and never be committed.
        """
        for record in records:
            key = AlertKey(record.scope, record.hazard, record.cause, record.station)
            text = str(key)
            group = self._step.group_of(record.station or record.scope)
            for other, state in self._states.items():
                if other != group:
                    state.alerts.pop(text, None)
            state = self.of(group)
            known = state.alerts.get(text)
            if known is None or known.id != record.id:
                tentative = record.severity if record.severity > record.confirmed_severity else 0
                state.opened[text] = record.raised_at
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
            step.command(
                self.of(self._group_of_command(command.alert, command.station)), command, now, events
            )
        fates = []
        for reading in row.readings:
            station = stations.get(reading.station)  # a station may have left the city since it was journaled
            fates.append(
                step.reading(self.of(station.group), reading, now, events) if station else Fate.UNKNOWN
            )
        for score in row.scores:
            step.score(self.of(step.group_of(score.station)), score, now, events)
        return fates

    def _group_of_command(self, alert: str, station: str) -> str:
        if not alert:
            return self._step.group_of(station)
        for group, state in self._states.items():
            if any(known.id == alert for known in state.alerts.values()):
                return group
        return "system"
