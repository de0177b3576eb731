"""Puts the parts together: settings in, a running service out. The only place that chooses between real parts."""

import gc
import os
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import IO

import structlog
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine

from alerts.channel import Channel
from alerts.sender import Sender
from app import citycache
from app.board import Board
from app.books import Books
from app.database import exchange_note, file_of, migrate, open_engine
from app.followers import Forwarder, SlowFollower
from app.health import PEER, Health
from app.housekeeper import Housekeeper
from app.late import LateStore
from app.pipeline import Pipeline
from app.public import PublicTopics
from app.sequences import SequenceFollower
from app.service import FastLane, Threads, follow, give_a_head_start, slow_loop, wait_for
from app.settings import Settings
from app.sole import bound, locked
from ingest.decode import all_formats
from ingest.mqtt import PahoPublisher
from ingest.reader import MqttReceiver
from ingest.store.embedded import EmbeddedStore
from models.all import configure
from models.all import detectors as all_detectors
from models.detector import Detector
from models.lane import SlowLane
from pantau import registry
from pantau.city import City
from pantau.faultpoint import Point, reached
from pantau.ports import Clock, ReadingStore
from status.api import create_app, end_streams

__all__ = ["PARTS", "Service", "load_city", "load_detectors", "open_store"]

_log = structlog.get_logger("pantau.wiring")

_SERVER_S = 2.0
"""The HTTP server begins before the lanes do, if it does so soon."""
_STORE_PATIENCE_S = 1.0
"""Readings may reach the store so much later: it takes thousands at once for the price of a few."""
PARTS = ("ingest", "alerts", "status")
"""What ``pantau run --only`` can choose from; all of them in one process by default."""


def load_city(settings: Settings) -> City:
    """The settings' city, its formats checked as well."""
    return citycache.load(settings.city, settings.data, all_formats())


def load_detectors(settings: Settings) -> dict[str, Detector]:
    """All detectors, those with artifacts told where they lie."""
    found = all_detectors()
    configure(found, settings.data)
    return {**found, PEER.name: PEER}


