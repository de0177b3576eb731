"""What follows the journal after the commit: the reading store, the slow lane, the public topics.

Each has a cursor of its own and takes batches in order. A peer that is away costs delay, never data: the cursor stays
where it is and the batches are taken again.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, Engine, select

from app import journal
from app.database import unit_of_work
from app.journal import Entry, Recent, Row
from app.sequences import SequenceFollower
from ingest import refused as refused_store
from ingest.decode import Refused
from ingest.format import Message
from ingest.store.conflicts import Conflict, note_conflicts
from ingest.store.identity import Identity, identity
from ingest.store.tables import conflicts, slow_states
from models.lane import SlowLane
from pantau.event import FlagRevised, Score
from pantau.faultpoint import Point, reached
from pantau.ports import ReadingStore
from pantau.reading import Reading

_LARGE = 5_000
"""Readings that are worth a call to the store."""
_READERS = ("snapshot", "latest", "store", "slow_snapshot")
_SAVED_AT_ONCE = 500
"""Sensors whose slow states go into one batch's transaction."""
_MOST_READINGS = 20_000
"""Readings of one turn, but for the last batch."""
_TURN_S = 1.0
"""A turn of the slow lane ends after so long: what it has found so far is committed, and a stop is heard."""

__all__ = ["Forwarder", "SlowFollower", "SlowResult", "prune"]


def _revised(event: FlagRevised) -> Reading:
    return Reading(
        event.station, event.kind, event.value, event.observed_at, event.received_at, event.sensor,
        flag=event.flag, reason=event.reason,
    )  # fmt: skip


class _Disputed(NamedTuple):
    """What is noted as conflicts for some keys.

    Attributes:
        known: all values that were sent for a key.
        last: the one that is stored.
        attempted: what stood there before an attempt to forward these very batches that got no further.
    """

    known: dict[Identity, set[float]]
    last: dict[Identity, float]
    attempted: dict[Identity, float]


class Forwarder:
    """Journal -> reading store.

    A late reading is compared with what the store holds: a value that was sent for its instant before is a redelivery
    and is left alone (its flag was judged when it was fresh); another value replaces it and is listed as a conflicting
    duplicate.
    """

    def __init__(
        self, engine: Engine, store: ReadingStore, recent: Recent | None = None, patience_s: float = 0.0
    ) -> None:
        self._engine = engine
        self._store = store
        self._recent = recent
        self._patience_s = patience_s
        self._waits_since: float | None = None
        self._pos: int | None = None

    def turn(self, limit: int = 200) -> int:
        """Forward up to ``limit`` batches; returns how many, 0 also while waiting for more.

        Raises:
            Unavailable: the store is away; nothing was moved on.
        """
        if self._pos is None:
            self._store.kept_from()  # is it there at all? Nobody may say that it is well before it was asked
            with self._engine.connect().execution_options(reading=True) as connection:
                self._pos = journal.cursor(connection, "store")
        rows = _entries(self._engine, self._recent, self._pos, limit)
        if not rows or self._waits(rows):
            return 0
        unstepped = [row.readings[index] for _, _, row in rows for index in row.unstepped]
        keys = {identity(reading) for reading in unstepped}
        keys |= {identity(_revised(revision)) for _, _, row in rows for revision in row.revisions}
        disputed = _Disputed({}, {}, {})
        if keys:
            with self._engine.connect().execution_options(reading=True) as connection:
                disputed = _disputed(connection, keys, rows[0][0])
        reached(Point.FORWARD_READ)
        stored = {**self._store.existing(unstepped), **disputed.attempted} if unstepped else {}
        fresh: dict[Identity, Reading] = {}
        found: list[Conflict] = []
        plain: list[Reading] = []
        if keys:
            for pos, now, row in rows:
                _sort(row, (now, pos), fresh, found, stored, disputed)
        else:  # nearly always: nothing is late, nothing revised
            plain = [reading for _, _, row in rows for reading in row.readings]
        if found:  # noted first: the store forgets the former value, so a crash in between must not lose it
            with unit_of_work(self._engine) as connection:
                note_conflicts(connection, found)
            reached(Point.CONFLICTS_NOTED)
        readings = plain or list(fresh.values())
        bad = self._store.write(readings) if readings else []
        reached(Point.STORE_WRITTEN)
        with unit_of_work(self._engine, repeatable=True) as connection:
            if bad:
                refused_store.keep(connection, [_refusal(reading, reason) for reading, reason in bad])
            journal.move_cursor(connection, "store", rows[-1][0])
        self._pos = rows[-1][0]
        self._waits_since = (
            None  # only now: after a failure there is no waiting, which would look like health
        )
        reached(Point.CURSOR_MOVED)
        return len(rows)

    def _waits(self, rows: Sequence[Entry]) -> bool:
        """Whether to wait for more: the store takes few large batches more easily than many small ones."""
        now = time.monotonic()
        if self._waits_since is None:
            self._waits_since = now
        full = sum(len(row.readings) for _, _, row in rows) >= _LARGE
        return not full and now - self._waits_since < self._patience_s


