"""The journal: one row a batch, its inputs in the order they were stepped. Everything else is made from it."""

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from ingest.store.tables import cursors, journal
from pantau.event import Command, FlagRevised, Score, Tick
from pantau.reading import Flag, Reading

__all__ = ["Row", "append", "cursor", "forget", "last_pos", "move_cursor", "read"]


class Row(msgspec.Struct, array_like=True):
    """One batch. Order of stepping: ticks, commands, readings, scores.

    Attributes:
        readings: with the flags quality control gave them; duplicates are left out.
        unstepped: indices of readings that are only stored (late, future, conflicting).
        late: indices among them that have to be compared with what is stored already.
        pending: indices of readings that wait for their successor.
        revisions: flags of former readings, seen again.
        listening_since: when the service began to hear its sensors, ms.
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

    @property
    def empty(self) -> bool:
        """Nothing to judge."""
        return not (self.readings or self.scores or self.ticks or self.commands)

    def heard(self) -> list[tuple[Reading, bool]]:
        """Readings that were stepped and may be judged further, each with whether it waits for its successor."""
        unstepped, pending = set(self.unstepped), set(self.pending)
        return [
            (reading, index in pending)
            for index, reading in enumerate(self.readings)
            if index not in unstepped and reading.flag != Flag.FAIL
        ]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)


def append(connection: Connection, now: int, row: Row) -> int:
    """Write a batch; returns its position."""
    result = connection.execute(
        insert(journal).returning(journal.c.pos),
        {"now": now, "readings": len(row.readings), "body": _encoder.encode(row)},
    )
    return int(result.scalar_one())


def read(connection: Connection, after: int, limit: int = 200) -> Iterator[tuple[int, int, Row]]:
    """Batches after a position, oldest first: (pos, now, row)."""
    query = select(journal.c.pos, journal.c.now, journal.c.body).where(journal.c.pos > after)
    for pos, now, body in connection.execute(query.order_by(journal.c.pos).limit(limit)):
        yield pos, now, _decoder.decode(body)


def last_pos(connection: Connection) -> int:
    """Position of the newest batch, 0 in an empty journal."""
    return int(connection.execute(select(func.coalesce(func.max(journal.c.pos), 0))).scalar_one())


def forget(connection: Connection, upto: int) -> int:
    """Remove batches up to a position that every reader has passed; returns how many."""
    return connection.execute(delete(journal).where(journal.c.pos <= upto)).rowcount


def cursor(connection: Connection, name: str) -> int:
    """How far a reader of the journal has come, 0 at first."""
    found = connection.execute(select(cursors.c.pos).where(cursors.c.name == name)).scalar()
    return int(found or 0)


def move_cursor(connection: Connection, name: str, pos: int) -> None:
    """Remember how far a reader has come."""
    moved = connection.execute(cursors.update().where(cursors.c.name == name).values(pos=pos))
    if moved.rowcount == 0:
        connection.execute(insert(cursors), {"name": name, "pos": pos})
