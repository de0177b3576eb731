"""Follows the journal and counts what devices lost before it reached us: batches in, gaps per device out."""

import threading
import time
from collections.abc import Iterable
from itertools import takewhile

from sqlalchemy import Connection

from app import journal
from app.journal import Row
from ingest.metrics import SEQUENCE_DEVICES, SEQUENCE_MISSING, SEQUENCE_RESETS
from ingest.sequence import Sequences
from ingest.store.sequences import load_sequences, save_parts

__all__ = ["CURSOR", "SequenceFollower"]

CURSOR = "sequences"
"""Its cursor: batches after it are counted again at the next start, so ``prune`` has to leave them."""

SAVE_EVERY_S = 60.0
"""With 100,000 sensors a save is 4 MB and 70 ms: every ten seconds it would cost more than judging them."""


class SequenceFollower:
    """Counts each batch once, whoever brings it and how often.

    One thread notes, another may save.
    """

    def __init__(self) -> None:
        self._sequences = Sequences()
        self._pos = 0
        self._saved_at = float("-inf")
        self._saving = False
        self._lock = threading.Lock()

    @property
    def pos(self) -> int:
        """Journal position up to which everything is counted."""
        return self._pos

    def restore(self, connection: Connection, upto: int | None = None) -> None:
        """What the last save left, and the journal since (up to a position, by default its end)."""
        with self._lock:
            self._sequences = load_sequences(connection)
            self._pos = journal.cursor(connection, CURSOR)
        tail = journal.tail(connection, self._pos)
        self.note(tail if upto is None else takewhile(lambda entry: entry[0] <= upto, tail))

    def note(self, rows: Iterable[tuple[int, int, Row]]) -> None:
        """Count batches as ``journal.read`` gives them; one that was counted before changes nothing."""
        with self._lock:
            for pos, _, row in rows:
                if pos > self._pos:
                    self._sequences.note(row.readings)
                    self._pos = pos

    def save(self, connection: Connection, *, at_once: bool = False) -> None:
        """Write what changed and move the cursor, once a minute; call ``saved`` when the transaction is committed."""
        with self._lock:
            SEQUENCE_DEVICES.set(len(self._sequences))
            SEQUENCE_MISSING.set(self._sequences.missing)
            SEQUENCE_RESETS.set(self._sequences.resets)
            if not at_once and time.monotonic() - self._saved_at < SAVE_EVERY_S:
                return
            parts, pos = self._sequences.dump_changed(), self._pos
            self._saving = True
        save_parts(connection, parts)
        journal.move_cursor(connection, CURSOR, pos)

    def saved(self) -> None:
        """The transaction of the last ``save`` was committed; without this the next one writes the same parts again."""
        with self._lock:
            if self._saving:
                self._saving = False
                self._saved_at = time.monotonic()
                self._sequences.saved()
