"""What a bridge remembers on disk: readings on their way to the broker, how far each source was read, how it goes.

One SQLite file a feed. What is new and the mark that says it was taken are written in one transaction, so that a kill
between the poll and the broker neither loses a reading nor makes it look unpublished for ever.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from ingest.bridge import Mark
from ingest.outbox import DiskOutbox, Waiting, open_file
from pantau.errors import ConfigError

__all__ = ["MOST_BYTES", "FeedBook", "State", "Status", "read_status"]

MOST_BYTES = 256_000_000
"""Of waiting messages: forty posts every five minutes for some months, for a broker that is away."""

_TABLES = """
CREATE TABLE IF NOT EXISTS mark (source TEXT PRIMARY KEY, observed_at INTEGER, value REAL, cursor TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);
"""


class State(msgspec.Struct):
    """How it goes; instants are ms since 1970 UTC, None: never.

    Attributes:
        url: that etag and last_modified belong to.
        last_poll, last_success: when the feed was last asked, when it last answered well.
        last_new_at: when it last showed something new.
        last_observed_at: newest observed_at that was taken.
        next_at: when it will be asked again.
        errors: failed polls in a row.
        error: why the last one failed, empty when it did not.
        still: it answers, and shows nothing new for longer than it should.
        taken: readings since the file was made.
        dropped: messages that went unpublished because the outbox was full.
        skipped: what the last poll could not use.
    """

    url: str = ""
    etag: str = ""
    last_modified: str = ""
    last_poll: int | None = None
    last_success: int | None = None
    last_new_at: int | None = None
    last_observed_at: int | None = None
    next_at: int | None = None
    errors: int = 0
    error: str = ""
    still: bool = False
    taken: int = 0
    dropped: int = 0
    skipped: dict[str, int] = {}


class Status(msgspec.Struct, frozen=True):
    """State, and how many messages wait for the broker."""

    state: State
    waiting: int


class FeedBook:
    """The file of one feed; its methods may be called by any thread, and by one process at a time.

    Args:
        path: made with its folder when it is not there.

    Raises:
        ConfigError: it cannot be opened, or another process has it open.
    """

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._alone = _locked(path)
            self._file = open_file(path)
            self._file.executescript(_TABLES)
            self._outbox = DiskOutbox(self._file, most_bytes=most_bytes)
            self.state = _state(self._file)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"{path}: {error}; PANTAU_DATA must be a folder that can be written, or move this file away"
            ) from None

    def marks(self) -> dict[str, Mark]:
        """How far each source was read."""
        with self._lock:
            rows = self._file.execute("SELECT source, observed_at, value, cursor FROM mark").fetchall()
        return {source: Mark(at, value, cursor) for source, at, value, cursor in rows}

    def take(self, messages: Iterable[tuple[str, bytes]], marks: Mapping[str, Mark]) -> int:
        """Keep messages for the broker together with the new marks and the state; how many old ones had to go.

        Raises:
            sqlite3.Error: nothing was kept.
        """
        with self._lock, self._all_or_nothing():
            before = self._outbox.dropped
            for topic, payload in messages:
                self._outbox.add(topic, payload, retain=False)
            self._file.executemany(
                "INSERT OR REPLACE INTO mark (source, observed_at, value, cursor) VALUES (?, ?, ?, ?)",
                [(source, m.observed_at, m.value, m.cursor) for source, m in marks.items()],
            )
            dropped = self._outbox.dropped - before
            self.state.dropped += dropped
            self._save()
        return dropped

    def save(self) -> None:
        """Keep the state.

        Raises:
            sqlite3.Error: it was not kept.
        """
        with self._lock:
            self._save()

    def waiting(self, limit: int) -> list[Waiting]:
        """The oldest messages."""
        with self._lock:
            return self._outbox.after(0, limit)

    def remove(self, id: int) -> None:
        """The broker has it."""
        with self._lock:
            self._outbox.remove(id)

    def __len__(self) -> int:
        with self._lock:
            return len(self._outbox)

    def close(self) -> None:
        """Close the file; what waits in it stays."""
        with self._lock:
            self._file.close()
            self._alone.close()

    def _save(self) -> None:
        self._file.execute(
            "INSERT OR REPLACE INTO state (id, body) VALUES (1, ?)", (msgspec.json.encode(self.state),)
        )

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk may have rolled it back already
                self._file.execute("ROLLBACK")
            self._outbox.recount()
            raise


def read_status(path: Path) -> Status | None:
    """How a feed goes, also while another process works at it; None: it was never polled.

    Raises:
        ConfigError: the file is no such file.
    """
    if not path.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            return Status(_state(file), int(file.execute("SELECT count(*) FROM outbox").fetchone()[0]))
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: {error}; it is no bridge's file, move it away") from None


def _state(file: sqlite3.Connection) -> State:
    row = file.execute("SELECT body FROM state").fetchone()
    return State() if row is None else msgspec.json.decode(row[0], type=State)


def _locked(path: Path) -> sqlite3.Connection:
    """A lock that ends with the process, however it ends: an open exclusive transaction on a file beside it."""
    alone = sqlite3.connect(f"{path}.lock", timeout=0, isolation_level=None, check_same_thread=False)
    try:
        alone.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        alone.close()
        raise ConfigError(f"{path}: this bridge runs already; end the other process first") from None
    return alone