def _entries(engine: Engine, recent: Recent | None, after: int, limit: int) -> list[Entry]:
    """Batches after a position, from memory if they are there; not many more readings than a turn can take."""
    entries = None if recent is None else recent.after(after, limit)
    if entries is not None:
        return _first(entries)
    with engine.connect().execution_options(reading=True) as connection:
        return _first(journal.read(connection, after, limit))


def _first(entries: Iterable[Entry]) -> list[Entry]:
    found: list[Entry] = []
    readings = 0
    for entry in entries:
        found.append(entry)
        readings += len(entry[2].readings)
        if readings >= _MOST_READINGS:
            break
    return found


def _disputed(connection: Connection, keys: Collection[Identity], first: int) -> _Disputed:
    """What was sent for these keys before.

    Conflicts noted for the batch at position ``first`` or a later one are of an attempt to forward these very batches
    that ended before its cursor moved: it has to come out the same again.
    """
    found = _Disputed({}, {}, {})
    for at in {key[3] for key in keys}:
        query = select(conflicts).where(conflicts.c.observed_at == at).order_by(conflicts.c.id)
        for row in connection.execute(query):
            key = (row.station, row.sensor, row.kind, row.observed_at)
            if row.pos < first:
                found.known.setdefault(key, set()).update((row.former, row.value))
                found.last[key] = row.value
            else:
                found.attempted.setdefault(key, row.former)
    return found


def _sort(
    row: Row, noticed: tuple[int, int], fresh: dict[Identity, Reading], found: list[Conflict],
    stored: Mapping[Identity, float], disputed: _Disputed,
) -> None:  # fmt: skip
    """Add a batch to what is to be written; redeliveries are left out, other values for the same instant noted.

    A revised flag is about the value that was judged. Where another value was stored for that instant since, it is left
    out: it would bring the former value back, or not, as batches happen to be cut.
    """
    late, unstepped = set(row.late), set(row.unstepped)
    for index, reading in enumerate(row.readings):
        key = identity(reading)
        if index in unstepped:
            former = fresh[key].value if key in fresh else stored.get(key)
            values = disputed.known.setdefault(key, set())
            if index in late and (former == reading.value or reading.value in values):
                continue
            if former is not None and former != reading.value:
                found.append(Conflict(*key, former, reading.value, *noticed))
                values.update((former, reading.value))
        fresh[key] = reading
    for revision in row.revisions:
        reading = _revised(revision)
        key = identity(reading)
        now = fresh[key].value if key in fresh else disputed.last.get(key, reading.value)
        if now == reading.value:
            fresh[key] = reading


def _refusal(reading: Reading, reason: str) -> Refused:
    topic = f"store/{reading.kind}/{reading.station}/{reading.sensor}"
    message = Message(topic, msgspec.json.encode(reading), reading.received_at)
    return Refused(message, "store_refused", reason)


