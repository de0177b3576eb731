"""A pair of runs: one with faults, then a calm one that is given the same messages in the same order; both compared."""

import contextlib
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from app import journal
from app.database import open_engine
from ingest.store.influx import InfluxStore
from pantau import cityfolder
from pantau.faultpoint import Point
from simulators.publish import MqttPublisher
from tests.faults import load
from tests.faults.desk import MOST_ROUNDS, Desk
from tests.faults.outcome import Outcome, differences, influx_rows, outcome, rows, twice_refused
from tests.faults.town import SENTINEL, make_city
from tests.faults.victim import Receiver, Victim, data_folder, receiver
from tests.faults.wire import Wire
from tests.peers import Broker, Influx, mosquitto
from tests.peers.process import folder

RATE = 300.0
"""Messages a second while there are faults; what piles up while the service is down comes on top."""
_SHORT_RATE = 100.0
_SETTLE_S = 600.0
"""A dead sender's lease lasts a minute, a refused webhook waits longer."""


class Kill(NamedTuple):
    """One way to die.

    Attributes:
        point: fault point; None: at any time, or with half of a bundle of acknowledgements sent.
        hit: at the how-manieth time that it is reached.
        after_s: without a point: seconds after the service has connected; half as many at each repetition.
    """

    name: str
    point: Point | None = None
    hit: int = 1
    after_s: float = 0.0


HALF_ACKED = "half of the acks sent"
RANDOM = "random time"


class Died(NamedTuple):
    """A kill that happened."""

    name: str
    in_flight: int


@dataclass
class Ground:
    """Everything around the service in one run.

    Attributes:
        store: InfluxDB of the run and the address that the service is given for it; None: the embedded store.
    """

    victim: Victim
    broker: Broker
    wire: Wire
    receiver: Receiver
    influx: tuple[Influx, str] | None = None

    def readings(self) -> list[dict[str, object]] | None:
        """Readings out of InfluxDB, asked directly; None when they are in the database."""
        if self.influx is None:
            return None
        influx, bucket = self.influx
        store = InfluxStore(influx.url, influx.token, influx.org, bucket, load.CITY, timeout_s=60)
        city = cityfolder.load(Path(self.victim.settings["PANTAU_CITY"]))
        end = load.START_MS + 30 * 86_400_000
        try:
            return influx_rows(
                reading
                for station in city.stations.values()
                for reading in store.read(station.id, station.kind, start=0, end=end, limit=1_000_000)
            )
        finally:
            store.close()


Disk = Callable[[Path], AbstractContextManager[None]]
"""Prepares the folder of the database, and lets it go when the service is dead."""


def any_disk(_folder: Path) -> AbstractContextManager[None]:
    """The folder as it is."""
    return contextlib.nullcontext()


