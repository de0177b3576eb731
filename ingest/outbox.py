"""Where messages wait until the broker has acknowledged them: in memory, or in a file that survives a restart.

MQTT clients keep outgoing messages in memory only, so a publisher that ends while the broker is away would lose them.
"""

import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

import msgspec

from pantau.errors import ConfigError

__all__ = ["DiskOutbox", "MemoryOutbox", "Outbox", "Waiting", "open_file"]


class Waiting(msgspec.Struct, frozen=True):
    """A message that the broker has not acknowledged yet; ``id`` grows with each message."""

    id: int
    topic: str
    payload: bytes
    retain: bool


class Outbox(Protocol):
    """Keeps messages in order; used under the publisher's lock."""

    durable: bool

    def add(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Keep one message."""
        ...

    def after(self, last: int, limit: int) -> list[Waiting]:
        """The next messages after the one with id ``last``, at most ``limit``."""
        ...

    def remove(self, id: int) -> None:
        """The broker has it."""
        ...

    def __len__(self) -> int: ...

    def close(self) -> None:
        """Nothing more will come."""
        ...


class MemoryOutbox:
    """Keeps messages as long as the process lives."""

    durable = False

    def __init__(self) -> None:
        self._kept: OrderedDict[int, Waiting] = OrderedDict()
        self._last = 0

    def add(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Keep one message."""
        self._last += 1
        self._kept[self._last] = Waiting(self._last, topic, payload, retain)

    def after(self, last: int, limit: int) -> list[Waiting]:
        """The next messages after the one with id ``last``, at most ``limit``."""
        # Ids have no holes after `last`: only what was handed over can have been removed.
        ids = range(last + 1, min(self._last, last + limit) + 1)
        return [self._kept[number] for number in ids]

    def remove(self, id: int) -> None:
        """The broker has it."""
        self._kept.pop(id, None)

    def __len__(self) -> int:
        return len(self._kept)

    def close(self) -> None:
        """Forget everything."""
        self._kept.clear()


def open_file(path: Path) -> sqlite3.Connection:
    """A SQLite file for one process; whoever uses it from several threads holds a lock around every call.

    Raises:
        sqlite3.Error: it cannot be opened or is something else.
    """
    file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=NORMAL")
    return file


class DiskOutbox:
    """Keeps messages in a SQLite file; what a former process left is sent first.

    Args:
        file: path, made when it is not there; or an open file that has tables of its own beside this one.
        most_bytes: of topics and payloads together; when there is more, the oldest go. None: no limit but the disk.

    Attributes:
        dropped: messages that went so since start.

    Raises:
        ConfigError: the file cannot be opened or is something else.
    """

    durable = True

    def __init__(self, file: Path | sqlite3.Connection, *, most_bytes: int | None = None) -> None:
        self.dropped = 0
        self._most_bytes = most_bytes
        try:
            # The publisher's lock is held around every call, whichever thread makes it.
            self._file = open_file(file) if isinstance(file, Path) else file
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS outbox"
                " (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT, payload BLOB, retain INTEGER)"
            )
            self.recount()
        except sqlite3.Error as error:
            raise ConfigError(
                f"--outbox {file}: {error}; name a new file in a folder that can be written"
            ) from None

    def recount(self) -> None:
        """Count anew what is in the file: at start, and after a transaction around ``add`` was rolled back."""
        row = self._file.execute(
            "SELECT count(*), total(length(CAST(topic AS BLOB)) + length(payload)) FROM outbox"
        ).fetchone()
        self._count, self._bytes = int(row[0]), int(row[1])

    def add(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Keep one message; it survives the end of this process."""
        self._file.execute(
            "INSERT INTO outbox (topic, payload, retain) VALUES (?, ?, ?)", (topic, payload, retain)
        )
        self._count += 1
        self._bytes += len(topic.encode()) + len(payload)
        while self._most_bytes is not None and self._bytes > self._most_bytes and self._count > 1:
            self.remove(self._file.execute("SELECT min(id) FROM outbox").fetchone()[0])
            self.dropped += 1

    def after(self, last: int, limit: int) -> list[Waiting]:
        """The next messages after the one with id ``last``, at most ``limit``."""
        rows = self._file.execute(
            "SELECT id, topic, payload, retain FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (last, limit)
        )
        return [Waiting(number, topic, payload, bool(retain)) for number, topic, payload, retain in rows]

    def remove(self, id: int) -> None:
        """The broker has it."""
        gone = self._file.execute(
            "DELETE FROM outbox WHERE id = ? RETURNING length(CAST(topic AS BLOB)) + length(payload)", (id,)
        ).fetchall()
        self._count -= len(gone)
        self._bytes -= sum(size for (size,) in gone)

    def __len__(self) -> int:
        return int(self._count)

    def close(self) -> None:
        """Close the file; what is left in it stays."""
        self._file.close()
