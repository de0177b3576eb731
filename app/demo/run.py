"""Runs the demo: broker, service, receivers and replay in one place, all of it gone at the end."""

import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from rich.console import Console
from rich.live import Live

from alerts.store import contacts, tokens
from app.clock import RealClock, ScaledClock
from app.database import migrate, open_engine, unit_of_work
from app.demo.broker import DemoBroker, demo_broker, free_port
from app.demo.receivers import Inbox, mqtt_watcher, webhook_receiver
from app.demo.screen import Moment, plain, render
from app.demo.world import World, make_world
from app.log import configure_logs
from app.settings import Settings
from app.wiring import Service
from pantau import cityfolder
from pantau.errors import Unavailable
from simulators.publish import MqttPublisher
from simulators.replay import Played, play, sleep_until

__all__ = ["Course", "run_demo"]

_READY_S = 60.0
_LEAD_S = 0.5
_PLAIN_EVERY_S = 5.0
_SETTLE_S = 2.0  # the last readings are judged and told before the end is announced
_SCREEN_EVERY_S = 0.5
_PASSED = (
    "The flood has passed; Ctrl-C ends it. Until then the pages stay up and the clock goes on at real speed, but no "
    "gauge reports any more: all of them go stale."
)
_BEFORE_MS = 86_400_000  # until everything is ready, the demo's clock stands a day before the flood


class Course(NamedTuple):
    """What was asked for."""

    city: Path
    event: str
    start: str | None
    speed: float
    skip_unknown: bool
    once: bool


def run_demo(course: Course) -> None:
    """Play the flood until it is over and the user presses Ctrl-C (with ``once``: until it is over)."""
    city = cityfolder.load(course.city)
    world = make_world(course.city, city, course.event, course.start, skip_unknown=course.skip_unknown)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal ends everything, like Ctrl-C
        signal.signal(number, signal.default_int_handler)
    clock = ScaledClock(world.flood.start, course.speed, RealClock().now() + round(_BEFORE_MS / course.speed))
    inbox, secret = Inbox(), secrets.token_urlsafe(24)
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="pantau-demo-", ignore_cleanup_errors=True)
            )
        )
        # Log lines would tear the live table and bury the progress lines.
        configure_logs(stack.enter_context((folder / "pantau.log").open("w", encoding="utf-8")))
        stack.callback(configure_logs)
        broker = stack.enter_context(demo_broker(folder))
        receiver = stack.enter_context(webhook_receiver(inbox, secret))
        settings = _settings(course.city, folder, broker)
        token = _people(settings, city.id, [(r.role, r.channels) for r in city.recipients], receiver, secret)
        stack.enter_context(mqtt_watcher(inbox, broker.url, f"pantau/v1/{city.id}/notices/#", clock))
        service = Service(settings, clock=clock)
        stack.callback(service.stop)
        service.start()
        _wait_ready(service)
        clock.anchor_ms = RealClock().now() + round(_LEAD_S * 1000)
        _Show(course, world, broker, service, inbox, clock, token).play()


def _settings(city: Path, folder: Path, broker: DemoBroker) -> Settings:
    return Settings(
        city=city, mqtt_url=broker.url, database_url=f"sqlite:///{folder / 'pantau.db'}", influx=None,
        http=("127.0.0.1", free_port()), data=folder, simulated=None,
    )  # fmt: skip


def _people(
    settings: Settings, city: str, roles: list[tuple[str, tuple[str, ...]]], receiver: str, secret: str
) -> str:
    """Every role's address is a receiver on this machine; returns a token for trying the operators' commands."""
    addresses = {
        "webhook": f"{receiver}/webhook",
        "apprise": receiver.replace("http://", "json://") + "/apprise",
        "mqtt": f"pantau/v1/{city}/notices/exercise",
    }
    engine = open_engine(settings.database_url, settings.data)
    migrate(engine)
    now = RealClock().now()
    with unit_of_work(engine) as connection:
        for role, channels in roles:
            for channel in channels:
                if channel in addresses:
                    contacts.add(
                        connection, role, channel, addresses[channel], now, name="demo", secret=secret
                    )
        token = tokens.add(connection, "demo", "operator", now)
    engine.dispose()
    return token


def _wait_ready(service: Service) -> None:
    deadline = time.monotonic() + _READY_S
    while not service.health.ready:
        if service.threads.stop.is_set() or time.monotonic() > deadline:
            raise Unavailable("pantau", f"was not ready within {_READY_S:.0f} s: {service.health.peers}")
        time.sleep(0.05)


