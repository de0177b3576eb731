"""100,000 sensors' state: the memory it takes, and how soon the service is back after kill -9 with all of it."""

import threading
import time
from collections.abc import Iterator, Sequence

from pantau.station import Station
from simulators.fleet import FleetMessage
from simulators.load import Timed, numbered
from tools.bench.city import FIRST_LIMIT_CM
from tools.bench.cpu import cpu_s, peak_mib, rss_mib, settle
from tools.bench.figures import Figure, Found
from tools.bench.rig import Place, Rig, Running, now_ms
from tools.bench.sweep import Sweep
from tools.bench.truth import Stored, alerts_of, check_alerts, check_doubles, check_readings, check_spikes

__all__ = ["SENSORS", "state"]

SENSORS = 100_000
ZONES = 10
"""One sensor in so many is a crowd zone, which has the slow lane's large state (hour of week)."""
ROUNDS = 14
"""Readings of each sensor, one a cadence: an hour's track and the forest's window are full."""
STEP_MS = 600_000
RATE = 5_000
KILLS = 3
_PROBES = 20
_AT_ONCE = 4
_REST_S = 15.0
_MEMORY_MIB, _READY_S = 1024.0, 5.0


def state(rig: Rig, *, count: int = SENSORS, kills: int = KILLS) -> Found:
    """Fill the state, look at the memory, kill and restart under load, look whether the states are right."""
    gauges, zones = count - count // ZONES, count // ZONES
    print(f"\n## state of {count:,} sensors ({gauges:,} gauges, {zones:,} crowd zones)\n", flush=True)
    place = rig.place(gauges + 1, zones)
    with rig.running("pantau", place) as running:
        sweep = Sweep(place.city, rounds=ROUNDS, step_ms=STEP_MS, end=now_ms(), leave_out=place.probe)
        stored = rig.stored(sweep.start, now_ms() + 86_400_000)
        for first in range(0, ROUNDS, _AT_ONCE):  # all at once would be more than the broker's queue holds
            last = min(first + _AT_ONCE, ROUNDS)
            running.send(sweep.messages(first, last))
            stored.wait_for(sweep.readings * last // ROUNDS)
        settle(running.subject.pid)
        problems = check_readings(stored, sweep) + check_spikes(stored, sweep)
        problems += check_alerts(running.url, sweep) + check_doubles(running.url, sweep)
        time.sleep(_REST_S)
        figures = [_memory(running, count)]
        took, found = _restarts(running, place, sweep, stored, kills)
    figures.append(
        Figure(
            f"ready after kill -9 at {RATE:,} readings/s, {count:,} sensors",
            "s, ".join(f"{one:.2f}" for one in took) + " s", "", max(took), "s", _READY_S,
        )
    )  # fmt: skip
    return Found(figures, [f"state: {problem}" for problem in problems + found])


def _memory(running: Running, count: int) -> Figure:
    steady, peak = rss_mib(running.subject.pid), peak_mib(running.subject.pid)
    print(f"resident memory: {steady:,.0f} MiB steady, {peak:,.0f} MiB at its peak", flush=True)
    words = f"{steady:,.0f} MiB steady, {peak:,.0f} MiB peak"
    return Figure(f"resident memory, {count:,} sensors", words, "", peak, "MiB", _MEMORY_MIB)


def _restarts(
    running: Running, place: Place, sweep: Sweep, stored: Stored, kills: int
) -> tuple[list[float], list[str]]:
    """Seconds from exec to ready of each restart, and what was wrong afterwards."""
    calm, took, problems = sweep.calm(), [], []
    risen: list[str] = []
    traffic = _Traffic(running, place, calm[kills * _PROBES :])
    for turn in range(kills):
        with traffic:
            time.sleep(3.0)
            running.subject.kill()
            began = time.monotonic()
            running.subject.start()
            took.append(time.monotonic() - began)
            print(f"ready after {took[-1]:.2f} s, {cpu_s(running.subject.pid):.2f} s of CPU", flush=True)
            time.sleep(2.0)
        rising = calm[turn * _PROBES : (turn + 1) * _PROBES]
        open_ones = [place.city.stations[one.station] for one in sweep.crossings()[:_PROBES]]
        at = now_ms()
        running.send(_above(place, at, rising + open_ones))
        traffic.values += [FIRST_LIMIT_CM + 6.0] * len(rising + open_ones)
        stored.wait_for(sweep.readings + len(traffic.values))
        risen += [one.id for one in rising]
        time.sleep(2.0)
        problems += [f"restart {turn + 1}: {one}" for one in _wrong_alerts(running, sweep, risen)]
    total = sum(value for _, value in sweep.values()) + sum(traffic.values)
    if stored.count() != sweep.readings + len(traffic.values):
        problems.append(f"{stored.count()} readings stored, expected {sweep.readings + len(traffic.values)}")
    if abs(stored.total() - total) > 1.0:
        problems.append(f"the stored values sum up to {stored.total():.1f}, expected {total:.1f}")
    return took, problems


def _wrong_alerts(running: Running, sweep: Sweep, risen: Sequence[str]) -> list[str]:
    """Each crossed station has one open level alert, also those that had it before the kill; nobody else has one."""
    opened: dict[str, int] = {}
    for alert in alerts_of(running.url):
        if alert["cause"] == "level" and not alert["closed_at"]:
            opened[alert["station"]] = opened.get(alert["station"], 0) + 1
    expected = {one.station for one in sweep.crossings()} | set(risen)
    return [
        f"{station}: {opened.get(station, 0)} open level alerts, expected {int(station in expected)}"
        for station in sorted(expected | opened.keys())
        if opened.get(station, 0) != int(station in expected)
    ]


def _above(place: Place, at: int, stations: Sequence[Station]) -> Iterator[FleetMessage]:
    for one in stations:
        yield _message(place, one, at, FIRST_LIMIT_CM + 6.0)


def _message(place: Place, station: Station, at: int, value: float) -> FleetMessage:
    topic = f"pantau/v1/{place.city.id}/{station.kind}/{station.id}".encode()
    return FleetMessage(at, topic, b'{"observed_at": %d, "value": %.1f, "unit": "cm"}' % (at, value))


class _Traffic:
    """Calm readings at ``RATE`` in the background while it is entered; ``values`` are all that were sent."""

    def __init__(self, running: Running, place: Place, stations: Sequence[Station]) -> None:
        self.values: list[float] = []
        self._running = running
        self._place = place
        self._stations = stations
        self._stop = threading.Event()
        self._thread = threading.Thread()

    def __enter__(self) -> None:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with self._running.client() as client:
            client.run(self._packets(), now_ms)

    def _packets(self) -> Iterator[Timed]:
        return numbered((one.at, one.topic, one.payload) for one in self._messages())

    def _messages(self) -> Iterator[FleetMessage]:
        begin, sent = now_ms(), 0
        while not self._stop.is_set():
            at = begin + sent * 1000 // RATE
            station = self._stations[len(self.values) % len(self._stations)]
            value = FIRST_LIMIT_CM - 15.0
            yield _message(self._place, station, at, value)
            self.values.append(value)
            sent += 1