@contextlib.contextmanager
def ground(
    influx: tuple[Influx, str, str] | None = None,
    data: Disk = any_disk,
) -> Iterator[Ground]:
    """A broker, a wire, a receiver and a service that is not started yet.

    Args:
        influx: the server, a bucket of it, and the address that the service is given.
        data: entered with the folder of the database before anything is in it, left when the service is dead.
    """
    with folder("faults") as home, mosquitto() as broker, receiver() as partner, data(data_folder(home)):
        city = make_city(home)
        wire = Wire(broker.port, f"pantau-{load.CITY}")
        wire.start()
        settings = {"PANTAU_CLOCK": load.clock(time.time_ns() // 1_000_000)}
        if influx is not None:
            server, bucket, url = influx
            settings |= {
                "PANTAU_INFLUX_URL": url, "PANTAU_INFLUX_TOKEN": server.token,
                "PANTAU_INFLUX_ORG": server.org, "PANTAU_INFLUX_BUCKET": bucket,
            }  # fmt: skip
        victim = Victim(home, wire.url, city=str(city))
        victim.settings |= settings
        victim.enrol(partner.url)
        try:
            yield Ground(victim, broker, wire, partner, None if influx is None else (influx[0], influx[1]))
        finally:
            victim.kill()
            victim.http.close()
            wire.stop()


class Flow:
    """Publishes over one connection at QoS 1 and remembers what it sent.

    Args:
        least: messages that it sends even when it is told to finish before.
    """

    def __init__(
        self, publisher: MqttPublisher, messages: Iterable[load.Message], rate: float, least: int = 0
    ) -> None:
        self.sent: list[load.Message] = []
        self.rate = rate
        self._least = least
        self._publisher, self._messages = publisher, iter(messages)
        self._stop = Event()
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def finish(self) -> None:
        """Ends the stream, with the closing message; returns when the broker has everything."""
        self._stop.set()
        self._thread.join()
        self._send(load.closing())
        self._publisher.flush(60)

    def all_of_it(self) -> None:
        """Waits until the messages are used up and the broker has them."""
        self._thread.join()
        self._publisher.flush(120)

    def _run(self) -> None:
        began = time.monotonic()
        for number, one in enumerate(self._messages):
            if self._stop.is_set() and number >= self._least:
                return
            self._send(one)
            if number % 10 == 0 and self.rate:
                time.sleep(max(0.0, began + number / self.rate - time.monotonic()))

    def _send(self, one: load.Message) -> None:
        self.sent.append(one)
        self._publisher.send(*one)


@dataclass
class Result:
    """What a pair gave."""

    name: str
    messages: int = 0
    rounds: int = 0
    died: list[Died] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    found: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def different(self) -> int:
        """Rows that differ."""
        return sum(len(lines) for lines in self.found.values())


Faults = Callable[[Ground, Flow, Result], None]


def pair(
    name: str, faults: Faults, *, seed: int = 1, influx: Callable[[], tuple[Influx, str, str]] | None = None,
    data: Disk = any_disk, short: bool = False,
) -> Result:  # fmt: skip
    """Runs with ``faults``, then calmly, and compares.

    Args:
        influx: gives InfluxDB with a fresh bucket for each run; None: the embedded store.
        short: for `make test`: fewer messages, and a dead sender's lease of a minute is ended at once.
    """
    result = Result(name)
    with ground(influx() if influx else None, data) as place:
        sent = _faulty(place, faults, seed, result, short=short)
        hit = outcome(place.victim.database, place.readings())
        result.counts["refused twice"] = twice_refused(place.victim.database)
        hit_notices = place.receiver
        result.counts["redelivered"] = place.wire.redelivered
        result.counts["redelivered out of order"] = place.wire.disordered
    with ground(influx() if influx else None) as place:
        _calm(place, sent, result)
        calm = outcome(place.victim.database, place.readings())
        calm_notices = place.receiver
    _compare(result, calm, hit, calm_notices, hit_notices)
    return result


def _faulty(place: Ground, faults: Faults, seed: int, result: Result, *, short: bool) -> list[load.Message]:
    stop = Event()
    with MqttPublisher(place.broker.url) as publisher, MqttPublisher(place.broker.url) as typing:
        rate = _SHORT_RATE if short else RATE
        flow = Flow(publisher, islice(load.stream(seed), load.MOST), rate, load.VARIED)
        desk = Desk(place.victim, typing)
        trouble: list[BaseException] = []

        def work() -> None:
            try:
                desk.work(stop, MOST_ROUNDS)
            except BaseException as error:  # noqa: BLE001 - told below, in the thread that can tell it
                trouble.append(error)

        worker = Thread(target=work, daemon=True)
        _subscribe_once(place)
        flow.start()
        worker.start()
        faults(place, flow, result)
        stop.set()
        worker.join()
        assert not trouble, trouble
        flow.finish()
        if short:
            _end_dead_leases(place)
        settle(place)
    result.messages, result.rounds = len(flow.sent), desk.done
    return flow.sent


def _calm(place: Ground, sent: list[load.Message], result: Result) -> None:
    with MqttPublisher(place.broker.url) as publisher, MqttPublisher(place.broker.url) as typing:
        _subscribe_once(place)
        place.victim.launch()
        place.victim.subscribed()
        flow = Flow(publisher, sent, 0)
        flow.start()
        Desk(place.victim, typing).work(Event(), result.rounds)
        flow.all_of_it()
        settle(place)


def _subscribe_once(place: Ground) -> None:
    """The session has to be known to the broker before the first message, as in an installation that has run before."""
    place.victim.launch()
    place.victim.subscribed()
    place.victim.kill()


def _end_dead_leases(place: Ground) -> None:
    """Lets the leases of workers that are dead run out now, as they do by themselves within a minute."""
    dead = f"state = 'leased' AND lease NOT LIKE '%-{place.victim.pid}:%'"
    with contextlib.closing(sqlite3.connect(place.victim.database, timeout=30)) as connection, connection:
        connection.execute(f"UPDATE outbox SET lease_until = 0 WHERE {dead}")


def settle(place: Ground) -> None:
    """Waits until nothing waits: messages, journal readers, notices, commands."""
    deadline = time.monotonic() + _SETTLE_S
    while waiting := unsettled(place):
        assert time.monotonic() < deadline, f"still waiting: {waiting}\n{place.victim.output()[-2000:]}"
        time.sleep(0.2)
    time.sleep(1.0)


def unsettled(place: Ground) -> list[str]:
    """What is still under way."""
    database = place.victim.database
    engine = open_engine(f"sqlite:///{database}")
    try:
        with engine.connect().execution_options(reading=True) as connection:
            newest = journal.last_pos(connection)
            behind = [name for name in ("store", "slow") if journal.cursor(connection, name) < newest]
    finally:
        engine.dispose()
    waiting = [f"{name} is behind" for name in behind]
    if not rows(database, f"SELECT 1 FROM latest WHERE station = '{SENTINEL}'"):
        waiting.append("the last message is not judged")
    if place.wire.in_flight:
        waiting.append(f"{place.wire.in_flight} messages are not acknowledged")
    for table, claim in (("outbox", "state IN ('waiting', 'leased')"), ("commands", "applied_at IS NULL")):
        number = rows(database, f"SELECT count(*) AS n FROM {table} WHERE {claim}")[0]["n"]
        if number:
            waiting.append(f"{number} rows of {table} wait")
    return waiting


def kills(plan: list[Kill], seed: int = 1) -> Faults:
    """Faults: die in these ways, one after the other; one with nothing in flight does not count and is repeated."""

    def happen(place: Ground, _flow: Flow, result: Result) -> None:
        rng = random.Random(seed)
        todo, tries = list(plan), Counter[str]()
        while todo:
            kill = todo.pop(0)
            tries[kill.name] += 1
            died = _die(place, kill)
            in_flight = place.wire.in_flight
            if died and in_flight:
                result.died.append(Died(kill.name, in_flight))
                continue
            result.idle.append(kill.name)
            if tries[kill.name] < 20:
                sooner = kill._replace(hit=1, after_s=kill.after_s / 2)  # while it takes what has piled up
                todo.insert(min(len(todo), rng.randint(1, 3)), sooner)
        place.victim.launch()

    return happen


def _die(place: Ground, kill: Kill) -> bool:
    """Starts the service and lets it die; False when its point was not reached within a minute."""
    victim = place.victim
    if kill.point is not None:
        victim.launch((kill.point, kill.hit))
        died = victim.died(60)
    else:
        before = place.wire.connections
        victim.launch()
        wait_for(lambda: place.wire.connections > before)  # earlier nothing can be in flight
        if kill.name == HALF_ACKED:
            pid = victim.pid
            place.wire.cut_acknowledgements(lambda: _kill_now(pid))
            died = victim.died(30)
        else:
            time.sleep(kill.after_s)
            died = True
    victim.kill()
    time.sleep(0.05)  # what was in the socket's buffer
    return died


def _kill_now(pid: int) -> None:
    import os
    import signal

    os.kill(pid, signal.SIGKILL)


def wait_for(claim: Callable[[], bool], within_s: float = 60.0) -> None:
    """Until it is so."""
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _compare(result: Result, calm: Outcome, hit: Outcome, calm_seen: Receiver, hit_seen: Receiver) -> None:
    result.found = differences(calm, hit)
    for table, expected in calm.items():
        result.counts[table] = sum(expected.values())
    ours = _ours(hit_seen)
    theirs = _ours(calm_seen)
    result.found["notices"] = [f"notice {one} never arrived" for one in sorted(theirs - ours)]
    result.found["notices"] += [f"notice {one} only with faults" for one in sorted(ours - theirs)]
    result.counts["notices"] = len(theirs)
    result.counts["notices repeated"] = sum(count - 1 for count in hit_seen.seen.values())


def _ours(seen: Receiver) -> set[str]:
    """Notices about stations; those about our peers (no station) are the fault itself."""
    return set(seen.seen) - seen.about_peers
