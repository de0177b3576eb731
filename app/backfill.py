"""History goes straight to the reading store: rows of files in, what became of them out.

Not through the broker and the journal, on purpose: history needs no judging, a live value that is only kept out of the
way by a mark could still be moved by a mistake, and ten million rows must not stand before the next flood reading.
What the pipeline promises of a reading holds all the same: one value an identity, conflicts listed. It works while the
service runs and while it is stopped, and may be repeated.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import msgspec
from sqlalchemy import Engine

from app.database import unit_of_work
from ingest.history import HistoryReader
from ingest.rows import Row
from ingest.store.conflicts import note_conflicts
from ingest.store.embedded import EmbeddedStore
from ingest.store.identity import Identity, identity
from ingest.store.sift import sent_before, sift
from pantau.errors import RefusedMessage, Unavailable
from pantau.ports import ReadingStore
from pantau.reading import Reading

__all__ = ["Backfill", "Refusal", "Tally"]

_CHUNK = 5_000
_WRITE = 250
_PAUSE_S = 0.02
"""SQLite has one write lock, and who waits for it polls at 1, 3, 8, 18, 33 ms: the lock is held for a few milliseconds
and left alone for longer than it was held, so that the fast lane meets it free at its second or third look."""
_RETRY_S = (1.0, 2.0, 5.0, 10.0, 20.0)

T = TypeVar("T")


class Refusal(NamedTuple):
    """A row that did not go in."""

    row: Row
    code: str
    reason: str


class Tally(msgspec.Struct):
    """What became of the rows.

    Attributes:
        rows: read.
        new: stored for an instant that had no value.
        replaced: another value stood there; it is on the list of conflicts.
        unchanged: the same value stood there.
        superseded: stood there once and gave way to another value; left alone.
        without_value: rows that say nothing.
        too_old: older than the store keeps; left out.
        refused: by code.
        first, last: earliest and latest time of usable rows, ms.
        stations: ids, with the number of usable rows.
    """

    rows: int = 0
    new: int = 0
    replaced: int = 0
    unchanged: int = 0
    superseded: int = 0
    without_value: int = 0
    too_old: int = 0
    refused: Counter[str] = msgspec.field(default_factory=Counter)
    first: int | None = None
    last: int | None = None
    stations: Counter[str] = msgspec.field(default_factory=Counter)

    def span(self, at: int) -> None:
        """A usable row of this time."""
        self.first = at if self.first is None else min(self.first, at)
        self.last = at if self.last is None else max(self.last, at)


class Backfill:
    """Brings rows into the store.

    Args:
        engine: the one database; its list of conflicts is kept there, whatever the store is.
        oldest: what the store keeps from, ms; older rows are counted and left out.
        now: for the list of conflicts, ms.
        refused: told of each row that does not go in.
        dry_run: compare with the store, and change nothing.
        wait: sleeps; tests do not.
    """

    def __init__(  # noqa: PLR0913 - all but the first three have a default
        self,
        engine: Engine,
        store: ReadingStore,
        reader: HistoryReader,
        *,
        now: int,
        oldest: int = 0,
        refused: Callable[[Refusal], None] = lambda _: None,
        dry_run: bool = False,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.tally = Tally()
        self._engine = engine
        self._store = store
        self._reader = reader
        self._now = now
        self._oldest = oldest
        self._refused = refused
        self._dry_run = dry_run
        self._wait = wait
        self._polite = engine.dialect.name == "sqlite" and isinstance(store, EmbeddedStore)

    def check(self, rows: Iterable[Row]) -> Iterator[Tally]:
        """Read rows without touching the store; the tally so far after every few thousand."""
        taken = iter(rows)
        while chunk := list(islice(taken, _CHUNK)):
            self._readings(chunk)
            yield self.tally

    def take(self, rows: Iterable[Row]) -> Iterator[Tally]:
        """Bring rows in; the tally so far after every few thousand.

        Raises:
            Unavailable: the store or the database stayed away; what the tally counts is in.
        """
        taken = iter(rows)
        while chunk := list(islice(taken, _CHUNK)):
            self._settle(self._readings(chunk))
            yield self.tally

    def _readings(self, rows: Sequence[Row]) -> dict[int, tuple[Row, Reading]]:
        """Usable rows by their place in the chunk."""
        found: dict[int, tuple[Row, Reading]] = {}
        tally = self.tally
        tally.rows += len(rows)
        for index, row in enumerate(rows):
            if row.problem:
                self._refuse(row, "bad_row", row.problem)
                continue
            try:
                reading = self._reader.reading(row.cells)
            except RefusedMessage as error:
                self._refuse(row, error.code, error.reason)
                continue
            if reading is None:
                tally.without_value += 1
                continue
            tally.span(reading.observed_at)
            tally.stations[reading.station] += 1
            if reading.observed_at < self._oldest:
                tally.too_old += 1
            else:
                found[index] = (row, reading)
        return found

    def _settle(self, found: dict[int, tuple[Row, Reading]]) -> None:
        readings = [reading for _, reading in found.values()]
        keys = {identity(reading) for reading in readings}
        with self._engine.connect().execution_options(reading=True) as connection:
            sent = sent_before(connection, keys)
        stored = self._patiently(lambda: self._store.existing(readings))
        sifted = sift(readings, stored, sent, self._now)
        refused: dict[Identity, str] = {}
        if not self._dry_run:
            if sifted.found:  # noted first: the store forgets the former value
                with unit_of_work(self._engine) as connection:
                    note_conflicts(connection, sifted.found)
            refused = {identity(reading): reason for reading, reason in self._write(sifted.fresh)}
        tally = self.tally
        tally.new += sifted.new
        tally.replaced += sifted.replaced
        tally.unchanged += sifted.unchanged
        tally.superseded += sifted.superseded
        for row, reading in found.values() if refused else ():
            reason = refused.pop(identity(reading), "")
            if reason:
                tally.new -= identity(reading) not in stored
                tally.replaced -= identity(reading) in stored
                self._refuse(row, "store_refused", reason)

    def _write(self, fresh: Sequence[Reading]) -> list[tuple[Reading, str]]:
        bad = []
        most = _WRITE if self._polite else _CHUNK
        for begin in range(0, len(fresh), most):
            part = fresh[begin : begin + most]
            started = time.monotonic()
            bad += self._patiently(lambda part=part: self._store.write(part))  # type: ignore[misc]
            if self._polite:
                self._wait(max(_PAUSE_S, 2 * (time.monotonic() - started)))
        return bad

    def _patiently(self, attempt: Callable[[], T]) -> T:
        """As often as a peer that is busy deserves; importing again goes on where it ended."""
        for seconds in _RETRY_S:
            try:
                return attempt()
            except Unavailable as error:
                self._wait(error.retry_after_s or seconds)
        return attempt()

    def _refuse(self, row: Row, code: str, reason: str) -> None:
        self.tally.refused[code] += 1
        self._refused(Refusal(row, code, reason))
