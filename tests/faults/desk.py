"""Operators at work while everything is killed: readings at three gauges, and commands that answer them, in rounds.

A command meets a state of its own group, so each step waits until the one before is committed; the gauges are no part
of the stream. That makes a round's transitions the same in every run, but for the instants at which people act.
"""

import time
from collections.abc import Callable
from threading import Event
from typing import Any

import httpx

from simulators.publish import MqttPublisher
from tests.faults.load import START_MS, message
from tests.faults.outcome import rows
from tests.faults.town import DESK
from tests.faults.victim import Victim

_ROUND_MS = 180_000
_PAUSE_S = 2.0
MOST_ROUNDS = 75
_PATIENCE_S = 240.0
"""For one step: the service may be killed several times meanwhile. Nobody asks twice out of impatience."""


class Desk:
    """Works through rounds.

    Attributes:
        done: rounds that are finished.
    """

    def __init__(self, victim: Victim, publisher: MqttPublisher) -> None:
        self.done = 0
        self._victim, self._publisher = victim, publisher

    def work(self, stop: Event, rounds: int = MOST_ROUNDS) -> None:
        """Rounds until told to stop, or until there were so many."""
        while self.done < rounds and not stop.is_set():
            self._round(self.done)
            self.done += 1
            stop.wait(_PAUSE_S if rounds == MOST_ROUNDS else 0)

    def _round(self, number: int) -> None:
        base = START_MS - 240 * 60_000 + number * _ROUND_MS
        harbour, typed, repaired = DESK
        self._publish(harbour, base, (60, 61, 240, 241))
        alert = self._alert(harbour)
        self._ask(f"/api/v1/alerts/{alert}/acknowledge", note=f"round {number}")
        if number % 2:
            self._ask(f"/api/v1/alerts/{alert}/close", note="known")
        self._enter(typed, base, 50)
        self._enter(typed, base + 10_000, 230, confirm=True)
        if number % 3 == 0:
            self._ask(
                "/api/v1/readings/mark-wrong", station=typed, observed_at=base + 10_000, note="meant 50"
            )
        self._enter(typed, base + 20_000, 50, confirm=True)
        if number % 3 == 1:
            self._ask(f"/api/v1/stations/{repaired}/service", in_service=False, note="new sensor")
            self._publish(repaired, base, (60, 61, 200, 201))
            self._ask(f"/api/v1/stations/{repaired}/service", in_service=True)
        self._publish(harbour, base + 60_000, (60, 60, 60))
        self._publish(harbour, base + 150_000, (60, 61))

    def _publish(self, station: str, base: int, values: tuple[int, ...]) -> None:
        """Readings ten seconds apart; returns when the last one is committed."""
        at = base
        for at, value in enumerate(values):
            self._publisher.send(*message(station, value, base + at * 10_000))
        at = base + at * 10_000
        self._until(
            lambda: self._one(f"SELECT 1 FROM latest WHERE station = '{station}' AND observed_at >= {at}")
        )

    def _alert(self, station: str) -> str:
        query = f"SELECT id FROM alerts WHERE scope = '{station}' AND cause = 'level' AND closed_at IS NULL"
        self._until(lambda: self._one(f"{query} AND confirmed"))
        return str(self._one(query))

    def _enter(self, station: str, at: int, value: float, *, confirm: bool = False) -> None:
        self._ask("/api/v1/readings", station=station, value=value, observed_at=at, confirm=confirm)

    def _ask(self, path: str, **body: object) -> None:
        """Gives a command once: an answer that was lost is looked up, as a person would, and not asked for again."""
        before = self._one("SELECT count(*) FROM commands")

        def given() -> bool:
            if self._one("SELECT count(*) FROM commands") > before:
                return True
            try:
                self._victim.http.post(path, json=body, timeout=_PATIENCE_S)
            except httpx.HTTPError:
                time.sleep(0.2)
            return bool(self._one("SELECT count(*) FROM commands") > before)

        self._until(given)
        self._until(lambda: not self._one("SELECT count(*) FROM commands WHERE applied_at IS NULL"))

    def _one(self, query: str) -> Any:
        found = rows(self._victim.database, query)
        return next(iter(found[0].values())) if found else None

    def _until(self, claim: Callable[[], object]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not claim():
            assert time.monotonic() < deadline, "the desk waited in vain"
            time.sleep(0.05)