class Service:
    """Everything that runs in one process.

    Args:
        settings: read from the environment.
        parts: some of ``PARTS``.
    """

    def __init__(
        self, settings: Settings, parts: Collection[str] = PARTS, clock: Clock | None = None
    ) -> None:
        gc.disable()  # until everything is read: see _calm_the_collector
        self.settings = settings
        self.parts = parts
        self.clock: Clock = clock or settings.clock
        self.city = load_city(settings)
        self.engine: Engine = open_engine(settings.database_url, settings.data)
        self.health = Health()
        self.threads = Threads()
        self.store = open_store(settings, self.engine, self.city)
        self.sender: Sender | None = None
        self._publisher: PahoPublisher | None = None
        self._server: uvicorn.Server | None = None
        self._app: FastAPI | None = None
        self._receiver: MqttReceiver | None = None
        self._sockets: list[socket.socket] = []
        self._lock: IO[str] | None = None

    def start(self) -> None:
        """Open, restore, subscribe; returns at once. Peers that are away are waited for.

        Raises:
            ConfigError: another service has this database or this port; no peer has been met.
        """
        self._take_what_is_ours()
        migrate(self.engine)
        lanes = self._restored() if "ingest" in self.parts else None
        if "alerts" in self.parts:
            self._start_alerts()
        if "status" in self.parts:
            self._start_status()
        # The lanes come last: they want the processor, and whoever asks for /readyz should not wait for them.
        if lanes is not None:
            lanes()
        else:
            self.health.ready = self.health.caught_up = True
        _calm_the_collector()

    def stop(self) -> None:
        """End in order: what is not committed was not acknowledged."""
        if self._server is not None and self._app is not None:
            end_streams(self._app)
            self._server.should_exit = True
        self.threads.join()
        for peer in (self._receiver, self._publisher):
            if peer is not None:
                peer.stop()
        self.engine.dispose()
        for sock in self._sockets:
            sock.close()
        if self._lock is not None:
            self._lock.close()

    def _take_what_is_ours(self) -> None:
        file = file_of(self.settings.database_url)
        if "ingest" in self.parts and file is not None:
            self._lock = locked(file)
        if "status" in self.parts:
            self._sockets = bound(*self.settings.http)

    def _restored(self) -> Callable[[], None]:
        """The pipeline as the last commit left it; returns what lets its lanes run."""
        detectors = load_detectors(self.settings)
        books = Books(self.city, exercise=self.clock.exercise)
        pipeline = Pipeline(self.engine, self.city, detectors, books, self.clock)
        pipeline.restore()
        reached(Point.RESTORED)
        books.on_notices = self._wake_sender
        system = pipeline.states.peek("system")
        self.health.resume(
            alert.key.cause for alert in system.alerts.values() if alert.is_open
        ) if system else None
        return partial(self._start_lanes, pipeline, detectors)

    def _start_lanes(self, pipeline: Pipeline, detectors: Mapping[str, Detector]) -> None:
        stop = self.threads.stop
        slow_errors: Counter[str] = Counter()
        sequences = SequenceFollower()

        def slow() -> None:
            slow_lane = SlowLane(self.city, detectors, lambda: self.clock.slack_ms, errors=slow_errors)
            slow_loop(SlowFollower(self.engine, slow_lane, sequences, pipeline.recent), lane, stop)

        filters = pipeline.decoder.filters
        self._receiver = MqttReceiver(
            self.settings.mqtt_url, f"pantau-{self.city.id}", filters, self.clock,
            former=exchange_note(self.engine, "filters", "\n".join(filters)).splitlines(),
        )  # fmt: skip
        lane = FastLane(pipeline, self._receiver, self.health, stop, self._publisher_of_ours().send)
        self._receiver.start()
        forwarder = Forwarder(self.engine, self.store, pipeline.recent, _STORE_PATIENCE_S)
        name = "influxdb" if self.settings.influx else "store"
        self.threads.start("fast-lane", lane.run)
        self._start_behind("slow-lane", slow)
        self._start_behind("forwarder", lambda: follow(name, forwarder.turn, self.health, stop))
        keeper = Housekeeper(lane, slow_errors, sequences, self.health)
        self.threads.start("housekeeper", lambda: keeper.loop(stop))

    def _start_alerts(self) -> None:
        stop = self.threads.stop
        publisher = self._publisher_of_ours()
        channels = registry.find("alerts.channels", "CHANNEL", Channel, "name")
        worker = f"{socket.gethostname()}-{os.getpid()}"
        self.sender = sender = Sender(
            self.engine, self.city, channels, publisher, self.clock,
            broker_url=self.settings.mqtt_url, worker=worker,
        )  # fmt: skip
        public = PublicTopics(self.engine, self.city, publisher, self.clock, self.health)
        self.threads.start("sender", lambda: sender.loop(stop))
        self._start_behind("public-topics", lambda: follow("mqtt-out", public.turn, self.health, stop))

    def _publisher_of_ours(self) -> PahoPublisher:
        """The connection by which this process publishes; made when first needed."""
        if self._publisher is None:
            part = "alerts" if "alerts" in self.parts else "ingest"
            self._publisher = PahoPublisher(self.settings.mqtt_url, f"pantau-{self.city.id}-{part}")
            self._publisher.start()
        return self._publisher

    def _wake_sender(self, channels: Iterable[str]) -> None:
        if self.sender is not None:
            self.sender.wake(channels)

    def _start_status(self) -> None:
        board = Board(self.engine, self.city, self.clock, self.store)
        self._app = app = create_app(board, self.city, self.clock, self.health, exercise=self.clock.exercise)
        host, port = self.settings.http
        config = uvicorn.Config(
            app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=2
        )
        self._server = server = uvicorn.Server(config)
        self.threads.start("http", lambda: server.run(self._sockets))
        wait_for(lambda: server.started, _SERVER_S, self.threads.stop)

    def _start_behind(self, name: str, work: Callable[[], None]) -> None:
        """A thread that lets the fast lane go first."""

        def run() -> None:
            give_a_head_start(self.health, self.threads.stop)
            work()

        self.threads.start(name, run)


def _calm_the_collector() -> None:
    """Tell Python's garbage collector that the city and its states stay: looking through them costs, and finds nothing.

    What a reading makes is freed by reference counting; cycles come from rarer things and may wait.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


def open_store(settings: Settings, engine: Engine, city: City) -> ReadingStore:
    """History as the settings choose it: InfluxDB, else the database itself."""
    influx = settings.influx
    if influx is None:
        return EmbeddedStore(engine)

    def opened() -> ReadingStore:
        from ingest.store.influx import InfluxStore

        return InfluxStore(influx.url, influx.token, influx.org, influx.bucket, city.id)

    return LateStore(opened)