class SlowResult(NamedTuple):
    """What the slow lane hands back to the pipeline: scores up to a position, and states to keep.

    ``saved`` is the position up to which all states are kept with these, 0 while more will follow.
    """

    scores: list[Score]
    pos: int
    states: list[tuple[str, str, str, str, bytes]]
    saved: int = 0


class SlowFollower:
    """Journal -> slow detectors -> scores; counts the gaps in devices' own numbers on the way.

    Args:
        lane: the slow detectors with their states.
        sequences: who counts the gaps.
        recent: newest batches in memory.
    """

    def __init__(
        self, engine: Engine, lane: SlowLane, sequences: SequenceFollower | None = None,
        recent: Recent | None = None,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._lane = lane
        self._sequences = sequences
        self._recent = recent
        self._pos = 0
        self._saving_upto = 0

    @property
    def saving(self) -> bool:
        """Whether states of a save that has begun are still to come."""
        return self._lane.saving

    def restore(self) -> None:
        """Bring the detectors to where their last scores were committed."""
        with self._engine.connect().execution_options(reading=True) as connection:
            self._lane.restore(_saved_states(connection))
            self._pos = journal.cursor(connection, "slow_snapshot")
            upto = journal.cursor(connection, "slow")
            if self._sequences is not None:
                self._sequences.restore(connection, upto)
            for pos, now, row in journal.tail(connection, self._pos):
                if pos > upto:
                    break
                self._judge(row, now)
                self._pos = pos

    def turn(self, now: int, listening_since: int, *, save: bool, limit: int = 50) -> SlowResult | None:
        """Judge up to ``limit`` new batches and the silence since; None when there is nothing to hand back."""
        rows = _entries(self._engine, self._recent, self._pos, limit)
        if rows:
            reached(Point.SLOW_READ)
        if self._sequences is not None:
            self._sequences.note(rows)
        scores: list[Score] = []
        until, done = time.monotonic() + _TURN_S, 0
        for pos, at, row in rows:
            scores += self._judge(row, at)
            self._pos, done = pos, done + 1
            if time.monotonic() > until:
                break
        if done == len(rows) < limit and listening_since:
            scores += self._lane.ticks(now, listening_since)
        if not (scores or rows or self._lane.saving):
            return None
        reached(Point.SLOW_JUDGED)
        if save and not self._lane.saving:
            self._lane.begin_save()
            self._saving_upto = self._pos
        states = self._lane.dump_some(_SAVED_AT_ONCE)
        saved = 0 if self._lane.saving else self._saving_upto
        self._saving_upto = self._saving_upto if self._lane.saving else 0
        return SlowResult(scores, self._pos, states, saved)

    def _judge(self, row: Row, now: int) -> list[Score]:
        heard = row.heard()
        scores = self._lane.take(heard, now, row.listening_since) if heard else []
        return scores + self._lane.miss(row.gone, row.listening_since) if row.gone else scores


def _saved_states(connection: Connection) -> Iterator[tuple[str, str, str, str, bytes]]:
    """Row by row, for there may be hundreds of thousands."""
    columns = slow_states.c
    query = select(columns.station, columns.sensor, columns.detector, columns.version, columns.body)
    query = query.order_by(columns.station, columns.sensor, columns.detector)
    for row in connection.execution_options(yield_per=1_000).execute(query):
        yield (row[0], row[1], row[2], row[3], bytes(row[4]))


def prune(engine: Engine, others: Sequence[str] = ()) -> int:
    """Remove batches that every follower has passed and a snapshot covers; returns how many.

    Args:
        others: cursors of further readers.
    """
    with unit_of_work(engine, repeatable=True) as connection:
        upto = min(journal.cursor(connection, name) for name in _READERS + tuple(others))
        return journal.forget(connection, upto)
