"""A whole service without threads, network or waiting: pipeline, slow lane and forwarder, turned by hand.

Everything is on one database, so a second one opened on it is what a restart would find.
"""

from collections.abc import Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, select

from app.books import Books
from app.clock import VirtualClock
from app.database import METADATA, create_tables, open_engine
from app.followers import Forwarder, SlowFollower
from app.health import PEER
from app.pipeline import Inputs, Pipeline
from app.state import dump
from ingest.store.embedded import EmbeddedStore
from models.all import detectors
from models.lane import SlowLane
from pantau import cityfolder
from pantau.city import City
from pantau.event import Command, Event, Told, Transition
from pantau.ports import ReadingStore
from pantau.reading import Reading

__all__ = ["CITY", "MIN", "T0", "VirtualService", "fresh_database", "reading", "table_rows"]

MIN = 60_000
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
CITY = cityfolder.load(Path(__file__).parents[1] / "cities" / "contoh")


def fresh_database(path: Path | None = None) -> Engine:
    """A database with all tables: a file, or memory."""
    engine = open_engine(f"sqlite:///{path}" if path else "sqlite://", durable=False)
    create_tables(engine)
    return engine


def reading(station: str, value: float, at: int, *, city: City = CITY, **more: Any) -> Reading:
    """A reading that was received when it was observed, unless ``received_at`` says otherwise."""
    received_at = more.pop("received_at", at)
    return Reading(station, city.stations[station].kind, float(value), at, received_at, **more)


def table_rows(engine: Engine, *names: str, without: Iterable[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of tables (of all by default) in the order of their keys, without some columns."""
    found = {}
    left_out = set(without)
    with engine.connect() as connection:
        for table in (table for metadata in METADATA for table in metadata.sorted_tables):
            if not names or table.name in names:
                columns = [column for column in table.c if column.name not in left_out]
                query = select(*columns).order_by(*_order(table))
                found[table.name] = [tuple(row) for row in connection.execute(query)]
    return found


def _order(table: Table) -> Sequence[Any]:
    return list(table.primary_key)


class VirtualService:
    """See above; ``at`` is where its clock stands when it starts."""

    def __init__(
        self, engine: Engine, *, at: int = T0, city: City = CITY, store: ReadingStore | None = None
    ) -> None:
        self.engine, self.city = engine, city
        self.clock = VirtualClock(at, exercise=True)
        found = {**detectors(), PEER.name: PEER}
        books = Books(city, exercise=True, latest_every_s=0)
        books.log_transitions = False
        self.pipeline = Pipeline(engine, city, found, books, self.clock)
        self.pipeline.restore()
        self.slow = SlowFollower(engine, SlowLane(city, found))
        self.slow.restore()
        self.forwarder = Forwarder(engine, EmbeddedStore(engine) if store is None else store)
        self.log: list[Transition] = []

    def process(self, *readings: Reading, **more: Any) -> list[Event]:
        """One batch; ``more`` are fields of ``Inputs``."""
        events = self.pipeline.process(Inputs(readings=list(readings), **more))
        self.log += [event for event in events if isinstance(event, Transition)]
        return events

    def read(self, station: str, value: float, **more: Any) -> list[Event]:
        """A reading of now."""
        return self.process(reading(station, value, self.clock.now(), city=self.city, **more))

    def command(self, verb: str, **more: Any) -> Told:
        """What an operator does, and the answer."""
        events = self.process(commands=[Command(7, verb, "sari", **more)])
        [told] = [event for event in events if isinstance(event, Told)]
        return told

    def turn_slow(self, *, save: bool = False) -> None:
        """Let the slow lane catch up and commit what it says."""
        while (
            result := self.slow.turn(self.clock.now(), self.pipeline.listening_since, save=save)
        ) is not None:
            self.process(
                scores=result.scores, slow_pos=result.pos, slow_states=result.states, slow_saved=result.saved
            )
            if not result.scores:
                return

    def snapshot(self, *, now: bool) -> None:
        """Whether the next batch saves the states."""
        sweep = self.pipeline.states.sweep
        sweep.every_s, sweep._next_at = 0.0 if now else inf, -inf

    def sweep(self, how: str) -> None:
        """What the next batch writes of states and latest values: ``all`` that changed, ``one`` of each, ``none``."""
        for sweep in (self.pipeline.states.sweep, self.pipeline.books.sweep):
            sweep.every_s = {"all": 0.0, "one": 1e-9, "none": inf}[how]
            sweep._fewest = sweep._piece = 1
            sweep._next_at = sweep._begun_at = -inf

    def states(self) -> dict[str, bytes]:
        """Every group's state as bytes."""
        states = self.pipeline.states
        found = {group: states.peek(group) for group in sorted({*states._states, *states._asleep})}
        return {group: dump(state, self.pipeline.step.detectors) for group, state in found.items() if state}
