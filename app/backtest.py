"""A recording through the whole pipeline on a virtual clock: what would have been alerted, and when."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from app import journal
from app.books import Books
from app.clock import VirtualClock
from app.database import create_tables, open_engine, unit_of_work
from app.pipeline import Inputs, Pipeline
from models.detector import Detector
from models.lane import SlowLane
from pantau.city import City
from pantau.event import Event, Score, Transition
from pantau.forms import rfc3339
from pantau.reading import Reading
from pantau.siaga import siaga_of
from simulators.row import Recording

__all__ = ["PRINTED", "backtest", "object_of"]

PRINTED = frozenset({"raised", "confirmed", "lowered", "closed", "withdrawn"})
"""Transitions of the condition itself; what operators did and reminders stay on the timeline."""
_FORGET_EVERY = 2_000


def backtest(recording: Recording, city: City, detectors: Mapping[str, Detector]) -> Iterator[Transition]:
    """Transitions of a recording in order; the cadence of each station is taken from the recording."""
    cadences = recording.cadences_ms()
    stations = {
        name: replace(station, cadence_ms=cadences.get(name, station.cadence_ms))
        for name, station in city.stations.items()
    }
    run = _Run(replace(city, stations=stations), detectors)
    for at, rows in groupby(recording.rows, key=lambda row: row.at):
        yield from run.advance(at)
        yield from run.read([Reading(row.station, row.kind, row.value, at, at, row.sensor) for row in rows])


def object_of(transition: Transition, city: City) -> dict[str, Any]:
    """A transition as ``--json`` prints it; ``siaga`` is null where the published scale does not apply."""
    station = city.stations.get(transition.station)
    on_scale = (
        station is not None and city.kinds[station.kind].siaga and transition.cause in {"level", "forecast"}
    )
    return {
        "at": rfc3339(transition.at),
        "station": transition.station or transition.scope,
        "name": station.name if station else transition.scope,
        "hazard": transition.hazard,
        "cause": transition.cause,
        "transition": transition.what,
        "severity": transition.severity,
        "siaga": siaga_of(transition.severity) if on_scale else None,
        "value": transition.value,
        "confirmed": transition.confirmed,
        "forecast": transition.forecast,
    }


class _Run:
    """Pipeline and slow lane, turned by hand."""

    def __init__(self, city: City, detectors: Mapping[str, Detector]) -> None:
        self.clock = VirtualClock()
        self.lane = SlowLane(city, detectors)
        engine = open_engine("sqlite://", durable=False)
        create_tables(engine)
        books = Books(city, exercise=True)
        books.log_transitions = False
        self.pipeline = Pipeline(engine, city, detectors, books, self.clock)
        self._batches = 0

    def advance(self, to: int) -> Iterator[Transition]:
        """Let timers before ``to`` fire, each at its own time."""
        while (due := self._next_due(to)) is not None:
            self.clock.set(due)
            yield from self._process(Inputs())
            yield from self._judge(self.lane.ticks(due, self.pipeline.listening_since))
        self.clock.set(to)
        if not self.pipeline.listening_since:
            self.pipeline.listening_since = to

    def read(self, readings: list[Reading]) -> Iterator[Transition]:
        """Take the readings of one instant."""
        row_events = self.pipeline.process(Inputs(readings=readings))
        yield from _transitions(row_events)
        heard = self.pipeline.last.heard()
        yield from self._judge(self.lane.take(heard, self.clock.now(), self.pipeline.listening_since))
        self._batches += 1
        if self._batches % _FORGET_EVERY == 0:
            with unit_of_work(self.pipeline.engine) as connection:
                journal.forget(connection, journal.last_pos(connection))

    def _judge(self, scores: list[Score]) -> Iterator[Transition]:
        if scores:
            yield from self._process(Inputs(scores=scores))

    def _process(self, inputs: Inputs) -> Iterator[Transition]:
        yield from _transitions(self.pipeline.process(inputs))

    def _next_due(self, before: int) -> int | None:
        timers = [due for due in (self.pipeline.states.next_due(), self.lane.next_due()) if due is not None]
        due = min(timers, default=None)
        return due if due is not None and due < before else None


def _transitions(events: Iterable[Event]) -> Iterator[Transition]:
    for event in events:
        if isinstance(event, Transition) and event.what in PRINTED:
            yield event
