"""What follows the journal after the commit: the reading store, the slow lane, the public topics.

Each has a cursor of its own and takes batches in order. A peer that is away costs delay, never data: the cursor stays
where it is and the batches are taken again.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, select

from app import journal
from app.database import unit_of_work
from app.journal import Row
from ingest import refused as refused_store
from ingest.decode import Refused
from ingest.format import Message
from ingest.store.conflicts import Conflict, note_conflicts
from ingest.store.identity import Identity, identity
from ingest.store.tables import conflicts, slow_states
from models.lane import SlowLane
from pantau.event import FlagRevised, Score
from pantau.ports import ReadingStore
from pantau.reading import Reading

__all__ = ["Forwarder", "SlowFollower", "SlowResult", "prune"]


def _revised(event: FlagRevised) -> Reading:
    return Reading(
        event.station, event.kind, event.value, event.observed_at, event.received_at, event.sensor,
        flag=event.flag, reason=event.reason,
    )  # fmt: skip


class Forwarder:
    """Journal -> reading store.

    A late reading is compared with what the store holds: a value that was sent for its instant before is a redelivery
    and is left alone (its flag was judged when it was fresh); another value replaces it and is listed as a conflicting
    duplicate.
    """

    def __init__(self, engine: Engine, store: ReadingStore) -> None:
        self._engine = engine
        self._store = store

    def turn(self, limit: int = 200) -> int:
        """Forward up to ``limit`` batches; returns how many.

        Raises:
            Unavailable: the store is away; nothing was moved on.
        """
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = list(journal.read(connection, journal.cursor(connection, "store"), limit))
            unstepped = [row.readings[index] for _, _, row in rows for index in row.unstepped]
            keys = {identity(reading) for reading in unstepped}
            known, attempted = _disputed(connection, keys, rows[0][0]) if keys else ({}, {})
        if not rows:
            return 0
        stored = {**self._store.existing(unstepped), **attempted} if unstepped else {}
        fresh: dict[Identity, Reading] = {}
        found: list[Conflict] = []
        for pos, now, row in rows:
            _sort(row, (now, pos), fresh, found, stored, known)
        if found:  # noted first: the store forgets the former value, so a crash in between must not lose it
            with unit_of_work(self._engine) as connection:
                note_conflicts(connection, found)
        bad = self._store.write(list(fresh.values())) if fresh else []
        with unit_of_work(self._engine) as connection:
            if bad:
                refused_store.keep(connection, [_refusal(reading, reason) for reading, reason in bad])
            journal.move_cursor(connection, "store", rows[-1][0])
        return len(rows)


def _disputed(
    connection: Connection, keys: Collection[Identity], first: int
) -> tuple[dict[Identity, set[float]], dict[Identity, float]]:
    """Values that were sent for these keys before, and what stood there before an attempt that got no further.

    Conflicts noted for the batch at position ``first`` or a later one are of an attempt to forward these very batches
    that ended before its cursor moved: it has to come out the same again.
    """
    known: dict[Identity, set[float]] = {}
    attempted: dict[Identity, float] = {}
    for at in {key[3] for key in keys}:
        query = select(conflicts).where(conflicts.c.observed_at == at).order_by(conflicts.c.id)
        for row in connection.execute(query):
            key = (row.station, row.sensor, row.kind, row.observed_at)
            if row.pos < first:
                known.setdefault(key, set()).update((row.former, row.value))
            else:
                attempted.setdefault(key, row.former)
    return known, attempted


def _sort(
    row: Row, noticed: tuple[int, int], fresh: dict[Identity, Reading], found: list[Conflict],
    stored: Mapping[Identity, float], known: dict[Identity, set[float]],
) -> None:  # fmt: skip
    """Add a batch to what is to be written; redeliveries are left out, other values for the same instant noted."""
    late, unstepped = set(row.late), set(row.unstepped)
    for index, reading in enumerate(row.readings):
        key = identity(reading)
        if index in unstepped:
            former = fresh[key].value if key in fresh else stored.get(key)
            values = known.setdefault(key, set())
            if index in late and (former == reading.value or reading.value in values):
                continue
            if former is not None and former != reading.value:
                found.append(Conflict(*key, former, reading.value, *noticed))
                values.update((former, reading.value))
        fresh[key] = reading
    for revision in row.revisions:
        reading = _revised(revision)
        fresh[identity(reading)] = reading


def _refusal(reading: Reading, reason: str) -> Refused:
    topic = f"store/{reading.kind}/{reading.station}/{reading.sensor}"
    message = Message(topic, msgspec.json.encode(reading), reading.received_at)
    return Refused(message, "store_refused", reason)


class SlowResult(NamedTuple):
    """What the slow lane hands back to the pipeline: scores up to a position, and states to keep."""

    scores: list[Score]
    pos: int
    states: list[tuple[str, str, str, str, bytes]]


class SlowFollower:
    """Journal -> slow detectors -> scores.

    Args:
        lane: the slow detectors with their states.
    """

    def __init__(self, engine: Engine, lane: SlowLane) -> None:
        self._engine = engine
        self._lane = lane
        self._pos = 0

    def restore(self) -> None:
        """Bring the detectors to where their last scores were committed."""
        with self._engine.connect().execution_options(reading=True) as connection:
            self._lane.restore(_saved_states(connection))
            self._pos = journal.cursor(connection, "slow_snapshot")
            upto = journal.cursor(connection, "slow")
            while rows := [found for found in journal.read(connection, self._pos) if found[0] <= upto]:
                for pos, now, row in rows:
                    self._judge(row, now)
                    self._pos = pos

    def turn(self, now: int, listening_since: int, *, save: bool, limit: int = 50) -> SlowResult | None:
        """Judge up to ``limit`` new batches and the silence since; None when there is nothing to hand back."""
        with self._engine.connect().execution_options(reading=True) as connection:
            rows = list(journal.read(connection, self._pos, limit))
        scores: list[Score] = []
        for pos, at, row in rows:
            scores += self._judge(row, at)
            self._pos = pos
        if len(rows) < limit and listening_since:
            scores += self._lane.ticks(now, listening_since)
        if not scores and not rows:
            return None
        return SlowResult(scores, self._pos, self._lane.dump_changed() if save else [])

    def _judge(self, row: Row, now: int) -> list[Score]:
        heard = row.heard()
        return self._lane.take(heard, now, row.listening_since) if heard else []


def _saved_states(connection: Connection) -> list[tuple[str, str, str, str, bytes]]:
    columns = slow_states.c
    query = select(columns.station, columns.sensor, columns.detector, columns.version, columns.body)
    return [(row[0], row[1], row[2], row[3], bytes(row[4])) for row in connection.execute(query)]


def prune(engine: Engine) -> int:
    """Remove batches that every follower has passed and a snapshot covers; returns how many."""
    with unit_of_work(engine) as connection:
        upto = min(journal.cursor(connection, name) for name in ("snapshot", "store", "slow_snapshot"))
        return journal.forget(connection, upto)