class _Show:
    """The replay in one thread, the screen in this one."""

    def __init__(
        self, course: Course, world: World, broker: DemoBroker, service: Service, inbox: Inbox, clock: ScaledClock,
        token: str,
    ) -> None:  # fmt: skip
        self.course, self.world, self.broker, self.service = course, world, broker, service
        self.inbox, self.clock, self.token = inbox, clock, token
        host, port = service.settings.http
        self.page = f"http://{host}:{port}/"
        self.note = broker.note
        self._told = False
        self.sent = 0
        self.over = threading.Event()
        self.stop = threading.Event()
        self.began = time.monotonic()
        self._api = httpx.Client(base_url=self.page, timeout=2, trust_env=False)

    def play(self) -> None:
        """Until the end."""
        console = Console(stderr=False)
        self._introduce(console)
        thread = threading.Thread(target=self._replay, name="replay", daemon=True)
        thread.start()
        try:
            if console.is_terminal:
                with Live(console=console, auto_refresh=False, screen=False) as live:
                    self._loop(
                        _SCREEN_EVERY_S,
                        lambda moment: live.update(
                            render(moment, self.service.city, console.width, console.height), refresh=True
                        ),
                    )
            else:
                self._loop(_PLAIN_EVERY_S, lambda moment: self._print(console, moment))
        except KeyboardInterrupt:
            pass
        finally:
            self.stop.set()
            thread.join(10)
        console.print("The demo is over; everything it made is gone." if not self.course.once else "Done.")

    def _introduce(self, console: Console) -> None:
        console.print("[bold]LATIHAN / EXERCISE[/bold]: nobody outside this machine is told anything.")
        if self.broker.note:
            console.print(f"[yellow]{self.broker.note}[/yellow]")
        console.print(
            f"Flood: {self.world.flood.name}, {self.course.speed:g} times as fast, broker: {self.broker.name}"
        )
        for word in self.world.broken:
            console.print(f"Broken on purpose: {word}")
        console.print(f"Public page: {self.page}  (English: {self.page}en)   API: {self.page}api/v1/stations")
        console.print("Operator's token for this run, to try the commands of docs/api.md:")
        console.print(self.token, soft_wrap=True, markup=False)

    def _replay(self) -> None:
        def progress(played: Played, _emission: object) -> None:
            self.sent = played.messages
            if self.stop.is_set():
                raise _StoppedError

        nap = sleep_until(self.clock, lambda seconds: (self.stop.wait(seconds), None)[1])
        try:
            with MqttPublisher(self.broker.url) as publisher:
                publisher.wait_connected(10)
                play(self.world.stream, self.service.city, publisher, nap, progress=progress)
                publisher.flush(10)
        except _StoppedError:
            return
        self.stop.wait(_SETTLE_S)
        self.over.set()

    def _print(self, console: Console, moment: Moment) -> None:
        """A line while something happens; after the flood one that says so, and silence."""
        if not self.stop.is_set():
            console.print(plain(moment, self.service.city), soft_wrap=True, markup=False)
        elif not self._told:
            console.print(self.note, soft_wrap=True, markup=False)
            self._told = True

    def _loop(self, every_s: float, show: Callable[[Moment], Any]) -> None:
        while not self.service.threads.stop.is_set():
            was_over = self.over.is_set()
            moment = self._moment()
            if moment is not None:
                show(moment)
            if was_over and self.course.once:
                return
            if was_over and not self.stop.is_set():
                self.stop.set()
                self.clock.run_on(1.0)  # else every gauge would be silent within seconds
                self.note = _PASSED
                continue  # tells it at once
            self.over.wait(every_s) if not was_over else time.sleep(every_s)

    def _moment(self) -> Moment | None:
        try:
            stations = self._api.get("api/v1/stations").json()["features"]
            alerts = self._api.get("api/v1/alerts").json()["alerts"]
        except (httpx.HTTPError, ValueError, KeyError):
            return None
        now, flood = self.clock.now(), self.world.flood
        return Moment(
            at=now, stations=[feature["properties"] for feature in stations], alerts=alerts, sent=self.sent,
            per_second=self.sent / max(time.monotonic() - self.began, 1e-3),
            progress=min(1.0, max(0.0, (now - flood.start) / max(flood.end - flood.start, 1))),
            told=list(self.inbox.newest), counts=dict(self.inbox.counts), page=self.page, note=self.note,
        )  # fmt: skip


class _StoppedError(Exception):
    """The user ended the demo in the middle of the replay."""
