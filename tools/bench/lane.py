"""The slow lane by hand: a town's readings in, batches as the fast lane hands them on; what judging them costs out.

The lane runs in this process and thread as ``app.followers.SlowFollower`` turns it: readings of one instant are one
batch, flagged by the fast lane before, and time passes after each batch.
"""

import gc
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from app import journal
from app.books import Books
from app.clock import VirtualClock
from app.database import create_tables, open_engine, unit_of_work
from app.pipeline import Inputs, Pipeline
from models.detector import Detector
from models.lane import SlowLane, StateRow
from pantau.city import City
from pantau.event import Score
from pantau.reading import Reading
from tools.bench.town import START

__all__ = ["Cost", "Lane", "Turn", "merged", "turns_of"]

_FORGET_EVERY = 2_000


class Turn(NamedTuple):
    """A batch: its instant, ms, and the readings that were stepped, each with whether it waits for its successor."""

    at: int
    heard: list[tuple[Reading, bool]]


class Cost(NamedTuple):
    """CPU seconds of so many readings (or of whatever was counted)."""

    seconds: float
    readings: int

    @property
    def us(self) -> float:
        """Microseconds for each."""
        return 1e6 * self.seconds / max(1, self.readings)


class Lane:
    """A slow lane with the states it begins from.

    Attributes:
        lane: the product's own.
        told: every score so far.
        refused: states that could not be used.
    """

    def __init__(
        self, city: City, detectors: Mapping[str, Detector], states: Iterable[StateRow] = ()
    ) -> None:
        self.lane = SlowLane(city, detectors)
        self.refused = self.lane.restore(states)
        self.told: list[Score] = []

    def play(self, turns: Sequence[Turn], size: int = 0) -> Cost:
        """Judge batches, each cut into pieces of ``size`` readings (0: whole); the CPU time of this thread."""
        lane, told = self.lane, self.told
        batches = [(turn.at, list(_pieces(turn.heard, size or len(turn.heard)))) for turn in turns]
        gc.collect()
        gc.freeze()  # as the service does: what is there before stays, and is not looked through again and again
        began = time.thread_time()
        for at, pieces in batches:
            for piece in pieces:
                told += lane.take(piece, at, START)
            told += lane.ticks(at, START)
        seconds = time.thread_time() - began
        gc.unfreeze()
        return Cost(seconds, sum(len(turn.heard) for turn in turns))

    def keep(self) -> tuple[Cost, list[StateRow]]:
        """All states as they are kept, and what that costs a sensor."""
        self.lane.begin_save()
        began = time.thread_time()
        rows = self.lane.dump_some(1 << 30)
        return Cost(time.thread_time() - began, len({row[:2] for row in rows})), rows


def turns_of(city: City, readings: Iterable[Reading]) -> list[Turn]:
    """Readings in time order as the fast lane hands them on: flagged, none that failed, one batch an instant."""
    clock = VirtualClock()
    engine = open_engine("sqlite://", durable=False)
    create_tables(engine)
    books = Books(city, exercise=True)
    books.log_transitions = False
    pipeline = Pipeline(engine, city, {}, books, clock)
    pipeline.listening_since = START
    turns = []
    for at, batch in groupby(readings, key=lambda reading: reading.observed_at):
        clock.set(at)
        pipeline.process(Inputs(readings=list(batch)))
        if heard := pipeline.last.heard():
            turns.append(Turn(at, heard))
        if len(turns) % _FORGET_EVERY == 0:
            with unit_of_work(engine) as connection:
                journal.forget(connection, journal.last_pos(connection))
    engine.dispose()
    return turns


def merged(turns: Iterable[Turn], size: int) -> list[Turn]:
    """Batches of at least ``size`` readings but the last: what a service gets that has fallen behind."""
    found: list[Turn] = []
    for turn in turns:
        if found and len(found[-1].heard) < size:
            found[-1] = Turn(turn.at, found[-1].heard + turn.heard)
        else:
            found.append(turn)
    return found


def _pieces(heard: list[tuple[Reading, bool]], size: int) -> Iterator[list[tuple[Reading, bool]]]:
    for first in range(0, len(heard), size):
        yield heard[first : first + size]
