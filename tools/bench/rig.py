"""What all parts of the benchmark share: peers, cities, and a subject that runs on a fresh broker and bucket."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pantau.city import City
from simulators.fleet import FleetMessage
from simulators.load import LoadClient, Timed, numbered
from tests.peers import Influx, process
from tests.peers.secured import SecuredBroker, secured
from tools.bench.city import FIRST_LIMIT_CM, make_city
from tools.bench.subjects import NodeRed, Pantau, Telegraf
from tools.bench.truth import Stored
from tools.bench.webhook import Arrivals, receiver

__all__ = ["Place", "Rig", "Running", "now_ms", "timed"]

_PROBES = 120
_START_S = 600.0
"""How long a restart may take before the run is given up; whether it was soon enough is a figure, not an error."""
_BEFORE_MS = 2 * 86_400_000
"""The probe's reading lies before everything that is looked at afterwards."""


class Place(NamedTuple):
    """A city and where it lies; ``probe`` is a station that only shows that messages get through."""

    city: City
    folder: Path

    @property
    def probe(self) -> str:
        """The last gauge."""
        return max(one.id for one in self.city.stations.values() if one.kind == "water_level")


class Running(NamedTuple):
    """A subject that has taken a first reading, with its peers; ``home`` is on the disk that its data are on."""

    subject: Pantau | Telegraf | NodeRed
    broker: SecuredBroker
    notices: Arrivals
    home: Path

    @property
    def url(self) -> str:
        """Pantau's own API."""
        if not isinstance(self.subject, Pantau):
            raise TypeError(f"{self.subject.name} has no API")
        return self.subject.url

    def client(self, name: str = "pantau-load") -> LoadClient:
        """A load generator; to be entered."""
        return LoadClient(self.broker.url, client_id=name)

    def send(self, messages: Iterable[FleetMessage]) -> None:
        """As fast as the broker takes them."""
        with self.client() as client:
            client.run(timed(messages))


def timed(messages: Iterable[FleetMessage]) -> Iterator[Timed]:
    """Packets of messages."""
    return numbered((one.at, one.topic, one.payload) for one in messages)


def now_ms() -> int:
    """Real time, ms since 1970 UTC."""
    return time.time_ns() // 1_000_000


class Rig:
    """The peers of a whole run.

    Args:
        folder: for everything that is written.
        programs: paths of ``telegraf`` and ``node-red``.
    """

    def __init__(self, folder: Path, influx: Influx, programs: Mapping[str, str]) -> None:
        process.START_TIMEOUT = _START_S
        self.influx = influx
        self._folder = folder
        self._programs = programs
        self._places: dict[tuple[int, int], Place] = {}
        self._number = 0

    def place(self, gauges: int, zones: int = 0) -> Place:
        """A city of that size; made once."""
        size = (gauges, zones)
        if size not in self._places:
            home = self._folder / f"city-{gauges}-{zones}"
            self._places[size] = Place(make_city(home, gauges, zones), home / "bench")
        return self._places[size]

    def stored(self, start: int, end: int) -> Stored:
        """What the present bucket holds between two instants, ms."""
        return Stored(self.influx, start, end)

    @contextlib.contextmanager
    def running(self, name: str, place: Place) -> Iterator[Running]:
        """A fresh broker, a fresh bucket, a fresh receiver and the subject, which has taken a first reading."""
        home = self._home()
        self.influx.bucket = self.influx.new_bucket()
        with receiver(home) as notices, secured() as broker:
            running = Running(self._subject(name, home, place, broker, notices), broker, notices, home)
            running.subject.start()
            try:
                self._probe(running, place)
                yield running
            finally:
                running.subject.stop()

    def _subject(
        self, name: str, home: Path, place: Place, broker: SecuredBroker, notices: Arrivals
    ) -> Pantau | Telegraf | NodeRed:
        if name == "pantau":
            return Pantau(home, place.folder, broker, self.influx, notices.url)
        if name == "telegraf":
            return Telegraf(home, self._programs[name], broker, self.influx)
        return NodeRed(home, self._programs[name], broker, notices.url)

    def _home(self) -> Path:
        self._number += 1
        home = self._folder / f"round-{self._number}"
        home.mkdir()
        home.chmod(0o755)
        return home

    def _probe(self, running: Running, place: Place) -> None:
        """Until a reading gets through, the subject has not subscribed."""
        now = now_ms() - _BEFORE_MS
        stored = self.stored(now - 1000, now + _PROBES * 10)
        tells = isinstance(running.subject, NodeRed)
        seen: Callable[[], bool] = (
            (lambda: bool(running.notices.read())) if tells else (lambda: stored.count() > 0)
        )
        topic = f"pantau/v1/{place.city.id}/water_level/{place.probe}".encode()
        value = FIRST_LIMIT_CM + 100.0 if tells else FIRST_LIMIT_CM - 100.0
        for attempt in range(_PROBES):
            payload = b'{"observed_at": %d, "value": %.1f, "unit": "cm"}' % (now + attempt, value)
            with running.client("probe") as client:
                client.run(numbered([(0, topic, payload)]))
            time.sleep(0.5)
            if seen():
                return
        raise SystemExit(f"bench: no reading came through {running.subject.name} within {_PROBES // 2} s")
