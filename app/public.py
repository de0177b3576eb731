"""The public MQTT topics, all retained: each station's status, each area's worst confirmed alert, our health."""

import time

import msgspec
from sqlalchemy import Engine

from alerts.publish import public_alerts
from alerts.store.alerts import newest_pos
from alerts.store.service import under_repair
from app import journal
from app.database import unit_of_work
from app.health import Health
from ingest.store.latest import latest_since
from pantau.city import City
from pantau.errors import Unavailable
from pantau.forms import rfc3339, station_properties
from pantau.ports import Clock, Publisher
from pantau.record import LatestRecord, Newest

__all__ = ["PublicTopics"]

_STATIONS_EVERY_S, _SHARE = 0.5, 0.02
"""Stations are looked at twice a second, or so much less often that it takes a fiftieth of the time."""
_SWEEP_S = 5.0
"""How often stations are looked at for becoming stale, which no reading announces."""


class PublicTopics:
    """Publishes what changed; a cursor in the database remembers how far it came, so a restart misses nothing."""

    def __init__(
        self, engine: Engine, city: City, publisher: Publisher, clock: Clock, health: Health
    ) -> None:
        self._engine = engine
        self._city = city
        self._publisher = publisher
        self._clock = clock
        self._health = health
        self._records = Newest()
        self._out: dict[str, str] = {}
        self._seen = -1
        self._states: dict[str, str] = {}
        self._swept_at = self._stations_at = 0.0

    def turn(self) -> int:
        """Publish everything that changed since the last turn; returns how many messages.

        Raises:
            Unavailable: the broker is away; nothing was moved on.
        """
        began = time.monotonic()
        with self._engine.connect().execution_options(reading=True) as connection:
            done, upto = journal.cursor(connection, "public"), newest_pos(connection)
            messages = (
                public_alerts(connection, self._city, done, exercise=self._clock.exercise)
                if upto > done
                else []
            )
            resting = began < self._stations_at  # the stations' turn; alerts go out with every one
            if not resting:
                self._take_records(latest_since(connection, self._seen))
                self._out = under_repair(connection)
        if not resting:
            messages += self._stations()
        try:
            for topic, payload in messages:
                self._publisher.publish(topic, payload, retain=True)
        except Unavailable:
            self._states.clear()  # every station is published again when the broker is back
            raise
        if upto > done:
            with unit_of_work(self._engine, repeatable=True) as connection:
                journal.move_cursor(connection, "public", upto)
        if not resting:
            ended = time.monotonic()
            self._stations_at = ended + max(_STATIONS_EVERY_S, (ended - began) / _SHARE)
        return len(messages)

    def _take_records(self, records: list[LatestRecord]) -> None:
        self._records.add(records)
        for record in records:
            self._seen = max(self._seen, record.pos)
            self._states.pop(record.station, None)

    def _stations(self) -> list[tuple[str, bytes]]:
        """Stations with a new value, and every few seconds those whose state changed by time alone."""
        sweep = time.monotonic() - self._swept_at >= _SWEEP_S
        now = self._clock.now()
        out = []
        for id_, sensors in self._records.items():
            if id_ not in self._city.stations or (id_ in self._states and not sweep):
                continue
            properties = station_properties(
                self._city.stations[id_], sensors, self._city, now,
                out_of_service=self._out.get(id_),
                exercise=self._clock.exercise, slack_ms=self._clock.slack_ms,
            )  # fmt: skip
            if self._states.get(id_) != properties["state"]:
                self._states[id_] = properties["state"]
                out.append(
                    (f"pantau/v1/{self._city.id}/public/status/{id_}", msgspec.json.encode(properties))
                )
        if sweep:
            self._swept_at = time.monotonic()
            health = {"as_of": rfc3339(now), "ready": self._health.ready, "degraded": self._health.degraded}
            out.append((f"pantau/v1/{self._city.id}/public/health", msgspec.json.encode(health)))
        return out
