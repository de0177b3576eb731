"""The fast lane's heart: judge a batch and commit everything that follows from it in one transaction.

The life of a reading: receive (``ingest.reader``), decode (``ingest.decode``), step (``app.step``), commit once (here),
acknowledge (``app.service``). What may take longer follows the journal (``app.followers``). A failed commit is undone
by reading the states back; nothing was acknowledged, so nothing is lost.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from app import journal
from app.books import Books
from app.database import unit_of_work
from app.journal import Row
from app.metrics import BATCH_SECONDS, BATCHES, FATES, STEP_SECONDS, TRANSITIONS
from app.states import States
from app.step import Fate, Step
from ingest.decode import Decoder, Refused
from ingest.store.formats import load_format_states, save_format_states
from models.detector import Detector
from pantau.city import City
from pantau.event import Command, Event, FlagRevised, Gone, Score, Told, Transition
from pantau.faultpoint import Point, reached
from pantau.ports import Clock
from pantau.reading import Flag, Reading

__all__ = ["Inputs", "Pipeline"]

_log = structlog.get_logger("pantau.pipeline")


_ORDINARY = {Fate.STEPPED}


@dataclass
class Inputs:
    """What one batch brings, before it is judged.

    Attributes:
        answers: manual readings: (command id, index in ``readings``).
        gone: sensors whose gateway says that they are away.
        slow_pos: journal position up to which ``scores`` were made, 0 when the slow lane handed nothing back.
        slow_states: some of its detectors' states, as of ``slow_pos``.
        slow_saved: journal position up to which all of its states are saved with these; 0 in mid-sweep.
    """

    readings: list[Reading] = field(default_factory=list)
    refused: Sequence[Refused] = ()
    scores: list[Score] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    answers: list[tuple[int, int]] = field(default_factory=list)
    gone: list[Gone] = field(default_factory=list)
    slow_pos: int = 0
    slow_states: list[tuple[str, str, str, str, bytes]] = field(default_factory=list)
    slow_saved: int = 0


class Pipeline:
    """The fast lane: the only writer of alert state.

    Args:
        engine: the one database.
        books: what a batch writes beside the journal.
        clock: real, scaled or virtual.

    Attributes:
        listening_since: when the sensors could be heard from, ms; 0 while they cannot.
        counts: readings by ``Fate``.
        last: the newest batch as it was journaled.
        recent: the newest committed batches, for those who follow closely.
    """

    def __init__(
        self, engine: Engine, city: City, detectors: Mapping[str, Detector], books: Books, clock: Clock
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.books = books
        self.decoder = Decoder(city)
        self.step = Step(city, detectors, clock.slack_ms)
        self.states = States(self.step, detectors)
        self.listening_since = 0
        self.counts: Counter[str] = Counter()
        self.last = Row()
        self.recent = journal.Recent()
        self._now = 0
        self._torn = False
        self._restored = False

    @property
    def sweeping(self) -> bool:
        """Whether latest values or snapshots are being written piece by piece."""
        return self.books.sweep.under_way or self.states.sweep.under_way

    def restore(self) -> None:
        """Bring the states to what the last commit left; call before the first batch and after a failed commit.

        What the formats know of former messages is read at the start only: a batch that failed is tried again as it was
        decoded, so they have to stay ahead of the last commit.
        """
        with self.engine.connect() as connection:
            if not self._restored:
                self.decoder.restore(load_format_states(connection))
                self._restored = True
            self._now = max(self._now, self.states.restore(connection))
            self.books.load(connection)
            self.recent.begin(journal.last_pos(connection))
        self._torn = False

    def process(self, inputs: Inputs) -> list[Event]:
        """Judge and commit one batch; on return it is stored, on an exception nothing of it is.

        Raises:
            DBAPIError: the database refused; the states are as before.
        """
        started = time.perf_counter()
        if self._torn:  # a failed commit could not be undone while the database was away
            self.restore()
        self._now = now = max(self._now, self.clock.now())
        self.step.slack_ms = self.clock.slack_ms
        row = Row(
            ticks=self.states.due_ticks(now, self.listening_since), commands=inputs.commands, readings=inputs.readings,
            scores=inputs.scores, listening_since=self.listening_since, gone=inputs.gone,
        )  # fmt: skip
        leisure = row.empty
        sweeping = self.books.sweep.due(at_leisure=leisure) or self.states.sweep.due(at_leisure=leisure)
        learnt = self.decoder.dump_changed()
        if leisure and not inputs.refused and not inputs.slow_pos and not sweeping and not learnt:
            return []
        events: list[Event] = []
        self._torn = True
        fates = self.states.step(row, now, events)
        events += [
            Told(command, *_fate_in_words(row.readings[index], fates[index]))
            for command, index in inputs.answers
        ]
        self._sort(row, fates, events)
        stepped = time.perf_counter()
        STEP_SECONDS.labels("judge").inc(stepped - started)
        reached(Point.STEPPED)
        self.last = row
        try:
            with unit_of_work(self.engine) as connection:
                pos, saved = self._write(connection, row, inputs, events, now, learnt)
        except DBAPIError:
            self.restore()
            raise
        self._torn = False
        self.decoder.saved()
        if not row.empty:
            self.recent.add(pos, now, row)
        STEP_SECONDS.labels("commit").inc(time.perf_counter() - stepped)
        reached(Point.COMMITTED)
        if inputs.slow_pos:
            reached(Point.SLOW_COMMITTED)
        self.states.note_timers()
        if saved:
            reached(Point.SNAPSHOT_COMMITTED)
        self.books.committed(events, inputs.refused)
        self._tell(row, inputs, events, fates, time.perf_counter() - started)
        return events

    def _tell(self, row: Row, inputs: Inputs, events: list[Event], fates: list[str], seconds: float) -> None:
        """The canonical line and the counts of a batch; one that only moved a cursor is not worth a line."""
        BATCHES.inc()
        BATCH_SECONDS.observe(seconds)
        for fate, count in Counter(fates).items():
            FATES.labels(fate).inc(count)
        changed = [event for event in events if isinstance(event, Transition)]
        for transition in changed:
            TRANSITIONS.labels(transition.what, transition.hazard).inc()
        if self.books.log_transitions and (fates or inputs.refused or changed):
            _log.info(
                "batch", readings=len(fates), stored=len(row.readings), refused=len(inputs.refused),
                transitions=len(changed), ms=round(seconds * 1000, 1),
            )  # fmt: skip

    def _sort(self, row: Row, fates: list[str], events: list[Event]) -> None:
        """Leave duplicates out and note which readings were only stored, which wait."""
        self.counts.update(fates)
        row.revisions = [event for event in events if isinstance(event, FlagRevised)]
        if set(fates) <= _ORDINARY:
            return
        if Fate.DUPLICATE in fates:
            keeps = [fate != Fate.DUPLICATE for fate in fates]
            row.readings, fates = list(compress(row.readings, keeps)), list(compress(fates, keeps))
        unusual = [(index, fate) for index, fate in enumerate(fates) if fate != Fate.STEPPED]
        row.unstepped = [index for index, fate in unusual if fate != Fate.PENDING]
        row.late = [index for index, fate in unusual if fate == Fate.LATE]
        row.pending = [index for index, fate in unusual if fate == Fate.PENDING]

    def _write(
        self, connection: Connection, row: Row, inputs: Inputs, events: list[Event], now: int,
        learnt: Mapping[str, bytes],
    ) -> tuple[int, int]:  # fmt: skip
        """The one transaction: journal, formats, latest, refused, transitions, notices, answers, cursors, snapshots.

        Returns:
            The batch's position, and how many groups were saved.
        """
        pos = journal.last_pos(connection) if row.empty else journal.append(connection, now, row)
        reached(Point.JOURNALED)
        save_format_states(connection, learnt)
        self.books.write(connection, row, inputs.refused, events, self.states, now, pos)
        if inputs.slow_pos:
            journal.move_cursor(connection, "slow", inputs.slow_pos)
        if inputs.slow_states or inputs.slow_saved:
            self.books.write_slow_states(connection, inputs.slow_states, inputs.slow_pos, inputs.slow_saved)
        saved = self.states.save(connection, pos, at_leisure=row.empty)
        if saved:
            reached(Point.SNAPSHOT_WRITTEN)
        reached(Point.BEFORE_COMMIT)
        return pos, saved


def _fate_in_words(reading: Reading, fate: str) -> tuple[bool, str]:
    """The answer to whoever entered a reading by hand."""
    if reading.flag == Flag.FAIL:
        return fate != Fate.FUTURE, reading.reason
    words = {
        Fate.DUPLICATE: "this reading was stored already",
        Fate.LATE: "stored as history: a newer reading is there already",
        Fate.CONFLICT: "stored in place of another value for the same instant; not judged again",
    }
    waits = f'stored; {reading.reason}: enter it again, or with "confirm": true if it was read so'
    return True, waits if fate == Fate.PENDING else words.get(fate, "stored and judged")
