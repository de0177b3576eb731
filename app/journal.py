"""The journal: one row a batch, its inputs in the order they were stepped. Everything else is made from it."""

import threading
from collections import deque
from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from ingest.store.tables import cursors, journal
from pantau.event import Command, FlagRevised, Gone, Score, Tick
from pantau.reading import Flag, Reading

__all__ = [
    "Entry",
    "Recent",
    "Row",
    "append",
    "cursor",
    "forget",
    "last_pos",
    "move_cursor",
    "read",
    "size",
    "tail",
]


_FAIL = int(Flag.FAIL)
_MOST_READINGS = 50_000
_PAGE = 20


class Row(msgspec.Struct, array_like=True):
    """One batch. Order of stepping: ticks, commands, readings, scores.

    Attributes:
        readings: with the flags quality control gave them; duplicates are left out.
        unstepped: indices of readings that are only stored (late, future, conflicting).
        late: indices among them that have to be compared with what is stored already.
        pending: indices of readings that wait for their successor.
        revisions: flags of former readings, seen again.
        listening_since: when the service began to hear its sensors, ms.
        gone: sensors whose gateway said that they are away.
    """

    ticks: list[Tick] = []
    commands: list[Command] = []
    readings: list[Reading] = []
    scores: list[Score] = []
    unstepped: list[int] = []
    late: list[int] = []
    pending: list[int] = []
    revisions: list[FlagRevised] = []
    listening_since: int = 0
    gone: list[Gone] = []

    @property
    def empty(self) -> bool:
        """Nothing to judge."""
        return not (self.readings or self.scores or self.ticks or self.commands or self.gone)

    def heard(self) -> list[tuple[Reading, bool]]:
        """Readings that were stepped and may be judged further, each with whether it waits for its successor."""
        unstepped, pending = set(self.unstepped), set(self.pending)
        if not (unstepped or pending):
            return [(reading, False) for reading in self.readings if reading.flag != _FAIL]
        return [
            (reading, index in pending)
            for index, reading in enumerate(self.readings)
            if index not in unstepped and reading.flag != _FAIL
        ]


Entry = tuple[int, int, Row]
"""A batch as its readers get it: (position, now, inputs)."""


class Recent:
    """The newest batches in memory: who follows the journal closely need not read and decode them again.

    The batches are shared between threads; nobody changes them.

    Args:
        most_readings: kept in all, some 15 MB; who is further behind reads the database.
    """

    def __init__(self, most_readings: int = _MOST_READINGS) -> None:
        self._entries: deque[Entry] = deque()
        self._most = most_readings
        self._readings = 0
        self._before: int | None = None
        self._lock = threading.Lock()

    def begin(self, pos: int) -> None:
        """Forget everything; what is added next comes after this position."""
        with self._lock:
            self._entries.clear()
            self._readings, self._before = 0, pos

    def add(self, pos: int, now: int, row: Row) -> None:
        """A batch that was committed."""
        with self._lock:
            self._entries.append((pos, now, row))
            self._readings += len(row.readings)
            while self._readings > self._most and len(self._entries) > 1:
                self._before, _, oldest = self._entries.popleft()
                self._readings -= len(oldest.readings)

    def after(self, pos: int, limit: int) -> list[Entry] | None:
        """Batches after a position, oldest first; None when some of them are not here any more."""
        with self._lock:
            if self._before is None or pos < self._before:
                return None
            found: list[Entry] = []
            for entry in reversed(self._entries):
                if entry[0] <= pos:
                    break
                found.append(entry)
        found.reverse()
        return found[:limit]


# Made once: making a statement and its cache key costs more than SQLite takes to run it.
_APPEND = insert(journal).returning(journal.c.pos)
_LAST = select(func.coalesce(func.max(journal.c.pos), 0))
_CURSOR = select(cursors.c.pos).where(cursors.c.name == bindparam("reader"))
_MOVE = cursors.update().where(cursors.c.name == bindparam("reader")).values(pos=bindparam("upto"))

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)


def append(connection: Connection, now: int, row: Row) -> int:
    """Write a batch; returns its position."""
    result = connection.execute(
        _APPEND,
        {"now": now, "readings": len(row.readings), "body": _encoder.encode(row)},
    )
    return int(result.scalar_one())


def read(connection: Connection, after: int, limit: int = 200) -> Iterator[Entry]:
    """Batches after a position, oldest first: (pos, now, row)."""
    query = select(journal.c.pos, journal.c.now, journal.c.body).where(journal.c.pos > after)
    for pos, now, body in connection.execute(query.order_by(journal.c.pos).limit(limit)):
        yield pos, now, _decoder.decode(body)


def tail(connection: Connection, after: int) -> Iterator[Entry]:
    """Every batch after a position, oldest first, few of them in memory at once: there may be a million readings."""
    pos, before = after, -1
    while pos != before:
        before = pos
        for entry in read(connection, pos, _PAGE):
            pos = entry[0]
            yield entry


def last_pos(connection: Connection) -> int:
    """Position of the newest batch, 0 in an empty journal."""
    return int(connection.execute(_LAST).scalar_one())


def size(connection: Connection) -> int:
    """Bytes of all batches that are kept."""
    return int(
        connection.execute(select(func.coalesce(func.sum(func.length(journal.c.body)), 0))).scalar_one()
    )


def forget(connection: Connection, upto: int) -> int:
    """Remove batches up to a position that every reader has passed; returns how many."""
    return connection.execute(delete(journal).where(journal.c.pos <= upto)).rowcount


def cursor(connection: Connection, name: str) -> int:
    """How far a reader of the journal has come, 0 at first."""
    found = connection.execute(_CURSOR, {"reader": name}).scalar()
    return int(found or 0)


def move_cursor(connection: Connection, name: str, pos: int) -> None:
    """Remember how far a reader has come."""
    moved = connection.execute(_MOVE, {"reader": name, "upto": pos})
    if moved.rowcount == 0:
        connection.execute(insert(cursors), {"name": name, "pos": pos})
