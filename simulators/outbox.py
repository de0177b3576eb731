"""Where messages wait until the broker has acknowledged them: in memory, or in a file that survives a restart.

MQTT clients keep outgoing messages in memory only, so a publisher that ends while the broker is away would lose them.
"""

import sqlite3
from collections import OrderedDict
from pathlib import Path
from typing import Protocol

import msgspec

from pantau.errors import ConfigError

__all__ = ["DiskOutbox", "MemoryOutbox", "Outbox", "Waiting"]


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


class DiskOutbox:
    """Keeps messages in a SQLite file; what a former process left is sent first.

    Args:
        path: made when it is not there.

    Raises:
        ConfigError: the file cannot be opened or is something else.
    """

    durable = True

    def __init__(self, path: Path) -> None:
        try:
            # The publisher's lock is held around every call, whichever thread makes it.
            self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS outbox"
                " (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT, payload BLOB, retain INTEGER)"
            )
            self._count = self._file.execute("SELECT count(*) FROM outbox").fetchone()[0]
        except sqlite3.Error as error:
            raise ConfigError(
                f"--outbox {path}: {error}; name a new file in a folder that can be written"
            ) from None

    def add(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """Keep one message; it survives the end of this process."""
        self._file.execute(
            "INSERT INTO outbox (topic, payload, retain) VALUES (?, ?, ?)", (topic, payload, retain)
        )
        self._count += 1

    def after(self, last: int, limit: int) -> list[Waiting]:
        """The next messages after the one with id ``last``, at most ``limit``."""
        rows = self._file.execute(
            "SELECT id, topic, payload, retain FROM outbox WHERE id > ? ORDER BY id LIMIT ?", (last, limit)
        )
        return [Waiting(number, topic, payload, bool(retain)) for number, topic, payload, retain in rows]

    def remove(self, id: int) -> None:
        """The broker has it."""
        self._count -= self._file.execute("DELETE FROM outbox WHERE id = ?", (id,)).rowcount

    def __len__(self) -> int:
        return int(self._count)

    def close(self) -> None:
        """Close the file; what is left in it stays."""
        self._file.close()
